"""The intake's image holds what serving needs, in the versions that are tested, and no other part of the library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from meshproof.bed.images.appsources import AppSources
from meshproof.bed.images.catalogue import load_catalogue
from meshproof.bed.images.dockerfile import AppRecipe, PythonPackages, read_dockerfile
from meshproof.files import data_root, package_folder

FOLDER = package_folder() / "intake"
CONSTRAINTS = data_root() / "constraints.txt"


@pytest.fixture(scope="module")
def recipe() -> AppRecipe:
    return read_dockerfile(FOLDER / "Dockerfile", load_catalogue(data_root()).debian)


@pytest.fixture(scope="module")
def laid_out(recipe: AppRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library as the image has it."""
    sources, folder = AppSources(package_folder()), tmp_path_factory.mktemp("image")
    for name in recipe.copied:
        for path in sources.files(name):
            (folder / "meshproof" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "meshproof" / path).write_bytes((sources.folder / path).read_bytes())
    return folder


@pytest.fixture(scope="module")
def imported(laid_out: Path) -> list[str]:
    """The names of all modules that a server has imported which has no more of the library than the image."""
    program = "import json, sys, meshproof.intake.__main__; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(laid_out), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, cwd="/", capture_output=True, check=True)
    return list(json.loads(ended.stdout))


def pins(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            yield name.lower().replace("_", "-"), version


def test_the_server_imports_no_part_of_the_library_that_the_image_lacks(imported: list[str]) -> None:
    assert "meshproof.intake.server" in imported


def test_other_parts_of_the_library_do_not_change_the_image(recipe: AppRecipe) -> None:
    sources = AppSources(package_folder())
    copied = {path for name in recipe.sources for path in sources.files(name)}
    assert {path.parts[0] for path in copied} == {"__init__.py", "errors.py", "secrecy.py", "intake"}
    assert not {Path("intake/backend.py"), Path("intake/client.py"), Path("intake/Dockerfile")} & copied


def test_what_the_server_imports_of_others_is_required(imported: list[str]) -> None:
    required = dict(pins(FOLDER / "requirements.txt"))
    distributions = packages_distributions()
    top = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names - {"meshproof"}
    used = {found.lower().replace("_", "-") for name in top for found in distributions.get(name, ())}
    assert {"duckdb", "starlette", "uvicorn"} <= used
    assert used - {"setuptools", "pip", "meshproof"} <= required.keys()


def test_the_versions_are_those_that_the_tests_run_with() -> None:
    tested = dict(pins(CONSTRAINTS))
    for name, version in pins(FOLDER / "requirements.txt"):
        assert tested[name] == version, name


def test_the_requirements_are_a_stage_of_their_own(recipe: AppRecipe) -> None:
    (stage,) = recipe.stages
    assert isinstance(stage, PythonPackages)
    assert [source for copy in stage.copies for source in copy.sources] == ["intake/requirements.txt"]
