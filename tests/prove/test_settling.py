"""A cluster that was asleep is awake when its pods say so of themselves, not when the API still has what was before."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from meshproof.labels import SESSION_LABEL
from meshproof.mesh import Mesh
from meshproof.probe.inventory import Pod
from meshproof.prove.settling import awake
from meshproof.timeouts import Timeouts
from meshproof.waiting import StateNotReached

STARTED = 1000.5


def pod(runs_since: float | None, **changes: Any) -> Pod:
    fields: dict[str, Any] = {
        "namespace": "apps",
        "name": "goapi-1",
        "ip": "10.0.0.1",
        "node": "node",
        "phase": "Running",
        "labels": {},
        "annotations": {},
        "service_account": "default",
        "containers": ("goapi",),
        "ready": 1,
        "restarts": 0,
        "leaving": False,
        "runs_since": runs_since,
        "restarted_at": None,
    }
    return Pod(**(fields | changes))


def mesh(*looks: list[Pod]) -> Mesh:
    """Of which each look sees the next of these pods; the last for ever."""
    left = list(looks)

    def all_pods(namespace: str) -> list[Pod]:
        if namespace != "apps":
            return []
        return left.pop(0) if len(left) > 1 else left[0]

    found: Any = SimpleNamespace(all_pods=all_pods, timeouts=Timeouts(component_ready=1.2))
    return cast(Mesh, found)


def test_what_runs_since_the_nodes_do_is_awake() -> None:
    awake(mesh([pod(1000.0), pod(1010.0)]), STARTED)


@pytest.mark.parametrize(
    "asleep",
    [
        pod(999.0),
        pod(None),
        pod(1010.0, ready=0),
    ],
    ids=["as it was before", "does not run", "not ready"],
)
def test_what_does_not_is_waited_for_and_named(asleep: Pod) -> None:
    awake(mesh([asleep], [pod(1010.0)]), STARTED)
    with pytest.raises(StateNotReached, match="1 pods not yet, such as apps/goapi-1"):
        awake(mesh([asleep]), STARTED)


@pytest.mark.parametrize(
    "apart",
    [pod(999.0, labels={SESSION_LABEL: "killed"}), pod(None, phase="Succeeded"), pod(None, phase="Failed")],
    ids=["a check's own", "done", "failed"],
)
def test_what_will_never_run_again_is_not_waited_for(apart: Pod) -> None:
    awake(mesh([apart, pod(1010.0)]), STARTED)
