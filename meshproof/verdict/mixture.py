"""The multinomial e-process: how much the counts speak against a split, at any time.

Lindon & Malek, Anytime-Valid Inference for Multinomial Count Data, NeurIPS 2022 (arXiv 2011.03567). Under the promised
shares p the process is a martingale that starts at 1, so by Ville's inequality it ever reaches 1/alpha with probability
at most alpha, however often one looks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from meshproof.verdict.arrays import Floats

__all__ = ["CONCENTRATIONS", "log_evidence"]

# Small ones are quick to see a gross bias, large ones a slight one; the average of e-processes is one. Of the mixtures
# tried on the lattice that see 100/0 within 50 requests, this one catches 65/35 soonest at 1e-4: after 2 109 requests
# on average, in 99.3 % of runs within 4 600.
CONCENTRATIONS: tuple[float, ...] = (10.0, 60.0, 300.0, 1000.0)


def log_evidence(counts: ArrayLike, shares: ArrayLike, concentrations: Sequence[float] = CONCENTRATIONS) -> Floats:
    """log E for counts (..., arms) against the promised shares (..., arms); the result has shape (...).

    With the prior Dirichlet(c p), averaged over c, and B the multivariate beta function:
    E = mean over c of B(c p + k) / B(c p) / prod p_j^k_j. A request on an arm that is promised nothing is infinite
    evidence; without such a request that arm does not count.
    """
    k = np.asarray(counts, dtype=np.float64)
    p = np.asarray(shares, dtype=np.float64)
    offered = p > 0
    impossible = np.any(~offered & (k > 0), axis=-1)
    safe = np.where(offered, p, 1.0)
    likelihood = np.sum(np.where(offered, xlogy(k, safe), 0.0), axis=-1)
    total = np.sum(np.where(offered, k, 0.0), axis=-1)
    logs = []
    for c in concentrations:
        gained = np.where(offered, gammaln(c * safe + k) - gammaln(c * safe), 0.0)
        logs.append(np.sum(gained, axis=-1) - (gammaln(c + total) - gammaln(c)) - likelihood)
    averaged = np.logaddexp.reduce(logs) - np.log(len(logs))
    return np.asarray(np.where(impossible, np.inf, averaged), dtype=np.float64)
