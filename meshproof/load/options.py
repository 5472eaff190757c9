"""What a load test can be told, in one table: Locust's parser, its web form and the suites read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from meshproof.errors import UsageError
from meshproof.load.margins import margins_of
from meshproof.load.schedule import Arrivals
from meshproof.verdict.arrays import as_shares
from meshproof.verdict.canary import CanaryPromise
from meshproof.verdict.split import SplitPromise

__all__ = ["CANARY", "LOAD", "SPLIT", "Load", "Option", "canary_promise", "split_promise"]


@dataclass(frozen=True)
class Option:
    """A command line option `--name`. The type of `default` is that of its values."""

    name: str
    default: str | int | float
    help: str

    @property
    def key(self) -> str:
        """Its name in parsed options."""
        return self.name.replace("-", "_")


LOAD = (
    Option("weights", "70,30", "the promised split, in any unit"),
    Option("arms", "v1,v2", "values of the arm header, in the order of the weights"),
    Option("arm-header", "x-meshproof-arm", "response header that names the arm, set for each destination"),
    Option("target-host", "", "Host header; without it that of --host"),
    Option("path", "/", "path of every request"),
    Option("rate", 300.0, "requests a second, over all processes"),
    Option("arrivals", "poisson", "poisson or constant"),
    Option("revision", "", "begin only when answers carry this value in the revision header, and count others"),
    Option("revision-header", "x-meshproof-revision", "response header that tells the configuration's revision"),
    Option("settle-within", 30.0, "seconds that the revision may take"),
    Option("late-after", 0.01, "seconds after its intended time at which a start counts as late"),
    Option("max-in-flight", 1000, "connections of one process; what is due while all are in use is dropped"),
    Option("request-timeout", 10.0, "seconds"),
    Option("drain", 10.0, "seconds that requests may still take after the last start"),
    Option("seed", -1, "makes the schedule repeatable; below 0 it is not"),
    Option("run-id", "", "marks the run: every request's User-Agent is meshproof-load/RUN-ID (default: a random one)"),
    Option("rows", "", "Parquet file for the raw rows (default: reports/load/NAME-TIME.parquet)"),
    Option("alpha", 1e-3, "how often each verdict may be wrong"),
)
SPLIT = (
    Option("margin", 5.0, "points that each share may be off"),
    Option("cap", 6000, "requests after which an undecided run ends"),
    Option("bias", 0.0, "points of a bias to plan for (default: the margin)"),
)
CANARY = (
    Option("margins", "default", "name of a row in meshproof/load/margins.py, or p50=1.1,p90=1.15,p99=1.3,errors=1.5"),
    Option("requests", 0, "requests to send (default: as many as the margins need)"),
    Option("sigma", 0.5, "spread of the log-latencies to plan for"),
    Option("slow-after", 0.0, "seconds from which on a request counts as slow; 0 for never"),
)


@dataclass(frozen=True)
class Load:
    """How load is made, checked. `run_id` is that of one run, random where none was given."""

    weights: tuple[float, ...]
    arms: tuple[str, ...]
    arm_header: str
    target_host: str
    path: str
    rate: float
    arrivals: Arrivals
    revision: str
    revision_header: str
    settle_within: float
    late_after: float
    max_in_flight: int
    request_timeout: float
    drain: float
    seed: int | None
    run_id: str
    rows: str
    alpha: float

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Load:
        """From options by key; those left out have their defaults.

        Raises UsageError for values that nothing can be measured with.
        """
        values = {option.key: given.get(option.key, option.default) for option in LOAD}
        values["weights"] = _numbers(str(values["weights"]))
        values["arms"] = tuple(word for word in re.split(r"[\s,/]+", str(values["arms"])) if word)
        values["arm_header"] = str(values["arm_header"]).lower()
        values["revision_header"] = str(values["revision_header"]).lower()
        values["run_id"] = str(values["run_id"]) or uuid4().hex[:12]
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", values["run_id"]):
            remedy = "give up to 64 letters, digits, dots, dashes and underscores"
            raise UsageError("--run-id cannot stand in a User-Agent", seen=values["run_id"], remedy=remedy)
        values["seed"] = None if int(values["seed"]) < 0 else int(values["seed"])
        try:
            values["arrivals"] = Arrivals(str(values["arrivals"]).lower())
        except ValueError:
            seen, remedy = values["arrivals"], "poisson or constant"
            raise UsageError("there are no such arrivals", seen=seen, remedy=remedy) from None
        as_shares(values["weights"])
        if len(values["arms"]) != len(values["weights"]) or len(set(values["arms"])) != len(values["arms"]):
            seen = f"--weights {values['weights']} --arms {values['arms']}"
            raise UsageError("weights and arms do not fit", seen=seen, remedy="name each arm once, in the same order")
        for name in ("rate", "late_after", "max_in_flight", "request_timeout", "settle_within"):
            if not values[name] > 0:
                raise UsageError(f"--{name.replace('_', '-')} has to be above 0", seen=values[name])
        if values["drain"] < 0:
            raise UsageError("--drain cannot be below 0", seen=values["drain"])
        if not str(values["path"]).startswith("/"):
            raise UsageError("--path has to begin with /", seen=values["path"])
        return cls(**values)

    @property
    def user_agent(self) -> str:
        """Of every request: Envoy's spans and access logs carry it, so that a backend finds the run's by its id."""
        return f"meshproof-load/{self.run_id}"


def split_promise(load: Load, given: Mapping[str, Any]) -> SplitPromise:
    """What split.py judges. Raises UsageError."""
    margin = float(given.get("margin", SPLIT[0].default))
    if not 0 < margin < 100:
        raise UsageError("--margin is no number of points", seen=margin, remedy="give points, like 5 for 5 % of 100 %")
    return SplitPromise(load.weights, margin / 100, load.alpha, int(given.get("cap", SPLIT[1].default)))


def canary_promise(load: Load, given: Mapping[str, Any]) -> CanaryPromise:
    """What canary.py judges: the second arm against the first. Raises UsageError."""
    if len(load.arms) != 2 or 0 in load.weights:
        seen = f"--arms {load.arms} --weights {load.weights}"
        raise UsageError(
            "a canary is compared with one baseline", seen=seen, remedy="give two arms, both with a weight"
        )
    margins = margins_of(str(given.get("margins", CANARY[0].default)))
    slow_after = float(given.get("slow_after", 0)) or None
    return CanaryPromise(margins.quantiles, margins.errors, slow_after=slow_after, alpha=load.alpha)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in re.split(r"[\s,/]+", text) if word)
    except ValueError:
        raise UsageError("these weights are no numbers", seen=text, remedy="give them like 70,30") from None
