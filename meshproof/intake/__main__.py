"""`python -m meshproof.intake`: an intake for anybody's agent, until Ctrl-C."""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from meshproof.errors import MeshproofError, UsageError
from meshproof.intake.server import IntakeSettings, serve

__all__ = ["main"]


def intake(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8080,
    data: Annotated[Path, typer.Option(help="Folder for what is received.")] = Path("intake-data"),
    key_file: Annotated[
        Path | None, typer.Option(help="File with the API key; else DD_API_KEY, else a new one.")
    ] = None,
    pipelines: Annotated[Path | None, typer.Option(help="YAML or JSON file with log pipelines.")] = None,
    tracers: Annotated[bool, typer.Option(help="Take traces of tracers, which have no key.")] = False,
) -> None:
    """Receive what Datadog's agents send, and answer Datadog's API client.

    The API key is never an option: options are seen in process lists.
    """
    key, source = _key(data, key_file)
    settings = IntakeSettings(data, host, port, key, pipelines=_pipelines(pipelines), tracers=tracers)
    serve(settings, lambda address: print(f"intake on {address}, data in {data}, API key in {source}", flush=True))


def _key(data: Path, key_file: Path | None) -> tuple[str, str]:
    if key_file is None and os.environ.get("DD_API_KEY"):
        return os.environ["DD_API_KEY"].strip(), "DD_API_KEY"
    file = key_file or data / "api-key"
    try:
        if key_file is None and not file.exists():
            data.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
                made.write(secrets.token_hex(16))
        key = file.read_text().strip()
    except OSError as error:
        raise UsageError("the API key cannot be read", seen=f"{file}: {error.strerror}") from error
    if not key:
        raise UsageError("the API key is empty", seen=file, remedy="write a key into the file")
    return key, str(file)


def _pipelines(file: Path | None) -> list[dict[str, Any]] | None:
    if file is None:
        return None
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UsageError("the log pipelines cannot be read", seen=f"{file}: {error}") from error
    found = content if isinstance(content, list) else [content]
    if not all(isinstance(it, dict) for it in found):
        raise UsageError("the log pipelines are not a list of objects", seen=json.dumps(content, default=str)[:200])
    return found


def main() -> None:
    try:
        typer.run(intake)
    except MeshproofError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
