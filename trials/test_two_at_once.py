"""Two runs on one machine: with clusters of their own they do not disturb each other; for one cluster the second waits
for nobody and says why."""

from __future__ import annotations

from trials.world import World


def test_two_clusters(world: World) -> None:
    """Both are set up at the same time, and each conforms."""
    runs = [
        world.suites("test_mtls.py", "test_gateway_address.py", "test_routing.py", keep=False, environment=environment)
        for environment in ({"MESHPROOF_CLUSTER_NAME": "trials-one"}, {"MESHPROOF_CLUSTER_NAME": "trials-two"})
    ]
    for run in runs:
        run.passes(within=1800)


def test_a_cluster_of_another_name_that_stands(standing: World) -> None:
    """While a run prepares the images of its own cluster, and makes it, the checks on the one that stands go on."""
    first = standing.suites("test_apps.py", "test_log_delivery.py", "test_traces.py")
    first.tells(r"^\.", within=120)
    second = standing.suites("test_routing.py", keep=False, environment={"MESHPROOF_CLUSTER_NAME": "trials-three"})
    first.passes(within=600)
    second.passes(within=600)


def test_one_cluster(standing: World) -> None:
    """The second is refused, and the first does not notice."""
    first = standing.suites("test_apps.py")
    first.tells(r"^\.", within=120)
    second = standing.suites("test_routing.py")
    assert second.ends(within=120) == 2
    assert "another run is using the cluster trials" in second.told
    first.passes(within=300)
