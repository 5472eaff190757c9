"""What a mutant does can be undone, also by somebody else, and more than once."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_cluster import SmallCluster, merge, path_of, workload

from meshproof.errors import UsageError
from meshproof.kube import Cluster
from meshproof.mend.undoing import difference, undo
from meshproof.prove import journal
from meshproof.prove.changes import perform, planned
from meshproof.prove.mutants import Mutant

ROUTE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "route", "namespace": "shop", "labels": {"kept": "yes"}},
    "data": {"weight": "70", "host": "web"},
}
REFERENCE = {"apiVersion": "v1", "kind": "ConfigMap", "name": "route", "namespace": "shop"}


@pytest.fixture
def small() -> Iterator[SmallCluster]:
    with SmallCluster() as small:
        small.has(ROUTE, workload())
        yield small


@pytest.fixture
def cluster(small: SmallCluster, tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(small.write_kubeconfig(tmp_path / "kubeconfig")) as cluster:
        yield cluster


def mutant(*steps: dict[str, Any]) -> Mutant:
    fails = [{"test": "test_x.py::test_y", "because": "z"}]
    return Mutant.model_validate({"name": "m", "breaks": "It.", "property": "mtls", "steps": [*steps], "fails": fails})


def nothing_to_calm() -> None:
    raise AssertionError("no step switched faults on")


EXTRA = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra", "namespace": "shop"}}
STEPS = {
    "delete": {"delete": REFERENCE},
    "overlay": {
        "overlay": {
            **{name: ROUTE[name] for name in ("apiVersion", "kind")},
            "metadata": {"name": "route", "namespace": "shop", "labels": {"kept": None, "new": "label"}},
            "data": {"weight": "50", "more": "fields"},
        }
    },
    "lists": {
        "overlay": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "other"}]}}},
        }
    },
    "apply": {"apply": [EXTRA]},
}


def state(small: SmallCluster) -> dict[str, Any]:
    """What is there, without the journal and what only a server says."""
    found = copy.deepcopy({path: item for path, item in small.objects.items() if "meshproof-system" not in path})
    for item in found.values():
        item["metadata"].pop("uid", None)
        item["metadata"].pop("annotations", None)
    return found


@pytest.mark.parametrize("name", STEPS)
def test_every_step_changes_something_and_can_be_undone(small: SmallCluster, cluster: Cluster, name: str) -> None:
    before = state(small)
    broken = mutant(STEPS[name])
    steps = planned(cluster, broken)
    assert state(small) == before, "planning changed something"
    perform(cluster, broken.steps[0])
    assert state(small) != before
    undo(cluster, steps, nothing_to_calm)
    assert state(small) == before
    undo(cluster, steps, nothing_to_calm)
    assert state(small) == before, "undoing twice is not the same as once"


def test_what_a_killed_run_broke_is_mended_from_the_note_in_the_cluster(small: SmallCluster, cluster: Cluster) -> None:
    before = state(small)
    broken = mutant(*STEPS.values())
    journal.begin(cluster, broken.name, planned(cluster, broken))
    for step in broken.steps[1:]:
        perform(cluster, step)
    assert journal.mutants_in_force(cluster) == ["m"]
    assert journal.mend(cluster, nothing_to_calm) == ["m"]
    assert state(small) == before
    assert journal.mutants_in_force(cluster) == []
    assert journal.mend(cluster, nothing_to_calm) == []


def test_what_was_in_force_in_several_lanes_is_mended(small: SmallCluster, cluster: Cluster) -> None:
    before = state(small)
    for lane, name in enumerate(["overlay", "apply"]):
        broken = mutant(STEPS[name]).model_copy(update={"name": f"m{lane}"})
        journal.begin(cluster, broken.name, planned(cluster, broken), lane)
        perform(cluster, broken.steps[0])
    assert journal.mend(cluster, nothing_to_calm) == ["m0", "m1"]
    assert state(small) == before


def test_a_step_about_what_is_not_there_is_refused_before_anything_is_done(cluster: Cluster) -> None:
    with pytest.raises(UsageError, match="ConfigMap shop/nobody, which is not there"):
        planned(cluster, mutant({"delete": {**REFERENCE, "name": "nobody"}}))
    with pytest.raises(UsageError, match="only add what is not there"):
        planned(cluster, mutant({"apply": [ROUTE]}))


def test_pods_that_are_not_there_cannot_be_ended(cluster: Cluster) -> None:
    with pytest.raises(UsageError, match="pods that are not there"):
        perform(cluster, mutant({"end": {"namespace": "shop", "labels": "app=web"}}).steps[0])


def test_pods_are_ended_by_label(small: SmallCluster, cluster: Cluster) -> None:
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}}}
        for name in ("web", "db")
    ]
    small.has(*pods)
    perform(cluster, mutant({"end": {"namespace": "shop", "labels": "app=web"}}).steps[0])
    assert path_of(pods[0]) not in small.objects
    assert path_of(pods[1]) in small.objects


def test_pods_that_have_to_be_gone_are_waited_for(small: SmallCluster, cluster: Cluster) -> None:
    step = mutant({"gone": {"namespace": "shop", "labels": "app=web"}})
    with pytest.raises(UsageError, match="pods that are not there"):
        planned(cluster, step)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    }
    leaving = copy.deepcopy(pod)
    leaving["metadata"]["deletionTimestamp"] = "2026-05-01T12:00:00Z"
    small.has(pod)
    assert planned(cluster, step) == []
    small.has(leaving)
    going = threading.Timer(0.4, lambda: small.objects.pop(path_of(pod)))
    going.start()
    perform(cluster, step.steps[0])
    assert path_of(pod) not in small.objects
    going.join()


def test_a_restart_changes_the_template_alone(small: SmallCluster, cluster: Cluster) -> None:
    step = {"restart": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "shop"}}
    before = copy.deepcopy(small.objects[path_of(workload())]["spec"])
    perform(cluster, mutant(step).steps[0])
    after = small.objects[path_of(workload())]["spec"]
    assert after.pop("template")["metadata"]["annotations"]
    assert after == before


VALUES = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # speed depends on who shares the cores
@given(OBJECTS, OBJECTS)
def test_the_difference_is_a_merge_patch_from_one_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert merge(before, difference(before, after)) == after
    assert difference(before, before) == {}
