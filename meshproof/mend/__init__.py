"""What is changed for a while is written down in the cluster before, and put back: by its run, or by the next one."""
