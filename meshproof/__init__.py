"""meshproof proves, on a real cluster, that a service mesh does what its manifests promise."""

__version__ = "0.1.0"
