"""Every check is known to be able to fail: the mesh is broken on purpose, one property at a time, and mended again."""
