"""A whole night: every suite strictly, one version against itself, a soak with restarts in it, and the mutants."""
