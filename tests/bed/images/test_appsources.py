"""A Dockerfile's COPY takes the same files into a key and into a build as docker build would copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshproof.bed.images.appsources import AppSources, Copy
from meshproof.errors import UsageError

FILES = ("go.mod", "go.sum", "web/main.go", "web/main_test.go", "web/sub/page.html", "webs/main.go")


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    folder = tmp_path / "apps"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".dockerignore").write_text("# tests are not built\n**/*_test.go\n")
    return folder


@pytest.mark.parametrize(
    ("copy", "laid_out"),
    [
        (Copy(("go.mod",), "."), {"go.mod"}),
        (Copy(("go.mod",), "other.mod"), {"other.mod"}),
        (Copy(("go.mod",), "sub/"), {"sub/go.mod"}),
        (Copy(("go.mod", "go.sum"), "./"), {"go.mod", "go.sum"}),
        (Copy(("web",), "./web"), {"web/main.go", "web/sub/page.html"}),
        (Copy(("web",), "."), {"main.go", "sub/page.html"}),
        (Copy(("web/sub",), "./static/"), {"static/page.html"}),
        (Copy((".",), "."), {*FILES, ".dockerignore"} - {"web/main_test.go"}),
    ],
)
def test_copies_lie_where_docker_puts_them(apps: Path, tmp_path: Path, copy: Copy, laid_out: set[str]) -> None:
    folder = tmp_path / "stage"
    folder.mkdir()
    AppSources(apps).lay_out([copy], folder)
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == laid_out


@pytest.mark.parametrize(
    ("name", "matters"),
    [("go.mod", True), ("web/sub/page.html", True), ("web/main_test.go", False), ("webs/main.go", False)],
)
def test_key_follows_what_is_copied_and_nothing_else(apps: Path, name: str, matters: bool) -> None:
    before = AppSources(apps).key(["go.mod", "web"])
    (apps / name).write_text("changed")
    assert (AppSources(apps).key(["go.mod", "web"]) != before) is matters


def test_what_is_not_there_is_named(apps: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no \S+/apps/wab to copy"):
        AppSources(apps).key(["wab"])
