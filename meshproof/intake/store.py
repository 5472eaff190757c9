"""The journal and the index as one: accepted payloads are on disk at once, and searchable shortly after.

Indexing waits until senders pause, unless a search waits for it or much has gathered: a burst is acknowledged at full
speed, and a search always sees everything that was acknowledged before it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Condition, Thread
from typing import Any

import duckdb

from meshproof.intake.documents import raw_document
from meshproof.intake.index import Batch, Index
from meshproof.intake.journal import Entry, Journal
from meshproof.intake.limits import Limits
from meshproof.intake.logs import Log
from meshproof.intake.matching import log_matcher
from meshproof.intake.payloads import decode
from meshproof.intake.pipelines import compile_pipelines
from meshproof.intake.rejections import Rejected

__all__ = ["Store"]

_QUIET_SECONDS = 0.1
_MUCH = 16 * 1024 * 1024
_READ_BYTES = 4 * 1024 * 1024
_ROWS_OF_A_COMMIT = 20_000
_ROWS_OF_A_SMALL_COMMIT = 4_000  # senders that come back do not wait long for its end
_RETRY_SECONDS = 1.0
_SETTLE_SECONDS = 30.0
# Not the payload's fault: a full disk, no memory. It may pass, so the payload is tried again.
_PASSING = (OSError, MemoryError, sqlite3.Error, duckdb.IOException, duckdb.OutOfMemoryException)

log = logging.getLogger(__name__)


class Store:
    """Opens (or makes) the files in `folder`. Whatever was acknowledged before is there, also after a kill."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.limits = limits
        self.counts: Counter[str] = Counter()
        self._journal = Journal(folder / "journal.sqlite")
        try:
            self.index = Index(folder / "index.duckdb", limits)
        except BaseException:
            self._journal.close()
            raise
        self._pipelines: list[dict[str, Any]] = json.loads(self._journal.kept("pipelines") or "[]")
        self._pipeline = compile_pipelines(self._pipelines, log_matcher)
        self._indexed = self.index.journal_number
        self._accepted = max(self._journal.last_number(), self._indexed)
        self._backlog = self._journal.bytes_after(self._indexed)
        self._waiting = 0
        self._closing = False
        self._changed = Condition()
        self._queue: SimpleQueue[tuple[Entry, Future[None]] | None] = SimpleQueue()
        self._committer = Thread(target=self._commit_all, name="intake-journal", daemon=True)
        self._indexer = Thread(target=self._index_all, name="intake-index", daemon=True)
        self._committer.start()
        self._indexer.start()

    # --- accepting

    def accept(self, entry: Entry) -> Future[None]:
        """Done when the payload is on disk. Raises Rejected (503) while too much is not yet searchable."""
        if self._backlog > self.limits.backlog:
            raise Rejected(503, "backlog", "more was sent than can be indexed now: send it again later")
        future: Future[None] = Future()
        self._queue.put((entry, future))
        return future

    def _commit_all(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            stop = False
            while not self._queue.empty() and len(group) < 256:
                following = self._queue.get()
                if following is None:
                    stop = True
                    break
                group.append(following)
            self._commit(group)
            if stop:
                return

    def _commit(self, group: Sequence[tuple[Entry, Future[None]]]) -> None:
        # A request that was given up meanwhile gets no answer, so it is not kept either.
        group = [(entry, future) for entry, future in group if future.set_running_or_notify_cancel()]
        if not group:
            return
        try:
            number = self._journal.append([entry for entry, _ in group])
        except Exception as error:
            log.exception("the journal cannot be written")
            for _, future in group:
                future.set_exception(Rejected(503, "journal", f"the journal cannot be written: {error}"))
            return
        with self._changed:
            self._accepted = number
            self._backlog += sum(len(entry.body) for entry, _ in group)
            self._changed.notify_all()
        for _, future in group:
            future.set_result(None)

    # --- indexing

    def _index_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._accepted > self._indexed)
                if self._closing:
                    return
                if not self._pause_of_senders():
                    continue
            try:
                self._index_some()
            except Exception:
                # Nothing is lost: the journal still has it. A full disk or the like may pass.
                log.exception("the index cannot be written; trying again")
                self.counts["index_failures"] += 1
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, timeout=_RETRY_SECONDS)

    def _pause_of_senders(self) -> bool:
        """Whether nothing came for a moment. Waits for that moment now: indexing itself keeps senders waiting."""
        seen = self._accepted
        if not self._changed.wait_for(self._is_urgent, timeout=_QUIET_SECONDS):
            return self._accepted == seen
        return True

    def _is_urgent(self) -> bool:
        return self._closing or self._waiting > 0 or self._backlog > _MUCH

    def _index_some(self) -> None:
        batch = Batch()
        taken: list[Entry] = []
        try:
            for entry in self._journal.after(self._indexed, _READ_BYTES):
                taken.append(entry)
                decode(entry, self.limits, self._pipeline, batch)
                if len(batch) >= (_ROWS_OF_A_COMMIT if self._is_urgent() else _ROWS_OF_A_SMALL_COMMIT):
                    break
            self._add(taken, batch)
        except _PASSING:
            raise
        except Exception:
            log.exception("payloads cannot be indexed together; one by one now")
            for entry in taken:
                self._index_alone(entry)

    def _index_alone(self, entry: Entry) -> None:
        try:
            batch = Batch()
            decode(entry, self.limits, self._pipeline, batch)
            self._add([entry], batch)
        except _PASSING:
            raise
        except Exception:
            # It was acknowledged, so it stays, as a document, and the status page tells.
            log.exception("an accepted payload of %s cannot be indexed", entry.path)
            self.counts["undecodable"] += 1
            batch = Batch()
            kind, *rest = raw_document("undecodable", entry.body, entry.content_type, len(entry.body))
            batch.documents.append((entry.received, kind, entry.path, *rest))
            self._add([entry], batch)

    def _add(self, entries: Sequence[Entry], batch: Batch) -> None:
        number = entries[-1].number
        self.index.add(batch, number)
        self.counts["bad_attributes"] += batch.spans.bad_attributes
        with self._changed:
            self._indexed = number
            self._backlog -= sum(len(entry.body) for entry in entries)
            self._changed.notify_all()
        self._journal.remove_until(number)

    def settle(self, timeout: float = _SETTLE_SECONDS) -> None:
        """Wait until everything accepted up to now is searchable. Raises Rejected (503) when it takes longer."""
        with self._changed:
            goal = self._accepted
            self._waiting += 1
            self._changed.notify_all()
            try:
                settled = self._changed.wait_for(lambda: self._closing or self._indexed >= goal, timeout)
            finally:
                self._waiting -= 1
        if not settled:
            raise Rejected(503, "indexing", f"what was sent is not all searchable after {timeout:g} s: ask again")

    # --- pipelines

    @property
    def pipelines(self) -> list[dict[str, Any]]:
        return list(self._pipelines)

    def set_pipelines(self, definitions: Sequence[Mapping[str, Any]]) -> None:
        """Applies to logs from now on, and across restarts. Raises Rejected (400) for what is not supported."""
        pipeline: Callable[[Log], None] = compile_pipelines(definitions, log_matcher)
        self._pipelines = [dict(definition) for definition in definitions]
        self._pipeline = pipeline
        self._journal.keep("pipelines", json.dumps(self._pipelines))

    # --- state

    def status(self) -> dict[str, Any]:
        tables = ("spans", "logs", "metrics", "sketches", "documents")
        return {
            "stored": {table: self.index.count(table) for table in tables},
            "dropped_oldest": dict(self.index.dropped),
            "index_bytes": self.index.bytes_on_disk(),
            "backlog_bytes": self._backlog,
            "accepted_payloads": self._accepted,
            "searchable_payloads": self._indexed,
            "bounds": self.limits.model_dump(),
            **self.counts,
        }

    def close(self) -> None:
        """Finish what is being written. What is accepted and not yet searchable stays in the journal."""
        self._queue.put(None)
        self._committer.join()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._indexer.join()
        self.index.close()
        self._journal.close()
