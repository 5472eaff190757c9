"""Rows in a Parquet file, with the facts of their run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from meshproof.errors import UsageError
from meshproof.load.rows import Row, Rows

__all__ = ["read_facts", "read_rows", "write_rows"]

_TIMES = ("intended", "start", "end")
_NUMBERS = {"status": "SMALLINT", "connection": "BIGINT", "user": "BIGINT", "bytes": "BIGINT"}


def write_rows(rows: Rows, file: Path, facts: Mapping[str, Any] | None = None) -> None:
    """Times become timestamps (UTC, microseconds); `facts` go, as JSON, into the file's metadata under "meshproof".

    The file appears as a whole or not at all. Raises UsageError when it cannot be written.
    """
    import duckdb  # not before Locust's processes have parted

    columns = {field.name: _stored(getattr(rows, field.name)) for field in fields(rows)}
    shown = ", ".join(_selected(name) for name in Row._fields)
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as database:
            database.register("columns_of_rows", columns)
            metadata = json.dumps(dict(facts or {}), default=str).replace("'", "''")
            database.execute(
                f"COPY (SELECT {shown} FROM columns_of_rows) TO {_quoted(unfinished)} "  # noqa: S608
                f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{meshproof: '{metadata}'}})"
            )
        unfinished.rename(file)
    except (OSError, duckdb.Error) as error:
        raise UsageError(f"the rows cannot be written to {file}", seen=error, remedy="give another --rows") from error


def read_rows(file: Path) -> Rows:
    """What write_rows wrote."""
    import duckdb

    shown = ", ".join(f'epoch_us("{name}") AS "{name}"' if name in _TIMES else f'"{name}"' for name in Row._fields)
    with duckdb.connect() as database:
        found = database.execute(f"SELECT {shown} FROM {_quoted(file)}").fetchnumpy()  # noqa: S608
    return Rows(*(_loaded(found[name], name) for name in Row._fields))


def read_facts(file: Path) -> dict[str, Any]:
    """The facts that were written with the rows."""
    import duckdb

    with duckdb.connect() as database:
        query = f"SELECT value FROM parquet_kv_metadata({_quoted(file)}) WHERE key = 'meshproof'"  # noqa: S608
        found = database.execute(query).fetchone()
    return dict(json.loads(found[0])) if found else {}


def _selected(name: str) -> str:
    if name in _TIMES:
        return f'make_timestamp("{name}") AS "{name}"'
    return f'CAST("{name}" AS {_NUMBERS.get(name, "VARCHAR")}) AS "{name}"'


def _quoted(file: Path) -> str:
    return "'" + str(file).replace("'", "''") + "'"


def _stored(column: Any) -> Any:
    # A column without any text would have no type that DuckDB can guess.
    return column if column.dtype != np.object_ else np.ma.array(column, mask=[value is None for value in column])


def _loaded(column: Any, name: str) -> Any:
    if name in ("version", "error", "revision"):
        texts = np.ma.getdata(column).astype(np.object_)
        texts[np.ma.getmaskarray(column)] = None
        return texts
    return np.asarray(column, dtype=np.int64)
