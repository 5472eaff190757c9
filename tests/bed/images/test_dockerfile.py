"""An app's Dockerfile of the agreed shape is realised without its base images; any other is refused by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshproof.bed.images.appsources import Copy
from meshproof.bed.images.catalogue import Debian, load_catalogue
from meshproof.bed.images.dockerfile import AppRecipe, Compiled, PythonPackages, read_dockerfile
from meshproof.errors import UsageError
from meshproof.files import data_root, fixtures_folder

DEBIAN = Debian(suite="bookworm", reference="docker.io/library/debian:bookworm-slim", python="3.11")
GO_STAGE = """\
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY ./app ./app
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/app ./app
"""
PYTHON_STAGE = """\
FROM python:3.11-slim-bookworm AS packages
COPY web/requirements.txt .
RUN pip install --no-cache-dir --target /site -r requirements.txt
"""


def read(tmp_path: Path, text: str) -> AppRecipe:
    path = tmp_path / "Dockerfile"
    path.write_text(text)
    return read_dockerfile(path, DEBIAN)


def test_go_program_on_scratch(tmp_path: Path) -> None:
    recipe = read(tmp_path, GO_STAGE + 'FROM scratch\nCOPY --from=build /out/app /app\nUSER 1:1\nENTRYPOINT ["/app"]\n')
    copies = (Copy(("go.mod", "go.sum"), "./"), Copy(("app",), "./app"))
    assert recipe.stages == (Compiled("build", "/out/app", "./app", copies),)
    assert not recipe.on_debian
    assert recipe.dockerfile("scratch").splitlines() == [
        "FROM scratch",
        "COPY stages/build/out/app /app",
        "USER 1:1",
        'ENTRYPOINT ["/app"]',
    ]


def test_packages_become_layers_in_their_order(tmp_path: Path) -> None:
    install = "RUN apt-get update && apt-get install -y --no-install-recommends"
    tidy = "&& rm -rf /var/lib/apt/lists/*"
    recipe = read(tmp_path, f"FROM debian:bookworm-slim\n{install} \\\n    espeak-ng curl \\\n {tidy}\n{install} g++\n")
    assert recipe.on_debian
    assert recipe.packages == (("espeak-ng", "curl"), ("g++",))
    assert recipe.final == ()


def test_python_packages_and_sources(tmp_path: Path) -> None:
    recipe = read(
        tmp_path,
        PYTHON_STAGE
        + "FROM docker.io/library/debian:bookworm-slim\nCOPY --from=packages /site /site\nCOPY web/a.py ./b/ /app/\n",
    )
    copies = (Copy(("web/requirements.txt",), "."),)
    assert recipe.stages == (PythonPackages("packages", "/site", "requirements.txt", copies),)
    assert recipe.final == ("COPY stages/packages/site /site", "COPY apps/web/a.py apps/b /app/")
    assert recipe.copied == ("web/a.py", "b")
    assert recipe.sources == ("web/requirements.txt", "web/a.py", "b")


def test_owner_of_copied_files_is_kept(tmp_path: Path) -> None:
    recipe = read(tmp_path, "FROM debian:bookworm-slim\nCOPY --chown=1:1 . /app\n")
    assert recipe.final == ("COPY --chown=1:1 apps/. /app",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("FROM alpine:3\n", 1),
        ("FROM golang:1.26\nRUN go build -o /out/app .\nFROM scratch\n", 1),
        ("FROM golang:1.26 AS build\nRUN make\nFROM scratch\n", 2),
        ("FROM golang:1.26 AS build\nCOPY . .\nFROM scratch\n", 1),
        ("FROM node:22 AS build\nRUN npm ci\nFROM scratch\n", 2),
        (PYTHON_STAGE.replace("3.11", "3.13") + "FROM scratch\n", 1),
        ("FROM debian:bookworm-slim\n\nRUN curl -O https://example.org/x\n", 3),
        ("FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y curl\n", 2),
        ("FROM scratch\nRUN apt-get update && apt-get install -y --no-install-recommends curl\n", 2),
        (GO_STAGE + "FROM scratch\nCOPY --from=other /out/app /app\n", 7),
        (GO_STAGE.replace("./app\nRUN", "/app\nRUN") + "FROM scratch\n", 4),
        (GO_STAGE.replace("go.sum ./", "go.sum ../") + "FROM scratch\n", 3),
        (GO_STAGE.replace("COPY ./app", "COPY ../app") + "FROM scratch\n", 4),
        (GO_STAGE.replace("COPY ./app", "COPY --from=x ./app") + "FROM scratch\n", 4),
        (GO_STAGE.replace("RUN", "WORKDIR /app\nRUN") + "FROM scratch\n", 5),
        ("FROM debian:bookworm-slim\nCOPY *.py /app/\n", 2),
        ("FROM debian:bookworm-slim\nCOPY --chmod=755 a /a\n", 2),
        ("FROM debian:bookworm-slim\nHEALTHCHECK CMD true\n", 2),
    ],
)
def test_anything_else_is_refused_by_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(UsageError, match=rf"Dockerfile, line {line}: this cannot be built from source") as raised:
        read(tmp_path, text)
    assert raised.value.seen
    assert raised.value.remedy


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_dockerfile(tmp_path / "Dockerfile", DEBIAN)


def test_every_app_of_the_catalogue_can_be_built_from_source() -> None:
    catalogue = load_catalogue(data_root())
    for image in catalogue.images:
        if image.recipe.app:
            read_dockerfile(fixtures_folder() / "apps" / image.recipe.app / "Dockerfile", catalogue.debian)
