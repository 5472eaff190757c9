"""Where the data files that ship with meshproof are: in the checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["fixtures_folder", "images_folder"]

_PACKAGE = Path(__file__).parent


def _folder(name: str) -> Path:
    checkout = _PACKAGE.parent / name
    return checkout if checkout.is_dir() else _PACKAGE / "_data" / name


def fixtures_folder() -> Path:
    """Manifests, sample apps and mutants."""
    return _folder("fixtures")


def images_folder() -> Path:
    """The image catalogue and the pinned modules that images are built from."""
    return _folder("images")
