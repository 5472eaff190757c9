"""Where the cluster runs: a container engine, node images, a kind cluster; or a cluster that was there already."""
