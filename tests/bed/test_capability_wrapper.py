"""The runtime wrapper takes out one capability and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from meshproof.bed import capability_wrapper as wrapper
from meshproof.bed.machine import CAP_SYS_RESOURCE, has_capability

SETS = {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"], "effective": ["CAP_SYS_RESOURCE", "CAP_KILL"]}


def test_container_specification(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"root": {"path": "r"}, "process": {"args": ["sh"], "capabilities": SETS}}))
    wrapper.rewrite(config, is_process=False)
    content = json.loads(config.read_text())
    assert content["process"]["capabilities"] == {"bounding": ["CAP_CHOWN"], "effective": ["CAP_KILL"]}
    assert content["root"] == {"path": "r"}
    assert content["process"]["args"] == ["sh"]


def test_exec_specification_without_capabilities(tmp_path: Path) -> None:
    process = tmp_path / "process.json"
    process.write_text(json.dumps({"args": ["ls"], "capabilities": None}))
    wrapper.rewrite(process, is_process=True)
    assert json.loads(process.read_text()) == {"args": ["ls"], "capabilities": None}


def test_options_are_read_in_both_spellings() -> None:
    assert wrapper.option(["create", "--bundle", "/b", "id"], "--bundle", "-b") == "/b"
    assert wrapper.option(["create", "--bundle=/b", "id"], "--bundle", "-b") == "/b"
    assert wrapper.option(["create", "id"], "--bundle", "-b") is None


def test_bounding_set_is_read_bit_by_bit(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tx\nCapBnd:\t000001fffeffffff\n")
    assert not has_capability(CAP_SYS_RESOURCE, status)
    assert has_capability(CAP_SYS_RESOURCE - 1, status)
