"""How every image of the bed comes to be: pulled from a registry, or built from Go, PyPI and Debian packages."""

from meshproof.bed.images.catalogue import Catalogue, Image, Part, load_catalogue
from meshproof.bed.images.prepare import PreparedImages, PreparedTools, prepare_images, prepare_tools

__all__ = [
    "Catalogue",
    "Image",
    "Part",
    "PreparedImages",
    "PreparedTools",
    "load_catalogue",
    "prepare_images",
    "prepare_tools",
]
