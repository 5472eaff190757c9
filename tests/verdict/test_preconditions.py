"""A measurement that measured nothing says why."""

from __future__ import annotations

import pytest

from meshproof.verdict.preconditions import Conditions, Reason, broken_preconditions, idle_arms, too_many_unattributed


@pytest.mark.parametrize(
    ("conditions", "reasons"),
    [
        (Conditions(planned=1_000, late=5, dropped=5, cpu=0.8), []),
        (Conditions(planned=1_000, late=6, dropped=5), [Reason.UNPUNCTUAL]),
        (Conditions(planned=1_000, cpu=0.81), [Reason.SATURATED]),
        (Conditions(planned=1_000, unsettled=("gateway pod a",)), [Reason.NOT_SETTLED]),
        (Conditions(planned=0, late=1, cpu=1.0), [Reason.UNPUNCTUAL, Reason.SATURATED]),
    ],
)
def test_every_broken_precondition_is_named(conditions: Conditions, reasons: list[Reason]) -> None:
    assert [one.reason for one in broken_preconditions(conditions)] == reasons


def test_figures_are_told() -> None:
    (broken,) = broken_preconditions(Conditions(planned=1_000, late=20, dropped=1))
    assert str(broken) == "late or dropped starts: 20 late and 1 dropped of 1000 starts, at most 1.0% are tolerated"


def test_just_the_bound_of_unattributed_requests_is_tolerated() -> None:
    assert too_many_unattributed([690, 300], 10, 0.01) is None
    assert too_many_unattributed([690, 299], 11, 0.01) is not None


def test_only_arms_with_a_weight_must_have_traffic() -> None:
    assert idle_arms([10, 0, 0], (70, 0, 30)) is not None
    assert idle_arms([10, 0, 3], (70, 0, 30)) is None
