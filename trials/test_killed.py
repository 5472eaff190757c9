"""Whenever a run is killed, nothing of it is left after the next one, and the next one finds the mesh well."""

from __future__ import annotations

import random
import time
from functools import partial

import psutil
import pytest

from meshproof.mend.notes import NOTE_LABEL
from meshproof.prove.journal import mutants_in_force
from meshproof.stack.installed import RECORD_NAMESPACE
from trials.world import World

_SOON = 20.0
"""Seconds in which processes end that see that their run is gone."""


@pytest.mark.parametrize(
    ("step", "dies"),
    [
        ("bed: cluster started", "the run alone"),
        ("stack: istio started", "the run and its children"),
        ("stack: apps started", "the run, its children and the engine"),
    ],
)
def test_while_it_sets_up(world: World, step: str, dies: str) -> None:
    """A half-made cluster is removed by the next run, which makes its own and leaves nothing, not even an engine."""
    world.down().passes(within=120)
    killed = world.suites("test_routing.py")
    killed.tells(step, within=1800)  # the first one of all has its images to make
    time.sleep(random.uniform(0, 4))
    killed.killed(children="children" in dies)
    if "engine" in dies:
        world.end_engine()
    world.suites("test_routing.py", keep=False).passes(within=600)
    assert world.left() == []


def test_while_a_check_has_something_changed(standing: World) -> None:
    """Sampling is 0 % or 25 % for the length of a check: the next run undoes it, and has every request traced again."""
    killed = standing.suites("test_sampling.py")
    with standing.cluster() as cluster:
        notes = partial(cluster.list, "ConfigMap", RECORD_NAMESPACE, f"{NOTE_LABEL}=true", "v1")
        killed.reaches(lambda: bool(notes()), "something changed", within=120)
    time.sleep(random.uniform(0, 2))
    killed.killed(children=True)
    after = standing.suites("test_traces.py")
    after.passes(within=300)
    assert "a killed run left changed: Telemetry" in after.told


def test_while_load_runs(standing: World) -> None:
    """The load ends by itself when its run is gone, and does not get into the way of the next."""
    long = {"MESHPROOF_STRICTNESS": "nightly"}  # a load of 80 s: it is not at its end
    killed = standing.suites("canary/test_canary.py", environment=long)
    killed.reaches(lambda: killed.runs("locust"), "load", within=120)
    time.sleep(random.uniform(0, 4))
    family = killed.killed(children=False)
    _, alive = psutil.wait_procs(family, timeout=_SOON)
    assert alive == []
    standing.suites("canary/test_split.py").passes(within=300)


@pytest.mark.parametrize(
    ("mutants", "dies"),
    [
        (["mtls-no-peer-authentication"], "the run and its children"),
        (["mtls-no-peer-authentication", "gateway-no-pool"], "the run and its children"),
        (["apps-failing-probe"], "the engine, too"),
    ],
    ids=["one", "two side by side", "one, and the engine"],
)
def test_while_mutants_are_in_force(standing: World, mutants: list[str], dies: str) -> None:
    """The next run mends them before anything else, and says so; also where pods cannot get ready before."""
    killed = standing.prove(*mutants)
    with standing.cluster() as cluster:
        killed.reaches(lambda: {*mutants} == {*mutants_in_force(cluster)}, "all in force", within=120)
    time.sleep(random.uniform(0, 3))
    killed.killed(children=True)
    if "engine" in dies:
        standing.end_engine()
    after = standing.suites("test_mtls.py", "test_apps.py", "test_gateway_address.py")
    after.passes(within=600)
    assert "left in force by a killed run: mutant" in after.told
    assert all(mutant in after.told for mutant in mutants)
