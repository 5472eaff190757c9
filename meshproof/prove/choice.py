"""Which mutants are tried: ours, those of other folders, or only some of them; and whether they fit the suites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from meshproof.errors import UsageError
from meshproof.files import fixtures_folder
from meshproof.prove.matrix import is_of
from meshproof.prove.mutants import Mutant, load_mutants

__all__ = ["NIGHTLY", "SHIPPED", "chosen", "to_prove"]

SHIPPED, NIGHTLY = "shipped", "nightly"
"""Stand for the folders of our own mutants: those of the suites, and those of the suites that only run at night."""
_OURS = {SHIPPED: fixtures_folder() / "mutants", NIGHTLY: fixtures_folder() / "mutants" / "nightly"}


def chosen(folders: Sequence[str], names: Sequence[str], tests: Sequence[str]) -> list[Mutant]:
    """The mutants of the folders, or those of them that are named, in the order in which to try them.

    `tests` are the node ids of the suites. Raises UsageError that names the folder, or the file and the field, when
    something is not there, twice there, or wrong.
    """
    found = [(path, mutant) for folder in folders or [SHIPPED] for path, mutant in _of(folder)]
    counts = Counter(mutant.name for _, mutant in found)
    if twice := sorted(name for name, number in counts.items() if number > 1):
        files = ", ".join(str(path) for path, mutant in found if mutant.name == twice[0])
        raise UsageError(f"there are two mutants {twice[0]}", seen=files, remedy="rename one of the files")
    if unknown := [name for name in names if name not in counts]:
        raise UsageError(
            f"there is no mutant {', '.join(unknown)}",
            seen=", ".join(folders or [SHIPPED]),
            remedy=f"use one of {', '.join(sorted(counts))}",
        )
    wanted = [(path, mutant) for path, mutant in found if not names or mutant.name in names]
    for path, mutant in wanted:
        _fits(path, mutant, tests)
    return sorted((mutant for _, mutant in wanted), key=lambda mutant: (mutant.order, mutant.name))


def to_prove(folders: Sequence[str], tests: Sequence[str]) -> list[str]:
    """Those of all tests that some mutant of these folders has to make fail: ours leave none out; yours may."""
    nightly = {folder == NIGHTLY for folder in folders or [SHIPPED] if folder in _OURS}
    return [test for test in tests if test.removeprefix("suites/").startswith("nightly/") in nightly]


def _of(folder: str) -> Iterator[tuple[Path, Mutant]]:
    path = _OURS.get(folder, Path(folder))
    if not path.is_dir():
        remedy = f"give a folder of mutants with --mutants, or {' or '.join(_OURS)} for those of meshproof"
        raise UsageError(f"there is no folder {path}", seen="a file" if path.is_file() else "nothing", remedy=remedy)
    mutants = load_mutants(path)
    if not mutants:
        there = ", ".join(sorted(it.name for it in path.iterdir())[:5]) or "an empty folder"
        raise UsageError(f"there is no mutant in {path}", seen=there, remedy="put files NAME.yaml there, one a mutant")
    return ((path / f"{mutant.name}.yaml", mutant) for mutant in mutants)


def _fits(path: Path, mutant: Mutant, tests: Sequence[str]) -> None:
    places = [(f"fails.{number}.test", it.test) for number, it in enumerate(mutant.fails)]
    places += [(f"green.{number}", test) for number, test in enumerate(mutant.green)]
    for where, test in places:
        if any(is_of(test, node) for node in tests):
            continue
        known = {node.removeprefix("suites/") for node in tests}
        names = sorted(known | {it.partition("[")[0] for it in known})
        close = get_close_matches(test, names, n=3, cutoff=0.75)
        remedy = f"use one of {', '.join(close)}" if close else "`meshproof prove --list` tells which tests there are"
        raise UsageError(f"{path}, {where}: the suites have no such test", seen=test, remedy=remedy)
