"""Whatever a load test is told: load that can be made, or an error that names option, value and remedy."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from junk import NUMBER, TEXT, value

from meshproof.errors import UsageError
from meshproof.load.options import CANARY, LOAD, SPLIT, Load, canary_promise, split_promise

MARGINS = st.lists(
    st.sampled_from(["p50", "p99", "p", "errors", "p200", "=", "1.1", "nan", ",", "-1", "inf"]), max_size=6
)


@given(option=st.sampled_from((*LOAD, *SPLIT, *CANARY)), junk=value() | NUMBER | TEXT | MARGINS.map("".join))
@example(LOAD[5], math.inf)
@example(LOAD[14], 10**400)
@example(LOAD[0], "nan,1")
@example(LOAD[4], "/a b\r\nX: y")
@example(CANARY[0], "p50=nan")
@example(CANARY[0], "p50=inf")
def test_any_option(option: object, junk: object) -> None:
    told = {option.key: junk}  # type: ignore[attr-defined]
    try:
        load = Load.of(told)
        split, canary = split_promise(load, told), canary_promise(load, told)
    except UsageError as error:
        assert f"--{option.name}" in error.problem  # type: ignore[attr-defined]
        assert error.seen and error.remedy and len(str(error)) < 1500
    else:
        numbers = (load.rate, load.drain, load.alpha, split.margin, canary.errors, *(m for _, m in canary.quantiles))
        assert all(math.isfinite(number) for number in numbers) and load.rate > 0 and 0 < load.alpha < 1
        assert f"GET {load.path} {load.target_host}{load.arm_header}".isascii()


@pytest.mark.parametrize("arms", ["v1", "v1,v1", "", "a,b,c"])
def test_arms_that_do_not_fit(arms: str) -> None:
    with pytest.raises(UsageError, match="--weights and --arms") as told:
        Load.of({"arms": arms})
    assert "70.0" in str(told.value.seen) and told.value.remedy
