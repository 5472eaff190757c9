"""Pods that write what they are told, and other settings for the agents."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from meshproof.errors import InvalidMeasurement
from meshproof.kube import ExecFailed, ExecResult
from meshproof.observability.agent_settings import with_variable
from meshproof.observability.sentinels import Stream, sentinels_in
from meshproof.observability.writers import Writer, all_at_once, writer_pod, writing
from meshproof.timeouts import Timeouts


@dataclass
class LocalPod:
    """Runs a pod's commands here; the output of process 1 is a file."""

    output: str
    failure: Exception | None = None
    calls: list[str] = field(default_factory=list)
    timeouts: Timeouts = field(default_factory=Timeouts)

    def execute(self, namespace, pod, argv, *, container=None, stdin=None, timeout=None):
        if self.failure:
            raise self.failure
        self.calls.append(f"{namespace}/{pod}/{container}")
        here = [word.replace("> /proc/1/fd/1", f">> {self.output}") for word in argv]
        done = subprocess.run(here, input=stdin, capture_output=True, check=False)
        return ExecResult(done.stdout, done.stderr, done.returncode)


@pytest.fixture
def pod(tmp_path) -> LocalPod:
    return LocalPod(str(tmp_path / "log"))


def written(pod: LocalPod) -> list[str]:
    return Path(pod.output).read_bytes().decode().split("\n")[:-1]


LINES = ["plain", "", "  % $HOME `id` \\n 'quoted' \"too\"", "Grüße, 日本 🚀", "x" * 70_000]


def test_lines_are_written_as_they_are(pod):
    Writer(pod, "apps", "writer").write(LINES)
    assert written(pod) == LINES
    assert pod.calls == ["apps/writer/writer"]


def test_lines_written_slowly_are_the_same(pod):
    Writer(pod, "apps", "writer").write_slowly(LINES, per_second=10_000)
    assert written(pod) == LINES


def test_a_pod_that_cannot_write_is_no_measurement(pod):
    pod.failure = ExecFailed("cannot run sh", seen="no such pod")
    with pytest.raises(InvalidMeasurement, match="apps/writer cannot write"):
        Writer(pod, "apps", "writer").write(["line"])


def test_a_write_that_fails_is_no_measurement(pod, tmp_path):
    pod.output = str(tmp_path / "no-such-folder" / "log")
    with pytest.raises(InvalidMeasurement, match="cannot write"):
        Writer(pod, "apps", "writer").write(["line"])


def test_a_steady_writer_counts_what_it_wrote(pod):
    with writing(Writer(pod, "apps", "writer"), Stream("mp1", "apps/writer")) as steady:
        while steady.count < 10:
            time.sleep(0.01)
    assert [sentinels_in(line)[0].sequence for line in written(pod)] == list(range(1, steady.count + 1))


def test_a_steady_writer_that_fails_is_told_at_the_end(pod):
    pod.failure = ExecFailed("cannot run sh")
    with pytest.raises(InvalidMeasurement), writing(Writer(pod, "apps", "writer"), Stream("mp1", "s")):
        pass


def test_all_jobs_are_run_and_errors_told():
    ran = []
    with pytest.raises(KeyError):
        all_at_once([lambda: {}["x"], lambda: ran.append(1)])
    assert ran == [1]


def test_a_pod_can_be_put_on_a_node_and_see_its_logs():
    spec = writer_pod("apps", "w", node="node-1", sees_node_logs=True)["spec"]
    assert spec["nodeName"] == "node-1"
    assert spec["volumes"][0]["hostPath"] == {"path": "/var/log/pods"}


AGENT = {
    "spec": {
        "override": {
            "nodeAgent": {"annotations": {"a": "b"}, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
        }
    }
}


def test_a_variable_is_changed_in_its_place():
    changed = with_variable(AGENT, "A", "3")["spec"]["override"]["nodeAgent"]
    assert changed["env"] == [{"name": "A", "value": "3"}, {"name": "B", "value": "2"}]
    assert changed["annotations"] == {"a": "b"}


def test_a_variable_can_be_added_and_removed():
    assert with_variable({"spec": {}}, "A", "3")["spec"]["override"]["nodeAgent"]["env"] == [
        {"name": "A", "value": "3"}
    ]
    assert with_variable(AGENT, "A", None)["spec"]["override"]["nodeAgent"]["env"] == [{"name": "B", "value": "2"}]


def test_a_variable_of_one_container_is_changed_there():
    agent = {"containers": {"agent": {"env": [{"name": "A", "value": "1"}]}}}
    changed = with_variable({"spec": {"override": {"nodeAgent": agent}}}, "A", "3")["spec"]["override"]["nodeAgent"]
    assert changed["containers"]["agent"]["env"] == [{"name": "A", "value": "3"}]
    assert "env" not in changed
