"""Pods in few words: which of their containers count, and when one was restarted."""

from __future__ import annotations

from math import inf
from typing import Any, cast

import pytest

from meshproof.kube import Cluster
from meshproof.moments import seconds
from meshproof.probe.inventory import Pod, pods
from meshproof.report.evidence import as_plain
from tests.probe.listing import Listing

EARLY, LATE = "2026-05-01T12:00:00Z", "2026-05-01T12:00:30Z"


def container(name: str, restarts: int = 0, **states: Any) -> dict[str, Any]:
    return {"name": name, "ready": True, "restartCount": restarts, **states}


def running(since: str) -> dict[str, Any]:
    return {"running": {"startedAt": since}}


def ended(at: str) -> dict[str, Any]:
    return {"terminated": {"finishedAt": at}}


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = ()) -> Pod:
    """The init containers are sidecars when their name says so."""
    item = {
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {
            "initContainers": [
                {"name": it["name"], **({"restartPolicy": "Always"} if it["name"] == "sidecar" else {})} for it in init
            ],
            "containers": [{"name": it["name"]} for it in containers],
        },
        "status": {"phase": "Running", "initContainerStatuses": list(init), "containerStatuses": list(containers)},
    }
    (found,) = pods(cast(Cluster, Listing(Pod=[item])), "shop")
    return found


def test_a_pod_that_was_never_restarted_has_no_such_moment() -> None:
    found = pod(container("web", state=running(LATE)))
    assert (found.restarts, found.restarted_at) == (0, None)


def test_only_containers_that_were_restarted_tell_the_moment() -> None:
    found = pod(container("a", 2, state=running(EARLY)), container("b", state=running(LATE)))
    assert (found.restarts, found.restarted_at) == (2, seconds(EARLY))


def test_the_last_restart_counts() -> None:
    found = pod(container("a", 1, state=running(EARLY)), container("b", 1, state=running(LATE)))
    assert found.restarted_at == seconds(LATE)


def test_a_sidecar_counts_and_an_init_container_that_ends_does_not() -> None:
    init = (container("prepare", 3, state=ended(LATE)), container("sidecar", 1, state=running(EARLY)))
    found = pod(container("web", state=running(LATE)), init=init)
    assert (found.containers, found.restarts, found.restarted_at) == (("sidecar", "web"), 1, seconds(EARLY))


@pytest.mark.parametrize("states", [{"state": ended(LATE)}, {"state": {"waiting": {}}, "lastState": ended(LATE)}])
def test_a_container_that_ended_again_tells_when(states: dict[str, Any]) -> None:
    assert pod(container("a", 4, **states)).restarted_at == seconds(LATE)


def test_a_restart_that_nobody_tells_of_is_never_long_ago() -> None:
    assert pod(container("a", 1, state={"waiting": {}})).restarted_at == inf


def test_a_pod_runs_since_the_first_of_its_containers_does() -> None:
    assert pod(container("a", state=running(LATE)), container("b", state=running(EARLY))).runs_since == seconds(EARLY)


@pytest.mark.parametrize("states", [{"state": {"waiting": {}}}, {"state": ended(LATE)}, {}])
def test_a_pod_of_which_a_container_does_not_run_runs_since_never(states: dict[str, Any]) -> None:
    assert pod(container("a", state=running(EARLY)), container("b", **states)).runs_since is None


def test_people_read_a_pods_moments_as_times() -> None:
    told = as_plain(pod(container("a", 2, state=running(LATE), lastState=ended(EARLY))))
    assert (told["name"], told["restarts"], told["runs_since"], told["restarted_at"]) == ("web", 2, LATE, LATE)
    told = as_plain(pod(container("a", 1, state={"waiting": {}})))
    assert (told["runs_since"], told["restarted_at"]) == (None, "nobody tells when")
