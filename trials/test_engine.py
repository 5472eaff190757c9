"""When the engine ends under a run, the run is INVALID, neither green nor a violation; the next wakes the cluster."""

from __future__ import annotations

import pytest

from trials.world import World


@pytest.mark.parametrize("dies", ["the daemon alone", "the daemon and all that it ran"])
def test_while_a_suite_runs(standing: World, dies: str) -> None:
    """Nothing that was measured then counts, and the kept cluster is not lost."""
    if standing.engine is None:
        pytest.skip("Docker runs here, and is not ours to end")
    hit = standing.suites("test_mtls.py", "test_routing.py", "test_apps.py")
    hit.tells(r"^\.", within=120)
    standing.end_engine(alone="alone" in dies)
    assert hit.ends(within=900) == 1, hit.told
    verdicts = standing.verdicts()
    assert verdicts["INVALID"] > 0
    assert verdicts["VIOLATE"] == 0, hit.told
    after = standing.suites("test_mtls.py", "test_routing.py", "test_apps.py", "test_agent_pods.py")
    after.passes(within=600)
    assert "kept since" in after.told
