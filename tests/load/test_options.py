"""Options that nothing can be measured with are refused in words."""

from __future__ import annotations

import pytest

from meshproof.errors import UsageError
from meshproof.load.judging import CanaryRun, SplitRun
from meshproof.load.margins import MARGINS, margins_of
from meshproof.load.options import CANARY, LOAD, SPLIT, Load


def test_defaults_are_the_sample_split() -> None:
    load = Load.of({})
    assert (load.weights, load.arms, load.arm_header) == ((70.0, 30.0), ("v1", "v2"), "x-meshproof-arm")


def test_weights_and_arms_may_be_written_in_several_ways() -> None:
    load = Load.of({"weights": "1/2 / 1", "arms": "a, b c"})
    assert (load.weights, load.arms) == ((1.0, 2.0, 1.0), ("a", "b", "c"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"weights": "70,x"}, "no numbers"),
        ({"weights": "70"}, "split nothing"),
        ({"weights": "-1,2"}, "split nothing"),
        ({"arms": "v1"}, "do not fit"),
        ({"arms": "v1,v1"}, "do not fit"),
        ({"arrivals": "often"}, "no such arrivals"),
        ({"rate": 0}, "--rate"),
        ({"late_after": 0}, "--late-after"),
        ({"path": "books"}, "--path"),
        ({"run_id": "two words"}, "--run-id"),
        ({"margin": 0}, "--margin"),
        ({"margin": 120}, "--margin"),
        ({"alpha": 2}, "alpha"),
        ({"cap": 1}, "cap"),
    ],
)
def test_a_split_that_cannot_be_measured_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        SplitRun(given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"margins": "fast"}, "no margins"),
        ({"margins": "p50=0.9"}, "below 1"),
        ({"margins": "p99.9=1.5"}, "cannot be gated"),
        ({"weights": "1,1,1", "arms": "a,b,c"}, "one baseline"),
        ({"weights": "100,0"}, "one baseline"),
    ],
)
def test_a_canary_that_cannot_be_judged_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        CanaryRun(given)


def test_margins_come_from_the_table_or_from_words() -> None:
    assert margins_of("default") is MARGINS["default"]
    own = margins_of("p50=1.05, p99=2, errors=3")
    assert (own.quantiles, own.errors) == (((0.5, 1.05), (0.99, 2.0)), 3.0)


def test_a_run_without_an_id_gets_one_of_its_own() -> None:
    first, second = Load.of({}).user_agent, Load.of({}).user_agent
    assert first != second and first.startswith("meshproof-load/")
    assert Load.of({"run_id": "night-7"}).user_agent == "meshproof-load/night-7"


def test_no_option_stands_twice() -> None:
    for special in (SPLIT, CANARY):
        names = [option.name for option in (*LOAD, *special)]
        assert len(names) == len(set(names))
