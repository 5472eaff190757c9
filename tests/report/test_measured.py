"""What is drawn of a load test's rows is what was judged, and the page draws it where it belongs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_rows import made

from meshproof.load.reconcile import ProxyCount, reconcile
from meshproof.load.rows import Rows
from meshproof.report.evidence import Evidence
from meshproof.report.measured import draw_canary, draw_counts, draw_shares, draw_split, draw_weights
from meshproof.report.page.kinds import Item, render
from meshproof.verdict import Verdict
from meshproof.verdict.canary import CanaryPromise, judge_canary
from meshproof.verdict.split import SplitPromise, at_looks, judge_split

ARMS = ("v1", "v2")
SPLIT = SplitPromise((70, 30), alpha=1e-3)


def seen(evidence: Evidence) -> dict[str, Any]:
    """What was kept, by name."""
    return {item["name"]: item["seen"] for item in evidence.items}


def drawn(evidence: Evidence, name: str) -> str:
    (item,) = [item for item in evidence.items if item["name"] == name]
    html = str(render(Item(name, item["kind"], item["seen"], Path(), "key")))
    assert "render-error" not in html
    return html


@pytest.mark.parametrize(("share", "verdict"), [(0.3, Verdict.CONFORM), (0.4, Verdict.VIOLATE)])
def test_split_is_drawn_as_it_was_judged(share: float, verdict: Verdict) -> None:
    rows, kept = made(4000, share, seed=11), Evidence()
    draw_split(kept, rows, SPLIT, ARMS)
    judged = judge_split(at_looks(rows.arm(ARMS), 2)[0], SPLIT)
    assert judged.verdict is verdict
    (line,) = seen(kept)["share of v2 over requests"]["lines"]
    assert (line["x"][-1], line["y"][-1]) == (4000, pytest.approx(100 * judged.shares[1]))
    assert (line["low"][-1], line["high"][-1]) == pytest.approx([100 * end for end in judged.intervals[1]])
    decides = seen(kept)["what decides: the evidence over requests"]
    reached = [next((x for x, y in zip(one["x"], one["y"], strict=True) if y >= decides["expected"]), None)
               for one in decides["lines"]]  # fmt: skip
    against, within = reached
    assert (within if verdict is Verdict.CONFORM else against) == judged.decided_at
    assert (against is None) is (verdict is Verdict.CONFORM)


def test_evidence_is_drawn_up_to_a_hundred_times_what_decides() -> None:
    kept = Evidence()
    draw_split(kept, made(6000, 0.9), SPLIT, ARMS)
    against, _ = seen(kept)["what decides: the evidence over requests"]["lines"]
    assert max(against["y"]) == pytest.approx(1e5)


def test_every_arm_of_three_has_its_chart() -> None:
    kept = Evidence()
    draw_split(kept, made(500), SplitPromise((60, 30, 10)), ("v1", "v2", "v3"))
    assert [f"share of {arm} over requests" in seen(kept) for arm in ("v1", "v2", "v3")] == [True] * 3


def test_share_follows_the_weights_that_were_applied() -> None:
    before, after, kept = made(2000, 0.3), made(2000, 0.6, seed=5), Evidence()
    shift = int(before.start[-1] - after.start[0]) + 4000
    rows = Rows.joined([before, replace(after, start=after.start + shift, end=after.end + shift)])
    changed = int(before.start[-1]) + 2000
    draw_weights(kept, rows, [(0, (70, 30)), (changed, (40, 60))], ARMS)
    measured, promised = seen(kept)["share of v2 while weights change"]["lines"]
    at = (changed - int(rows.start[0])) / 1e6
    assert promised["x"][1:3] == pytest.approx([at, at]) and promised["y"] == [30, 30, 60, 60]
    found = [[y for x, y in zip(measured["x"], measured["y"], strict=True) if (x > at) is later]
             for later in (False, True)]  # fmt: skip
    assert [np.mean(each) for each in found] == pytest.approx([30, 60], abs=4)
    assert all(low <= y <= high for low, y, high in zip(measured["low"], measured["y"], measured["high"], strict=True))
    drawn(kept, "share of v2 while weights change")


def test_each_revision_has_its_share() -> None:
    kept, judged = Evidence(), judge_split(at_looks(made(1500).arm(ARMS), 2)[0], SPLIT)
    nothing = judge_split(np.zeros((0, 2), dtype=np.int64), SPLIT)
    draw_shares(kept, {"first, 30 %": judged, "never": nothing}, "99.9 %")
    (row,) = seen(kept)["share of v2 under each revision"]["rows"]
    assert (row["label"], row["value"]) == ("first, 30 %", pytest.approx(100 * judged.shares[1]))
    assert (row["low"], row["high"]) == pytest.approx([100 * end for end in judged.intervals[1]])
    drawn(kept, "share of v2 under each revision")


@pytest.mark.parametrize("traces", [None, {"v1": 7, "v2": 2}])
def test_what_was_counted_stands_side_by_side(traces: dict[str, int] | None) -> None:
    kept = Evidence()
    draw_counts(kept, reconcile({"v1": 7, "v2": 3}, {"v1": ProxyCount(7), "v2": ProxyCount(3)}, traces))
    table = seen(kept)["requests, counted independently"]
    assert ("traces" in table["columns"]) is (traces is not None)
    assert {len(row) for row in table["rows"]} == {len(table["columns"])}
    assert [row[-1] for row in table["rows"]] == [
        "none",
        "none" if traces is None else "UNEXPLAINED 1 traces are missing",
    ]


def test_canary_is_drawn_as_it_was_judged() -> None:
    rows, kept, promise = made(8000, slower=1.2, failing=0.02), Evidence(), CanaryPromise()
    draw_canary(kept, rows, promise, ARMS)
    arm = rows.arm(ARMS)
    judged = judge_canary(arm == 1, rows.response, rows.failed, promise, share=(0.3, 0.3))
    ratios = seen(kept)["v2 against v1"]["rows"]
    assert [(row["label"], row["note"], row["limit"]) for row in ratios] == [
        (one.metric, one.comparison, one.margin) for one in judged.metrics
    ]
    assert [row["value"] for row in ratios[1:]] == pytest.approx([one.ratio for one in judged.metrics[1:]])
    assert (ratios[0]["label"], ratios[0]["value"]) == ("errors", None), "v1 has none: v2's are infinitely many times"
    curves = seen(kept)["latency quantiles of the arms"]["arms"]
    for place, points in enumerate(curves.values()):
        values = 1e3 * rows.response[(arm == place) & ~rows.failed]
        (median,) = [point for point in points if point["quantile"] == 0.5]
        assert median["value"] == pytest.approx(np.quantile(values, 0.5, method="inverted_cdf"))
        assert all((point["low"] or 0) <= point["value"] <= (point["high"] or np.inf) for point in points)
        assert (points[0]["quantile"], points[-1]["quantile"]) == (0.01, 0.999)
    sound, failing = seen(kept)["failed requests of the arms"]["rows"]
    assert (sound["value"], sound["low"]) == (0, 0)
    assert failing["value"] == pytest.approx(100 * np.count_nonzero(rows.failed) / np.count_nonzero(arm == 1))
    assert failing["low"] < failing["value"] < failing["high"]


def test_each_second_has_the_latency_of_its_requests() -> None:
    rows, kept = made(3000), Evidence()
    draw_canary(kept, rows, CanaryPromise(), ARMS)
    stable, _ = seen(kept)["p90 latency of each second"]["lines"]
    seconds = (rows.start - rows.start[0]) // 1_000_000
    values = 1e3 * rows.response[(rows.arm(ARMS) == 0) & (seconds == 4)]
    assert stable["y"][stable["x"].index(4.5)] == pytest.approx(np.quantile(values, 0.9, method="inverted_cdf"))
    within = zip(stable["low"], stable["y"], stable["high"], strict=True)
    assert all(low <= value <= high for low, value, high in within)


@pytest.mark.parametrize(
    "rows", [made(800, failing=1.0), made(50, share=0.0), made(50, share=1.0), made(1), made(90, silent=1), Rows.of([])]
)
def test_whatever_was_measured_is_drawn(rows: Rows) -> None:
    kept = Evidence()
    draw_split(kept, rows, SPLIT, ARMS)
    draw_canary(kept, rows, CanaryPromise(), ARMS)
    assert bool(kept.items) is bool(len(rows))
    for name in seen(kept):
        drawn(kept, name)


def test_page_draws_an_interval_at_its_place() -> None:
    kept = Evidence()
    draw_canary(kept, made(8000, slower=1.5, failing=0.1), CanaryPromise(), ARMS)
    html = drawn(kept, "v2 against v1")
    neutral = float(re.findall(r'<line x1="([\d.]+)%"[^>]*class="neutral"', html)[0])
    limits = [float(at) for at in re.findall(r'<line x1="([\d.]+)%"[^>]*class="limit"', html)]
    dots = re.findall(r'<circle cx="([\d.]+)%"[^>]*class="dot (\w+)"', html)
    rows = seen(kept)["v2 against v1"]["rows"]
    assert len(dots) == len(limits) == len(rows) == 4
    for row, limit, (at, tone) in zip(rows, limits, dots, strict=True):
        assert neutral < limit
        value = np.inf if row["value"] is None else row["value"]
        assert (float(at) > limit) == (value > row["limit"]) == (tone == "over")
    assert float(dots[0][0]) == 100 and "∞ (" in html, "errors of v2 alone"
    at_value = {row["value"]: float(at) for row, (at, _) in zip(rows[1:], dots[1:], strict=True)}
    first, last = min(at_value), max(at_value)
    for value, at in at_value.items():
        part = np.log(value / first) / np.log(last / first)
        assert at == pytest.approx(at_value[first] + part * (at_value[last] - at_value[first]), abs=0.02)


def test_history_follows_values_with_intervals(tmp_path: Path) -> None:
    from meshproof.report.history import figures_of
    from meshproof.report.results import CheckResult, Results
    from meshproof.report.runs import read_run

    kept = Evidence()
    draw_canary(kept, made(3000), CanaryPromise(), ARMS)
    check = CheckResult("suites/canary/test_canary.py::test_a", "A.", Verdict.CONFORM, "", 1.0, tuple(kept.items))
    Results(checks=[check]).write(tmp_path / "20261120-080112" / "results.json")
    figures = {figure.name: figure for figure in figures_of(read_run(tmp_path / "20261120-080112"))}
    assert figures["canary: v2 against v1, p50"].value == seen(kept)["v2 against v1"]["rows"][0]["value"]
