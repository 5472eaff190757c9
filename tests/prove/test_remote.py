"""A lane's bench in a process of its own: it does what a bench does, and whatever ends it, nothing stays broken."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from small_cluster import SmallCluster, path_of
from small_mutants import a_mutant

from meshproof.bed.lifecycle import Bed
from meshproof.errors import MeshproofError
from meshproof.kube import Cluster
from meshproof.mend.undoing import NotMended
from meshproof.mesh import Mesh
from meshproof.prove import journal
from meshproof.prove.matrix import Mark
from meshproof.prove.mutants import Mutant
from meshproof.prove.phases import Phase
from meshproof.prove.remote import Place, RemoteBench
from meshproof.settings import load_settings
from meshproof.stack import Installed
from meshproof.waiting import eventually

SUITE = """
import pathlib, time

def test_label(mesh):
    labels = mesh.cluster.get("StorageClass", "fast", api_version="storage.k8s.io/v1")["metadata"]["labels"]
    assert labels == {"zone": "a"}, f"the class has {labels}"

def test_slow(mesh):
    pathlib.Path(__file__).with_name("began").touch()
    time.sleep(600)
"""
STORAGE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "fast", "labels": {"zone": "a"}},
    "provisioner": "disks.example",
}


def mutant(test: str = "test_label") -> Mutant:
    changed = {**STORAGE, "metadata": {"name": "fast", "labels": {"zone": "b"}}}
    steps = [{"overlay": changed}]
    made = a_mutant("moved", {test: "zone.*b"}, steps=steps, settles="at once", touches=["nodes"])
    fails = [it.model_copy(update={"test": f"test_remote_suite.py::{test}"}) for it in made.fails]
    return made.model_copy(update={"fails": fails})


@pytest.fixture
def small() -> Iterator[SmallCluster]:
    with SmallCluster() as small:
        small.has(STORAGE)
        yield small


@pytest.fixture
def place(small: SmallCluster, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "test_remote_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:pytest-kind-ng -p no:ddtrace\n")
    kubeconfig = small.write_kubeconfig(tmp_path / "kubeconfig")
    bed = Bed("run", kubeconfig, None, False, True, None, None, "registry", {}, None, None)
    installed = Installed("run", {}, "", "192.0.2.1-192.0.2.8", "192.0.2.1", "")
    with Cluster(kubeconfig) as cluster:
        yield Place(
            Mesh(load_settings(reports=tmp_path, timeouts={"rollout": 5}), bed, cluster, installed, "s"),
            tmp_path,
            tmp_path / "logs",
        )


@pytest.fixture
def began() -> list[tuple[str, Phase]]:
    return []


@pytest.fixture
def bench(place: Place, began: list[tuple[str, Phase]]) -> Iterator[RemoteBench]:
    bench = RemoteBench(place, 1, lambda name, phase: began.append((name, phase)))
    yield bench
    bench.close()


def labels(small: SmallCluster) -> dict[str, str]:
    return dict(small.objects[path_of(STORAGE)]["metadata"]["labels"])


def test_a_mutant_is_put_in_force_tested_and_mended_there(
    bench: RemoteBench, small: SmallCluster, place: Place, began: list[tuple[str, Phase]]
) -> None:
    bench.put_in_force(mutant())
    assert labels(small) == {"zone": "b"}
    assert journal.mutants_in_force(place.mesh.cluster) == ["moved"]
    (cell,) = bench.test(mutant())
    assert (cell.mark, cell.reason) == (Mark.CAUGHT, "the class has {'zone': 'b'}")
    assert bench.mend() == ""
    assert labels(small) == {"zone": "a"} and not journal.mutants_in_force(place.mesh.cluster)
    assert bench.ill(["test_remote_suite.py::test_label"], [mutant()]) == []
    assert [phase for _, phase in began] == [Phase.BREAK, Phase.SETTLE, Phase.TEST, Phase.UNDO, Phase.UNDO, Phase.HEAL]
    assert bench.seconds("moved")["test"] > 0 and bench.seconds("another") == {}


def test_its_errors_are_told_in_the_same_words(bench: RemoteBench) -> None:
    with pytest.raises(MeshproofError, match="Pod nobody, which is not there\n  what to do: correct the mutant"):
        bench.put_in_force(a_mutant("nobody", {"test_1": "x"}))
    with pytest.raises(MeshproofError, match="the tests did not run"):
        bench.test(mutant("test_that_is_not_there"))


def test_who_is_left_in_mid_test_mends_what_it_broke_and_ends(
    bench: RemoteBench, small: SmallCluster, place: Place
) -> None:
    bench.put_in_force(mutant("test_slow"))
    with ThreadPoolExecutor(1) as pool:
        test = pool.submit(bench.test, mutant("test_slow"))
        eventually((place.suites / "began").exists, timeout=60, what="the test has begun")
        bench.leave()
        with pytest.raises(NotMended, match="has ended before its time"):
            test.result(timeout=60)
    bench.close()
    assert labels(small) == {"zone": "a"} and not journal.mutants_in_force(place.mesh.cluster)


def test_who_is_closed_without_having_mended_mends(place: Place, small: SmallCluster) -> None:
    bench = RemoteBench(place, 0, lambda *_: None)
    bench.put_in_force(mutant())
    bench.close()
    assert labels(small) == {"zone": "a"} and not journal.mutants_in_force(place.mesh.cluster)


RUN = """
import pickle, sys, time
from meshproof.kube import Cluster
from meshproof.mesh import Mesh
from meshproof.prove.remote import Place, RemoteBench

def main():
    settings, bed, installed, suites, broken = pickle.load(sys.stdin.buffer)
    mesh = Mesh(settings, bed, Cluster(bed.kubeconfig), installed, "s")
    bench = RemoteBench(Place(mesh, suites, suites / "logs"), 0, lambda *_: None)
    bench.put_in_force(broken)
    print(bench._process.pid, flush=True)
    time.sleep(600)

if __name__ == "__main__":
    main()
"""


def test_it_does_not_outlive_a_run_that_is_killed_and_the_note_stays(place: Place, tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(RUN)
    mesh = place.mesh
    given = pickle.dumps((mesh.settings, mesh.bed, mesh.installed, place.suites, mutant()))
    run = subprocess.Popen([sys.executable, tmp_path / "run.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert run.stdin is not None and run.stdout is not None
    with run.stdin, run.stdout:
        run.stdin.write(given)
        run.stdin.close()
        lane = psutil.Process(int(run.stdout.readline()))
    assert lane.is_running()
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    eventually(
        lambda: not lane.is_running() or lane.status() == psutil.STATUS_ZOMBIE, timeout=30, what="the lane has ended"
    )
    assert journal.mutants_in_force(mesh.cluster) == ["moved"]
