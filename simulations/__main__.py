"""Measure every promised error rate.

    python -m simulations                  everything, on two processes
    python -m simulations --scale 0.1      a tenth of the nights
    python -m simulations --only drifting  one part

Prints promised and measured figures side by side, each with its interval at 99.9 %, and exits with 1 when a promise is
broken. The seed is fixed, so that a run can be repeated; give another one with --seed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from simulations import canary, independence, nights, split
from simulations.peers import peer_lines
from simulations.promises import Measured

Part = Callable[[np.random.Generator, float], list[Measured]]

PARTS: tuple[tuple[str, Part], ...] = (
    ("the split, A/A: false alarms", split.false_alarms),
    ("the split at the edge of the margin: false certificates", split.false_certificates),
    ("the split, unattributed requests", split.unattributed),
    ("a wrong split: caught", split.biased),
    ("a right split: certified", split.certified),
    ("a split that drifts: caught", split.drifting),
    ("many nights, A/A: false alarms", nights.good_nights),
    ("many nights of a small bias: caught", nights.biased_nights),
    ("independence, A/A: false alarms", independence.independent),
    ("independence: caught", independence.dependent),
    ("the canary, A/A", canary.same),
    ("the canary at its margins: false verdicts", canary.margins),
    ("a different canary: told", canary.different),
    ("the canary: intervals", canary.coverage),
)


def simulated(place: int, seed: int, scale: float) -> tuple[list[Measured], float]:
    """One part and the seconds it took; its random numbers are the same whatever else runs."""
    began = time.perf_counter()
    measured = PARTS[place][1](np.random.default_rng([seed, place]), scale)
    return measured, time.perf_counter() - began


def shown(title: str, measured: list[Measured], seconds: float) -> list[str]:
    """A table of one part."""
    lines = ["", f"{title} ({seconds:.0f} s)"]
    for one in measured:
        mark = " " if one.promised is None else "ok" if one.kept else "BROKEN"
        lines.append(
            f"  {one.setting:<78}{one.promised or '':>16}{one.measured:>11}  {one.interval:<36}{mark}".rstrip()
        )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulations", description="Measure every promised error rate.")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the nights to run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="parts whose title or function contains this")
    options = parser.parse_args()
    chosen = [at for at, (title, part) in enumerate(PARTS) if options.only in title or options.only in part.__name__]
    began, broken, kept = time.perf_counter(), 0, 0
    with ProcessPoolExecutor(options.processes) as pool:
        running = [pool.submit(simulated, at, options.seed, options.scale) for at in chosen]
        for at, future in zip(chosen, running, strict=True):
            measured, seconds = future.result()
            print("\n".join(shown(PARTS[at][0], measured, seconds)), flush=True)
            broken += sum(not one.kept for one in measured)
            kept += sum(one.kept and one.promised is not None for one in measured)
    if not options.only:
        print("\n".join(["", "peers (exact)", *(f"  {line}" for line in peer_lines())]))
    print(f"\n{kept} promises kept, {broken} broken, in {time.perf_counter() - began:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
