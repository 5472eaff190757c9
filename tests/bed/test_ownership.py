"""A run's record tells whose a cluster is and whether its run still lives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from meshproof.bed.ownership import Records, RunState, new_run_id


def claim(records: Records, **changes: object):
    fields = {"run_id": new_run_id(), "cluster_name": "c", "engine_host": "unix:///e"}
    return records.claim(**{**fields, **changes})


def test_own_record_is_alive(tmp_path: Path) -> None:
    assert claim(Records(tmp_path)).alive


def test_record_of_a_process_that_ended_is_dead(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = claim(Records(tmp_path), pid=process.pid, pid_created=psutil.Process(process.pid).create_time())
    assert record.alive
    process.communicate(b"\n")
    assert not record.alive


def test_process_id_that_was_given_to_somebody_else_is_dead(tmp_path: Path) -> None:
    assert not claim(Records(tmp_path), pid_created=psutil.Process().create_time() - 100).alive


def test_cluster_is_found_by_name_and_engine(tmp_path: Path) -> None:
    records = Records(tmp_path)
    mine = claim(records)
    claim(records, cluster_name="other")
    claim(records, engine_host="unix:///elsewhere")
    assert records.of_cluster("c", "unix:///e") == mine
    records.drop(mine.run_id)
    assert records.of_cluster("c", "unix:///e") is None


def test_state_survives_rewriting(tmp_path: Path) -> None:
    records = Records(tmp_path)
    record = claim(records)
    records.write(record.model_copy(update={"state": RunState.KEPT}))
    assert [r.state for r in records] == [RunState.KEPT]


def test_half_written_record_is_no_record(tmp_path: Path) -> None:
    records = Records(tmp_path)
    record = claim(records)
    (records.folder / "broken.json").write_text('{"run_id":')
    assert list(records) == [record]
