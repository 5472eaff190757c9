"""The share of traced requests, and what a proxy's configuration says about it."""

from __future__ import annotations

import pytest
from envoy_dumps import listener, provider

from meshproof.observability.sampling import Tracing, forced, is_decided, judge_share, tracings
from meshproof.probe import Request
from meshproof.verdict import Verdict
from meshproof.verdict.split import SplitPromise

QUARTER = SplitPromise((25, 75), margin=0.12, cap=800)
MARKS = [f"m{number}" for number in range(800)]


@pytest.mark.parametrize(
    ("every", "verdict"), [(4, Verdict.CONFORM), (2, Verdict.VIOLATE), (1, Verdict.VIOLATE), (100, Verdict.VIOLATE)]
)
def test_a_share_of_a_quarter_is_told_from_others(every, verdict):
    judgement = judge_share(MARKS, frozenset(MARKS[::every]), QUARTER)
    assert judgement.verdict is verdict
    assert is_decided(judgement)
    assert judgement.counts[0] == len(MARKS[::every])


def test_nothing_traced_is_no_quarter():
    assert judge_share(MARKS, frozenset(), QUARTER).verdict is Verdict.VIOLATE


def test_too_few_requests_decide_nothing():
    assert not is_decided(judge_share(MARKS[:100], frozenset(MARKS[:100:4]), QUARTER))
    assert not is_decided(judge_share([], frozenset(), QUARTER))


def test_forced_headers_continue_the_clients_trace():
    headers = forced(Request("http://goapi/", headers={"a": "b"}), 2**63, 7)
    assert headers == {
        "a": "b",
        "x-datadog-trace-id": str(2**63),
        "x-datadog-parent-id": "7",
        "x-datadog-sampling-priority": "2",
    }


@pytest.mark.parametrize(
    ("sampling", "percentage"),
    [({"random_sampling": {"value": 25}}, 25.0), ({"random_sampling": {}}, 0.0), ({}, 100.0)],
)
def test_the_percentage_is_read_as_envoy_writes_it(sampling, percentage):
    (found,) = tracings([listener(provider=provider(), **sampling)])
    assert found == Tracing("outbound|8126||datadog-agent.datadog.svc.cluster.local", percentage)


def test_listeners_that_disagree_are_all_told():
    dump = [listener(provider=provider(), random_sampling={"value": share}) for share in (1, 100)]
    assert {found.percentage for found in tracings(dump)} == {1.0, 100.0}


def test_what_is_not_in_force_does_not_count():
    quiet = listener()
    del quiet["active_state"]["listener"]["filter_chains"][1]["filters"][0]["typed_config"]["tracing"]
    waiting = {**quiet, "warming_state": listener(provider=provider())["active_state"]}
    assert tracings([waiting]) == frozenset()
