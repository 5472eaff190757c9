"""Three counts of the same requests: each difference has a reason, or nothing is valid."""

from __future__ import annotations

import pytest

from meshproof.errors import UsageError
from meshproof.load.reconcile import ProxyCount, Reconciliation, counted_since, reconcile
from meshproof.verdict import Verdict

CLIENT = {"v1": 1_400, "v2": 600}


def test_equal_counts_agree() -> None:
    found = reconcile(CLIENT, {"v1": ProxyCount(1_400), "v2": ProxyCount(600)}, CLIENT)
    assert found.verdict is Verdict.CONFORM
    assert found.reason == "client, proxies and traces agree on 2,000 requests"


@pytest.mark.parametrize(
    ("proxies", "failed", "unattributed", "because"),
    [
        ({"v1": ProxyCount(1_400), "v2": ProxyCount(620, errors=20, retries=20)}, {}, 0, "20 attempts were retries"),
        ({"v1": ProxyCount(1_400), "v2": ProxyCount(620, errors=20)}, {}, 0, "20 attempts were retries"),
        ({"v1": ProxyCount(1_400), "v2": ProxyCount(500)}, {"v2": 100}, 0, "100 of 100 failures were answered by"),
        ({"v1": ProxyCount(1_403), "v2": ProxyCount(602)}, {}, 5, "3 reached it and were not attributed"),
    ],
)
def test_differences_with_a_reason_are_explained(
    proxies: dict[str, ProxyCount], failed: dict[str, int], unattributed: int, because: str
) -> None:
    found = reconcile(CLIENT, proxies, failed=failed, unattributed=unattributed)
    assert found.verdict is Verdict.CONFORM, found.reason
    assert because in "\n".join(found.lines)


@pytest.mark.parametrize(
    ("proxies", "traces", "unattributed", "because"),
    [
        ({"v1": ProxyCount(1_400), "v2": ProxyCount(640)}, None, 0, "v2: the proxies sent 40 more"),
        ({"v1": ProxyCount(1_380), "v2": ProxyCount(600)}, None, 0, "v1: the client saw 20 more"),
        ({"v1": ProxyCount(1_406), "v2": ProxyCount(600)}, None, 5, "v1: the proxies sent 1 more"),
        ({"v1": ProxyCount(1_400), "v2": ProxyCount(640, errors=10)}, None, 0, "v2: the proxies sent 30 more"),
        ({"v1": ProxyCount(1_400)}, None, 0, "v2: the proxies know no such arm"),
        ({"v1": ProxyCount(1_400), "v2": ProxyCount(600)}, {"v1": 1_400, "v2": 599}, 0, "v2: 1 traces are missing"),
        ({"v1": ProxyCount(1_400), "v2": ProxyCount(600)}, {"v1": 1_402, "v2": 600}, 1, "v1: 1 traces too many"),
        ({"v1": ProxyCount(1_400), "v2": ProxyCount(600), "v3": ProxyCount(1)}, None, 0, "v3: the proxies sent 1"),
    ],
)
def test_a_difference_without_a_reason_is_invalid(
    proxies: dict[str, ProxyCount], traces: dict[str, int] | None, unattributed: int, because: str
) -> None:
    found = reconcile(CLIENT, proxies, traces, unattributed=unattributed)
    assert found.verdict is Verdict.INVALID
    assert because in found.reason


def test_an_unattributed_request_explains_one_difference_only() -> None:
    found: Reconciliation = reconcile(
        CLIENT, {"v1": ProxyCount(1_403), "v2": ProxyCount(603)}, failed={}, unattributed=4
    )
    assert found.verdict is Verdict.INVALID


def test_nothing_to_compare_is_invalid() -> None:
    assert reconcile({}, {}).verdict is Verdict.INVALID


def test_counters_are_taken_as_differences() -> None:
    before = {"one": ProxyCount(100, 3, 2)}
    after = {"one": ProxyCount(150, 4, 2), "new": ProxyCount(7)}
    assert counted_since(before, after) == {"one": ProxyCount(50, 1, 0), "new": ProxyCount(7)}


@pytest.mark.parametrize("after", [{"one": ProxyCount(99)}, {}])
def test_a_counter_that_went_back_or_away_is_told(after: dict[str, ProxyCount]) -> None:
    with pytest.raises(UsageError, match="one"):
        counted_since({"one": ProxyCount(100)}, after)
