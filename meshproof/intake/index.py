"""The searchable store: DuckDB, one table each for spans, logs, metrics, sketches and documents.

Why DuckDB and not SQLite: every attribute has to be searchable, with wildcards in the middle, over a million events
and without knowing the names beforehand. A column for each attribute, scanned by a column store, answers that in a few
tens of milliseconds and needs no index; a row store reads the whole million rows (about 1 GB) for one attribute.
What is acknowledged does not rest on it: that is the journal's part (SQLite: one small durable write for a payload).
Rows and the journal number that they came from are committed together, so nothing is lost or doubled by a kill.
"""

# ruff: noqa: S608 - names in the SQL are ours or quoted; values are bound.
from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any

import duckdb
import numpy as np

from meshproof.intake.limits import Limits
from meshproof.intake.rows import LOG_COLUMNS, SPAN_COLUMNS, EventRows, Value

__all__ = ["Batch", "Index", "quoted"]

_METRIC_COLUMNS = {
    "timestamp": "BIGINT",  # seconds
    "metric": "VARCHAR",
    "type": "VARCHAR",
    "value": "DOUBLE",
    "host": "VARCHAR",
    "tags": "VARCHAR",
    "unit": "VARCHAR",
    "interval": "BIGINT",
}
_SKETCH_COLUMNS = {
    "timestamp": "BIGINT",
    "metric": "VARCHAR",
    "host": "VARCHAR",
    "tags": "VARCHAR",
    "count": "DOUBLE",
    "sum": "DOUBLE",
    "min": "DOUBLE",
    "max": "DOUBLE",
    "bins": "VARCHAR",  # JSON: [[value, weight], ...]
}
_DOCUMENT_COLUMNS = {
    "received": "BIGINT",
    "kind": "VARCHAR",
    "path": "VARCHAR",
    "host": "VARCHAR",
    "name": "VARCHAR",
    "tags": "VARCHAR",
    "content": "VARCHAR",
}
_TABLES = {
    "spans": SPAN_COLUMNS,
    "logs": LOG_COLUMNS,
    "metrics": _METRIC_COLUMNS,
    "sketches": _SKETCH_COLUMNS,
    "documents": _DOCUMENT_COLUMNS,
}
_NUMPY = {"BIGINT": np.int64, "UBIGINT": np.uint64, "DOUBLE": np.float64, "BOOLEAN": np.bool_, "INTEGER": np.int32}
# A fifth of the oldest rows goes at once: DuckDB frees whole row groups only.
_PRUNED_SHARE = 0.2
_ROWS_OF_TWO_GROUPS = 250_000


class Batch:
    """What one commit brings: rows of every table."""

    def __init__(self) -> None:
        self.spans = EventRows()
        self.logs = EventRows()
        self.metrics: list[Sequence[object]] = []
        self.sketches: list[Sequence[object]] = []
        self.documents: list[Sequence[object]] = []

    def __len__(self) -> int:
        plain = len(self.metrics) + len(self.sketches) + len(self.documents)
        return len(self.spans.fixed) + len(self.logs.fixed) + plain


class Index:
    """One writer (`add`), any number of readers (`query`), from any thread."""

    def __init__(self, file: Path, limits: Limits) -> None:
        self._limits = limits
        self._lock = RLock()
        self._connection = duckdb.connect(
            str(file),
            config={
                "memory_limit": f"{limits.index_memory // 1024}KiB",
                "threads": 2,
                "enable_external_access": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        self._create()
        self._columns = {table: self._attribute_columns(table) for table in ("spans", "logs")}
        self._next = {table: self._number(f"SELECT coalesce(max(seq), 0) + 1 FROM {table}") for table in _TABLES}
        self.dropped = {
            table: self._number("SELECT coalesce(sum(rows), 0) FROM dropped WHERE name = ?", table) for table in _TABLES
        }
        self._since_prune = 0

    def _create(self) -> None:
        for table, columns in _TABLES.items():
            declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table} (seq BIGINT, {declared})")
        for table in ("spans", "logs"):
            self._connection.execute(f'ALTER TABLE {table} ADD COLUMN IF NOT EXISTS "more" VARCHAR')
        self._connection.execute("CREATE TABLE IF NOT EXISTS progress (journal BIGINT)")
        self._connection.execute("CREATE TABLE IF NOT EXISTS dropped (name VARCHAR, rows BIGINT)")

    def _attribute_columns(self, table: str) -> set[str]:
        rows = self._connection.execute("SELECT name FROM pragma_table_info(?)", [table]).fetchall()
        return {name for (name,) in rows if name[0] in "@#"}

    def _number(self, statement: str, *values: object) -> int:
        row = self._connection.cursor().execute(statement, list(values)).fetchone()
        return int(row[0]) if row else 0

    @property
    def journal_number(self) -> int:
        """The last entry of the journal that is searchable."""
        return self._number("SELECT coalesce(max(journal), 0) FROM progress")

    def attribute_columns(self, table: str) -> frozenset[str]:
        """`@name` for each text attribute that has a column, `#name` for each number."""
        return frozenset(self._columns[table])

    def query(self, statement: str, values: Iterable[object] = ()) -> list[dict[str, Any]]:
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement, list(values))
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        finally:
            cursor.close()

    def add(self, batch: Batch, journal: int) -> None:
        """Commit all rows of `batch`, which come from the journal up to entry number `journal`."""
        with self._lock:
            frames = self._frames(batch)
            for table, frame in frames:
                self._connection.register(
                    f"new_{table}", {f"c{number}": it for number, it in enumerate(frame.values())}
                )
            self._connection.execute("BEGIN")
            try:
                for table, frame in frames:
                    names = ", ".join(quoted(name) for name in frame)
                    chosen = ", ".join(f"c{number}" for number in range(len(frame)))
                    self._connection.execute(f"INSERT INTO {table} ({names}) SELECT {chosen} FROM new_{table}")
                self._connection.execute("DELETE FROM progress")
                self._connection.execute("INSERT INTO progress VALUES (?)", [journal])
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                for table, _ in frames:
                    self._connection.unregister(f"new_{table}")
            self._since_prune += len(batch)
            if self._since_prune > 100_000:
                self._since_prune = 0
                self.prune()

    def _frames(self, batch: Batch) -> list[tuple[str, dict[str, np.ndarray[Any, Any]]]]:
        frames = []
        for table, rows in (("spans", batch.spans), ("logs", batch.logs)):
            if rows.fixed:
                frames.append((table, self._events(table, rows)))
        for table, plain in (("metrics", batch.metrics), ("sketches", batch.sketches), ("documents", batch.documents)):
            if plain:
                frames.append((table, _columns(_TABLES[table], plain)))
        for table, frame in frames:
            count = len(next(iter(frame.values())))
            frame["seq"] = np.arange(self._next[table], self._next[table] + count)
            self._next[table] += count
        return frames

    def _events(self, table: str, rows: EventRows) -> dict[str, np.ndarray[Any, Any]]:
        frame = _columns(_TABLES[table], rows.fixed)
        count = len(rows.fixed)
        overflow: dict[int, dict[str, Value]] = {}
        for name, values in rows.attributes.items():
            texts = self._cells(table, f"@{name}", frame, count, any(isinstance(value, str) for _, value in values))
            figures = self._cells(table, f"#{name}", frame, count, any(isinstance(value, float) for _, value in values))
            for numbers, value in values:
                cells = texts if isinstance(value, str) else figures
                if cells is None:
                    for number in numbers:
                        overflow.setdefault(number, {})[name] = value
                elif len(numbers) == 1:
                    cells[numbers[0]] = value
                else:
                    cells[numbers] = value
        if overflow:
            more = frame["more"] = np.full(count, None, dtype=object)
            for number, attributes in overflow.items():
                more[number] = json.dumps(attributes)
        return frame

    def _cells(
        self, table: str, column: str, frame: dict[str, np.ndarray[Any, Any]], count: int, wanted: bool
    ) -> np.ndarray[Any, Any] | None:
        if not wanted or not self._has_column(table, column):
            return None
        cells = frame[column] = np.full(count, None, dtype=object)
        return cells

    def _has_column(self, table: str, column: str) -> bool:
        known = self._columns[table]
        if column in known:
            return True
        # DuckDB compares column names without case; a name that differs only by case stays in `more`.
        if len(known) >= self._limits.attributes or any(column.lower() == other.lower() for other in known):
            return False
        if len(column) > 200 or "\0" in column:
            return False
        kind = "VARCHAR" if column[0] == "@" else "DOUBLE"
        self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {quoted(column)} {kind}")
        known.add(column)
        return True

    def bytes_on_disk(self) -> int:
        row = self.query("SELECT used_blocks * block_size AS used FROM pragma_database_size()")[0]
        return int(row["used"])

    def count(self, table: str) -> int:
        return self._number(f"SELECT count(*) FROM {table}")

    def prune(self) -> None:
        """Drop the oldest rows while the file is over its bound; what goes is counted in `dropped`."""
        with self._lock:
            self._connection.execute("CHECKPOINT")
            for _ in range(20):
                if self.bytes_on_disk() <= self._limits.index:
                    return
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        for table in _TABLES:
            row = self.query(f"SELECT min(seq) AS first, max(seq) AS last FROM {table}")[0]
            if row["first"] is None:
                continue
            until = row["first"] + max(1, int((row["last"] - row["first"] + 1) * _PRUNED_SHARE))
            gone = self._number(f"SELECT count(*) FROM {table} WHERE seq < ?", until)
            self._connection.execute(f"DELETE FROM {table} WHERE seq < ?", [until])
            self._connection.execute("INSERT INTO dropped VALUES (?, ?)", [table, gone])
            self.dropped[table] += gone
            if row["last"] - until < _ROWS_OF_TWO_GROUPS:
                # Too few for DuckDB to free a whole row group: what is left is written anew.
                self._connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table}")
        self._connection.execute("CHECKPOINT")

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _columns(kinds: dict[str, str], rows: Sequence[Sequence[object]]) -> dict[str, np.ndarray[Any, Any]]:
    frame: dict[str, np.ndarray[Any, Any]] = {}
    for (name, kind), cells in zip(kinds.items(), zip(*rows, strict=True), strict=True):
        if kind in _NUMPY:
            frame[name] = np.array(cells, dtype=_NUMPY[kind])
        else:
            frame[name] = np.empty(len(cells), dtype=object)
            frame[name][:] = cells
    return frame
