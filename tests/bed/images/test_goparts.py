"""The go command's errors about modules become errors for people; keys follow everything that matters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from meshproof.bed.images.catalogue import Part, load_catalogue
from meshproof.bed.images.goparts import (
    ModuleFiles,
    ModuleRefused,
    Refusal,
    compile_package,
    compile_part,
    part_key,
    refusal,
)
from meshproof.bed.images.toolchain import Toolchain
from meshproof.errors import MeshproofError
from meshproof.files import data_root

REFUSED_ZIP = """\
go: downloading example.org/widget/v2 v2.12.0
main.go:2:8: example.org/widget/v2@v2.12.0: reading https://modules.example/widget/v2/@v/v2.12.0.zip: 403 Forbidden
	server response: This module version is not available.
"""
REFUSED_MODULE = "go: example.org/widget@v1.2.3: reading https://modules.example/widget.mod: 404 Not Found\n"
REFUSED_TOOLCHAIN = """\
go: downloading go1.26.99 (linux/amd64)
go: download go1.26.99: golang.org/toolchain@v0.0.1-go1.26.99.linux-amd64: reading https://x/: 403 Forbidden
"""
NO_GO_SUM = (
    "main.go:3:8: example.org/widget@v1.2.3: missing go.sum entry for go.mod file; to add it:\n\tgo mod download\n"
)
DOES_NOT_COMPILE = "# example.org/widget\n../mod/example.org/widget@v1.2.3/main.go:3:8: undefined: frob\n"


@pytest.mark.parametrize(
    ("stderr", "module", "version"),
    [
        (REFUSED_ZIP, "example.org/widget/v2", "v2.12.0"),
        (REFUSED_MODULE, "example.org/widget", "v1.2.3"),
        (REFUSED_TOOLCHAIN, "golang.org/toolchain", "v0.0.1-go1.26.99.linux-amd64"),
    ],
)
def test_refused_module_is_recognised(stderr: str, module: str, version: str) -> None:
    found = refusal(stderr)
    assert found is not None
    assert (found.module, found.version) == (module, version)
    assert "40" in found.reason


@pytest.mark.parametrize("stderr", [NO_GO_SUM, DOES_NOT_COMPILE, "go: downloading example.org/widget v1.2.3\n", ""])
def test_other_errors_are_not_taken_for_a_refusal(stderr: str) -> None:
    assert refusal(stderr) is None


def part(folder: Path) -> Part:
    (folder / "go.mod").write_text("module x\n")
    return Part("widget", "example.org/widget", "1.2.3", folder, ("widget",), (), ())


def go(folder: Path, script: str, version: str = "1.26.8") -> Toolchain:
    program = folder / "go"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Toolchain(program, version, "local")


def test_refused_module_names_module_part_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "said").write_text(REFUSED_ZIP)
    toolchain = go(tmp_path, f"cat {tmp_path}/said >&2; exit 1")
    with pytest.raises(ModuleRefused) as raised:
        compile_part(part(tmp_path), toolchain, tmp_path / "out", timeout=10, note=lambda _: None)
    assert "example.org/widget/v2 v2.12.0, which widget needs" in str(raised.value)
    assert "403 Forbidden" in str(raised.value.seen)
    assert "go.mod" in str(raised.value.remedy)


def test_compiler_error_is_shown_without_progress(tmp_path: Path) -> None:
    (tmp_path / "said").write_text("go: downloading a v1\nencoding/json\n" + DOES_NOT_COMPILE)
    toolchain = go(tmp_path, f"cat {tmp_path}/said >&2; exit 1")
    with pytest.raises(MeshproofError, match="widget does not compile") as raised:
        compile_part(part(tmp_path), toolchain, tmp_path / "out", timeout=10, note=lambda _: None)
    assert "undefined: frob" in str(raised.value.seen)
    assert "downloading" not in str(raised.value.seen)


def test_copied_package_that_does_not_compile_sends_to_its_origin(tmp_path: Path) -> None:
    toolchain, origin = go(tmp_path, "echo './x: undefined: frob' >&2; exit 1"), Path("/apps")
    with pytest.raises(MeshproofError, match="web does not compile") as raised:
        compile_package(
            "web", tmp_path, "./web", toolchain, tmp_path / "out", origin=origin, timeout=10, note=lambda _: None
        )
    assert raised.value.remedy == "correct /apps"


def test_program_that_is_not_built_is_missed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(MeshproofError, match="does not build widget"):
        compile_part(part(tmp_path), go(tmp_path, "exit 0"), out, timeout=10, note=lambda _: None)


def test_packages_are_counted_as_they_are_compiled(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    said: list[str] = []
    toolchain = go(tmp_path, f"echo errors >&2; echo unicode/utf8 >&2; touch {out}/widget")
    compile_part(part(tmp_path), toolchain, out, timeout=10, note=said.append)
    assert said[-1] == "2 packages compiled"
    assert "2 packages, unicode/utf8" in said


def test_part_key_follows_flags_sources_and_toolchain(tmp_path: Path) -> None:
    toolchain = Toolchain(Path("go"), "1.26.8", "local")
    one = part(tmp_path)
    key = part_key(one, toolchain)
    assert part_key(one, replace(toolchain, program=Path("/elsewhere/go"), selection="go1.26.8")) == key
    assert part_key(one, replace(toolchain, version="1.26.9")) != key
    assert part_key(replace(one, tags=("vtprotobuf",)), toolchain) != key
    assert part_key(replace(one, set=("main.version=2",)), toolchain) != key
    (tmp_path / "go.sum").write_text("example.org/widget v1.2.3 h1:x\n")
    assert part_key(one, toolchain) != key


def test_part_key_follows_sources_in_sub_folders_but_no_tests(tmp_path: Path) -> None:
    toolchain, one = Toolchain(Path("go"), "1.26.8", "local"), part(tmp_path)
    (tmp_path / "cmd" / "testdata").mkdir(parents=True)
    key = part_key(one, toolchain)
    (tmp_path / "cmd" / "main_test.go").write_text("package main\n")
    (tmp_path / "cmd" / "testdata" / "payload.json").write_text("{}")
    assert part_key(one, toolchain) == key
    (tmp_path / "cmd" / "main.go").write_text("package main\n")
    assert part_key(one, toolchain) != key


@pytest.mark.parametrize(("part_name", "remedy"), [("metallb", "--metallb"), ("kind", "kind/go.mod")])
def test_module_that_is_refused_at_run_time_says_where_to_choose(tmp_path: Path, part_name: str, remedy: str) -> None:
    toolchain = go(tmp_path, """echo '{"Error": "x@v1: reading https://modules.example/: 403 Forbidden"}'; exit 1""")
    with pytest.raises(ModuleRefused, match="is not served") as raised:
        ModuleFiles(load_catalogue(data_root()), toolchain, timeout=10).file(part_name, "README.md")
    assert remedy in str(raised.value.remedy)


def test_file_that_the_module_does_not_ship_is_named(tmp_path: Path) -> None:
    toolchain = go(tmp_path, f"""echo '{{"Dir": "{tmp_path}"}}'""")
    files = ModuleFiles(load_catalogue(data_root()), toolchain, timeout=10)
    assert files.file("kind", "go") == tmp_path / "go"
    with pytest.raises(MeshproofError, match=r"sigs\.k8s\.io/kind v\S+ ships no images/base"):
        files.file("kind", "images/base")


def test_a_registry_out_of_reach_is_not_called_a_refusal() -> None:
    reason = 'Get "https://registry.example/x/@v/v1.mod": dial tcp: lookup registry.example: i/o timeout'
    error = ModuleRefused(Refusal("x.example/x", "v1.0.0", reason), "x", "choose another version")
    assert "out of reach" in str(error) and "choose another version" not in str(error)
