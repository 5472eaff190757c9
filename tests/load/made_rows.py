from __future__ import annotations

import numpy as np

from meshproof.load.rows import Row, Rows


def made(
    requests: int,
    share: float = 0.3,
    *,
    slower: float = 1.0,
    failing: float = 0.0,
    silent: float = 0.0,
    revision: str | None = None,
    seed: int = 5,
) -> Rows:
    """Rows as a run at 300 requests a second with log-normal latencies around 2 ms makes them."""
    random = np.random.default_rng(seed)
    starts = 1_700_000_000_000_000 + np.cumsum(random.exponential(3_333, requests)).astype(np.int64)
    rows = []
    for number, start in enumerate(starts):
        canary = random.random() < share
        took = int(2_000 * np.exp(0.4 * random.standard_normal()) * (slower if canary else 1.0))
        status = 500 if canary and random.random() < failing else 200
        version = None if random.random() < silent else ("v2" if canary else "v1")
        intended = int(start) - 100
        rows.append(
            Row(intended, int(start), int(start) + took, status, version, number % 8, number % 8, 3, None, revision)
        )
    return Rows.of(rows)
