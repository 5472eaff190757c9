"""Where the data files that ship with meshproof are: in the checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["data_root", "fixtures_folder", "package_folder"]

_PACKAGE = Path(__file__).parent


def package_folder() -> Path:
    """The folder of this library itself."""
    return _PACKAGE


def data_root() -> Path:
    """The folder that holds `fixtures` and `images`."""
    return _PACKAGE.parent if (_PACKAGE.parent / "fixtures").is_dir() else _PACKAGE / "_data"


def fixtures_folder() -> Path:
    """Manifests, sample apps and mutants."""
    return data_root() / "fixtures"
