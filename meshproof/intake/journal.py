"""What has been acknowledged: every accepted payload as it was sent, on disk before its sender gets an answer.

SQLite in WAL mode with synchronous=FULL: a commit is one append and one fsync, it survives kill -9 and a power cut, and
payloads that arrive together share it. Entries leave the journal when the index has committed their rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Entry", "Journal"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted request. `number` is given by the journal; `received`: ms since 1970; `body`: still compressed."""

    kind: str
    path: str
    received: int
    encoding: str
    content_type: str
    body: bytes
    number: int = 0


class Journal:
    """One thread appends, one other thread reads and removes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._writer = self._connect()
        self._writer.execute(
            "CREATE TABLE IF NOT EXISTS journal (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, path TEXT, "
            "received INTEGER, encoding TEXT, content_type TEXT, body BLOB)"
        )
        self._writer.execute("CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, content TEXT)")
        self._reader = self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, check_same_thread=False, isolation_level=None, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA journal_size_limit=67108864")
        return connection

    def append(self, entries: Sequence[Entry]) -> int:
        """Commit the entries to disk and return the number of the last one."""
        rows = [(it.kind, it.path, it.received, it.encoding, it.content_type, it.body) for it in entries]
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            self._writer.executemany(
                "INSERT INTO journal (kind, path, received, encoding, content_type, body) VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
            last = self._writer.execute("SELECT max(number) FROM journal").fetchone()[0]
            self._writer.execute("COMMIT")
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        return int(last)

    def last_number(self) -> int:
        with closing(self._connect()) as connection:
            row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
        return int(row[0]) if row else 0

    def after(self, number: int, most_bytes: int) -> list[Entry]:
        """The entries that follow `number`, in order: one if there is any, then as many as fit in the bytes."""
        entries: list[Entry] = []
        with closing(self._reader.cursor()) as cursor:
            cursor.execute(
                "SELECT kind, path, received, encoding, content_type, body, number FROM journal WHERE number > ? "
                "ORDER BY number",
                (number,),
            )
            for row in cursor:
                entries.append(Entry(*row))
                most_bytes -= len(entries[-1].body)
                if most_bytes <= 0:
                    break
        return entries

    def bytes_after(self, number: int) -> int:
        row = self._reader.execute("SELECT sum(length(body)) FROM journal WHERE number > ?", (number,)).fetchone()
        return int(row[0] or 0)

    def remove_until(self, number: int) -> None:
        self._reader.execute("DELETE FROM journal WHERE number <= ?", (number,))

    def keep(self, name: str, content: str) -> None:
        """Remember a small text across restarts."""
        with closing(self._connect()) as connection:
            connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, content))

    def kept(self, name: str) -> str | None:
        with closing(self._connect()) as connection:
            row = connection.execute("SELECT content FROM kept WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def close(self) -> None:
        self._writer.close()
        self._reader.close()
