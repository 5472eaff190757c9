"""Where the data files that ship with meshproof are: in the checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

from meshproof.errors import UsageError

__all__ = ["data_root", "fixtures_folder", "package_folder", "suites_folder"]

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


def suites_folder(what: str) -> Path:
    """The checks. They are not installed with the library.

    Raises UsageError where they are not; `what` needs them ("prove").
    """
    suites = data_root() / "suites"
    if not suites.is_dir():
        raise UsageError("the suites are not here", seen=suites, remedy=f"run {what} from a checkout of meshproof")
    return suites
