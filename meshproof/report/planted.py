"""Search folders for secrets that must not be there: `python -m meshproof.report.planted FOLDER ...`.

After a run with keys in the environment, with the same environment:

    DD_API_KEY=... DD_APP_KEY=... tox -e e2e
    DD_API_KEY=... DD_APP_KEY=... python -m meshproof.report.planted reports ~/.local/state/meshproof

Looks for the values of the named variables, by default for all that are named like secrets, as they are and in base64,
also in compressed files. With `--kubeconfig FILE` also for the values of all Secrets of the cluster that are called
keys, tokens or passwords. Exit code 0: nothing found; 1: found; 2: nothing to look for or nowhere to look.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from meshproof.errors import MeshproofError, UsageError
from meshproof.kube import Cluster
from meshproof.secrecy import hidden, is_secret_name, shown

__all__ = ["main", "searched"]

_SHORTEST = 8


def searched(secrets: Mapping[str, str], folders: Iterable[Path]) -> list[str]:
    """Where the secrets are, by name and never by value: "DD_API_KEY: reports/x/results.json, as it is"."""
    forms = [(name, how, form) for name, secret in secrets.items() for how, form in _forms(secret)]
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            words = str(path).encode(errors="surrogateescape")
            if path.is_file() and not path.is_symlink():
                words += b"\n" + b"\n".join(_contents(path))
            found += [f"{name}: {hidden(str(path))}, {how}" for name, how, form in forms if form in words]
    return found


def _forms(secret: str) -> Iterator[tuple[str, bytes]]:
    data = secret.encode(errors="surrogateescape")
    yield "as it is", data
    escaped = json.dumps(secret, ensure_ascii=False)[1:-1].encode(errors="surrogateescape")
    if escaped != data:
        yield "as in JSON", escaped
    quoted = quote(secret, safe="", errors="surrogateescape").encode()
    if quoted != data:
        yield "as in a URL", quoted
    # In the middle of something longer: what does not depend on the bytes beside it, for each of three places.
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + data)
        yield "in base64", coded[(0, 2, 3)[shift] : 8 * (shift + len(data)) // 6]


def _contents(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    try:
        if data.startswith(b"\x1f\x8b"):
            yield gzip.decompress(data)
        elif data.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(path) as archive:
                yield from (archive.read(name) for name in archive.namelist())
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile):
        return  # it only looks compressed


def main(words: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m meshproof.report.planted", description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--variable", action="append", metavar="NAME", help="an environment variable to look for")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="look for the Secrets of this cluster, too")
    given = parser.parse_args(words)
    try:
        secrets = _of_environment(given.variable) | (_of_cluster(given.kubeconfig) if given.kubeconfig else {})
        if missing := [folder for folder in given.folders if not folder.exists()]:
            raise UsageError("there is nothing to search", seen=missing[0], remedy="name a folder or file that exists")
        if not secrets:
            raise UsageError("there is no secret to look for", seen="none set", remedy="name one with --variable")
    except MeshproofError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    found = searched(secrets, given.folders)
    print(*found, f"{len(secrets)} secrets looked for ({', '.join(secrets)}): found {len(found)} times", sep="\n")
    return 1 if found else 0


def _of_environment(names: list[str] | None) -> dict[str, str]:
    chosen = names or [name for name, value in os.environ.items() if is_secret_name(name) and len(value) >= _SHORTEST]
    for name in chosen:
        if len(os.environ.get(name, "")) < _SHORTEST:
            seen = "not set" if name not in os.environ else f"fewer than {_SHORTEST} characters"
            raise UsageError(f"--variable {shown(name)[1:-1]} has no value to look for", seen=seen, remedy="set it")
    return {name: os.environ[name] for name in chosen}


def _of_cluster(kubeconfig: Path) -> dict[str, str]:
    with Cluster(kubeconfig) as cluster:
        return {
            f"Secret {secret['metadata']['namespace']}/{secret['metadata']['name']} {name}": value
            for secret in cluster.list("Secret", api_version="v1")
            for name, coded in (secret.get("data") or {}).items()
            if is_secret_name(name)
            and len(value := base64.b64decode(coded).decode(errors="surrogateescape")) >= _SHORTEST
        }


if __name__ == "__main__":
    sys.exit(main())
