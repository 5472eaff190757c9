"""A build context is streamed as a tar that does not depend on the machine."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from meshproof.bed.images.container import Context


def written(context: Context) -> bytes:
    stream = io.BytesIO()
    context.write(stream)
    return stream.getvalue()


def entries(context: Context) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(written(context))) as tar:
        return {entry.name: entry for entry in tar}


def test_files_folders_links_and_modes(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "data").write_text("abc")
    program = tmp_path / "program"
    program.write_text("x")
    program.chmod(0o700)
    (tmp_path / "link").symlink_to("program")
    context = Context("FROM scratch\n")
    context.add("root", tmp_path)
    context.add("note", "text", executable=True)
    found = entries(context)
    assert set(found) == {"Dockerfile", "note", "root/link", "root/program", "root/sub/data"}
    assert (found["root/program"].mode, found["root/sub/data"].mode, found["note"].mode) == (0o755, 0o644, 0o755)
    assert found["root/link"].linkname == "program"
    assert found["root/sub/data"].size == 3


def test_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    results = []
    for name in ("one", "two"):
        file = tmp_path / name / "file"
        file.parent.mkdir()
        file.write_text("same")
        context = Context("FROM scratch\n")
        context.add("file", file)
        results.append(written(context))
    assert results[0] == results[1]
