from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from app_process import APPS, CANARY

from meshproof.bed.images.appsources import AppSources
from meshproof.bed.images.catalogue import load_catalogue
from meshproof.bed.images.dockerfile import Compiled, read_dockerfile
from meshproof.files import data_root
from meshproof.programs import run

Command = tuple[str | Path, ...]


@pytest.fixture(scope="session")
def go() -> str:
    found = shutil.which("go")
    if found is None:
        pytest.skip("there is no Go on PATH: the apps in Go are not tested here")
    return found


@pytest.fixture(scope="session")
def compiled(go: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Command]:
    """Compiles an app in Go, once, from nothing but what its Dockerfile copies."""
    sources, debian = AppSources(APPS), load_catalogue(data_root()).debian
    made: dict[str, Command] = {}

    def compile_app(name: str) -> Command:
        if name not in made:
            folder, program = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp(name) / name
            (stage,) = read_dockerfile(APPS / name / "Dockerfile", debian).stages
            assert isinstance(stage, Compiled)
            sources.lay_out(stage.copies, folder)
            words = ["build", "-trimpath", "-o", program, stage.package]
            run([go, *words], cwd=folder, env={"CGO_ENABLED": "0"}, timeout=600)
            made[name] = (program,)
        return made[name]

    return compile_app


@pytest.fixture(params=["v1", "v2"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def command(version: str, request: pytest.FixtureRequest) -> Command:
    """What starts that version of text-to-speech."""
    if version == "v2":
        return CANARY
    compile_app: Callable[[str], Command] = request.getfixturevalue("compiled")
    return compile_app("text-to-speech")
