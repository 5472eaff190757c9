"""Who made what: one record a run, written before anything is created, so that a killed run can be cleaned up."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field

from meshproof.pool import Range

__all__ = ["Records", "RunRecord", "RunState", "new_run_id"]


class RunState(StrEnum):
    """`kept` clusters outlive their run; what a dead run left in any other state is reaped."""

    RUNNING = "running"
    KEPT = "kept"


class RunRecord(BaseModel):
    """One run's claim on one cluster, and what it was made with."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    cluster_name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    engine_host: str
    pid: int = Field(ge=1, lt=2**31)
    pid_created: float
    started_at: str
    state: RunState = RunState.RUNNING
    workers: int = 0
    metallb: str = ""
    kubernetes: str = ""
    datadog: str = "intake"
    tracing: str = "telemetry"
    pool: Range | None = None
    source: str = ""
    node_image: str = ""
    digests: dict[str, str] = {}

    @property
    def alive(self) -> bool:
        """Whether the process that made the claim still runs."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.pid_created) < 1
        except psutil.Error:
            return False


def new_run_id() -> str:
    """Sorts by time, fits a Kubernetes label: 20261121-101500-3fa2."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(2)


class Records:
    """The records of all runs of this state folder."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "runs"

    def claim(self, **fields: object) -> RunRecord:
        """Write this process's record."""
        record = RunRecord.model_validate(
            {
                "pid": os.getpid(),
                "pid_created": psutil.Process().create_time(),
                "started_at": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds"),
                **fields,
            }
        )
        self.write(record)
        return record

    def write(self, record: RunRecord) -> None:
        """Write or replace a record, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self._path(record.run_id).with_suffix(".new")
        temporary.write_text(record.model_dump_json(indent=2))
        temporary.replace(self._path(record.run_id))

    def drop(self, run_id: str) -> None:
        """Forget a run, of which nothing is left."""
        self._path(run_id).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[RunRecord]:
        for path in self._paths():
            record = self._read(path)
            if isinstance(record, RunRecord):
                yield record

    def unreadable(self) -> dict[Path, str]:
        """Records that say nothing, and why: cut off, or changed by somebody. They are left as they are."""
        found = {path: self._read(path) for path in self._paths()}
        return {path: why for path, why in found.items() if isinstance(why, str)}

    def of_cluster(self, name: str, engine_host: str) -> RunRecord | None:
        """The claim on a cluster of that name in that engine, if there is one."""
        matching = [r for r in self if r.cluster_name == name and r.engine_host == engine_host]
        return matching[-1] if matching else None

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"))

    @staticmethod
    def _read(path: Path) -> RunRecord | str | None:
        """The record, or why it cannot be read; None when another run has dropped it just now."""
        try:
            record = RunRecord.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            return error.strerror or type(error).__name__
        except ValueError as error:
            return str(error).splitlines()[0]
        # What is done to a run is done to the folder of its name.
        return record if record.run_id == path.stem else f"it is the record of run {record.run_id}"

    def _path(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.json"
