"""Evidence of many independent nights: a bias too small for one of them shows in all of them together.

A night's e-value is that of its e-process at the moment where the night stopped: `SplitJudgement.log_evidence` of all
its requests, or that of the look at which it was decided. Both moments are stopping times, so under the promise the
value has a mean of at most 1 (optional stopping), whatever the earlier nights were. So the product over the nights is a
test supermartingale that moves once a night, and by Ville's inequality it ever reaches 1/alpha with probability at most
alpha, also when each night is looked at and when one may decide each morning whether there will be another: Vovk &
Wang, E-values: calibration, combination and applications, Annals of Statistics 49 (2021); Grünwald, de Heide
& Koolen, Safe testing, JRSSB 86 (2024), arXiv 1906.07801, on optional continuation.

What would break this: a night's largest e-value instead of the one at its end (its mean is above 1), the better of two
moments, chosen afterwards, and nights that are left out because of what they showed. An INVALID night may be left out,
or be 1, which is the same: its preconditions do not look at how the requests were split.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from meshproof.errors import UsageError
from meshproof.verdict.arrays import Floats

__all__ = ["evidence_of_a_change", "evidence_over_nights", "first_night_refuted"]


def evidence_over_nights(log_e: Sequence[float]) -> float:
    """log of the product of the nights' e-values, from their logs in natural logs; 0 for no nights.

    An e-value of 0, log -inf, is final. Raises UsageError for what is no log of an e-value.
    """
    return float(_products(_checked(log_e))[..., -1])


def evidence_of_a_change(log_e: ArrayLike) -> Floats:
    """log of a mixture of products that begin at any of the nights, after each night: from (..., nights), the same
    shape.

    Good nights make the product small, a good year so small that a bias would have to make up for all of it. The
    product that begins at the j-th night is 1 before, and weighs 1/(j (j+1)): the mixture is a supermartingale that
    starts at 1, as the product is, and sees a bias that began with the j-th night about log(j (j+1)) later than if one
    had begun to look just then. Shin, Ramdas & Rinaldo, E-detectors (arXiv 2203.03532).

    Raises UsageError for what is no log of an e-value.
    """
    logs = _checked(log_e)
    nights = logs.shape[-1]
    # What is yet to begin weighs 1/(nights + 1) together.
    evidence = np.broadcast_to(-np.log(np.arange(nights) + 2.0), logs.shape).copy()
    for j in range(1, nights + 1):
        grown = _products(logs[..., j - 1 :])[..., 1:] - np.log(j * (j + 1))
        evidence[..., j - 1 :] = np.logaddexp(evidence[..., j - 1 :], grown)
    return evidence


def first_night_refuted(log_e: ArrayLike, alpha: float) -> int | None:
    """The number, from 1, of the first night after which evidence_of_a_change reached 1/alpha: wrong with probability
    at most alpha in the whole history. What was refuted stays so, whatever later nights show.
    """
    if not 0 < alpha < 1:
        raise UsageError("alpha is no error rate", seen=alpha, remedy="give a probability, like 1e-3")
    reached = np.flatnonzero(evidence_of_a_change(np.ravel(np.asarray(log_e, dtype=np.float64))) >= -np.log(alpha))
    return int(reached[0]) + 1 if reached.size else None


def _products(logs: Floats) -> Floats:
    """log of the product so far, before the first night and after each, (..., nights + 1)."""
    # Who has lost everything cannot win it back, not even by an infinite e-value.
    lost = np.logical_or.accumulate(np.isneginf(logs), axis=-1)
    so_far = np.cumsum(np.where(lost, 0.0, logs), axis=-1)
    start = np.zeros((*logs.shape[:-1], 1))
    return np.concatenate([start, np.where(lost, -np.inf, so_far)], axis=-1)


def _checked(log_e: ArrayLike) -> Floats:
    logs = np.asarray(log_e, dtype=np.float64)
    if np.isnan(logs).any():
        remedy = "leave out the nights that were not measured"
        raise UsageError("a night's evidence is no number", seen=logs.tolist(), remedy=remedy)
    return logs
