"""What a load test can be told, in one table: Locust's parser, its web form and the suites read it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from meshproof.errors import UsageError
from meshproof.load.margins import margins_of
from meshproof.load.schedule import Arrivals
from meshproof.secrecy import shown
from meshproof.verdict.arrays import as_shares
from meshproof.verdict.canary import CanaryPromise
from meshproof.verdict.split import SplitPromise

__all__ = [
    "CANARY",
    "LOAD",
    "SPLIT",
    "Load",
    "Option",
    "by_key",
    "canary_promise",
    "check_target",
    "split_promise",
    "told_options",
]


@dataclass(frozen=True)
class Option:
    """A command line option `--name`. The type of `default` is that of its values; numbers are from `low` to `high`."""

    name: str
    default: str | int | float
    help: str
    low: float = 0
    high: float = 1e9

    @property
    def key(self) -> str:
        """Its name in parsed options."""
        return self.name.replace("-", "_")

    def of(self, given: Mapping[str, Any]) -> Any:
        """Its value among options by key, or else its default.

        Raises UsageError for what is no such value.
        """
        value = given.get(self.key, self.default)
        if isinstance(self.default, str):
            if not isinstance(value, str) or not value.isprintable():
                raise UsageError(f"--{self.name} is no line of text", seen=shown(value), remedy=f"give {self.help}")
            return value
        try:
            number = type(self.default)(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool) or not self.low <= number <= self.high:
            what = "whole number" if isinstance(self.default, int) else "number"
            remedy = f"give a {what} from {self.low:g} to {self.high:g}: {self.help}"
            raise UsageError(f"--{self.name} is out of range", seen=shown(value), remedy=remedy)
        return number

    @property
    def told(self) -> str:
        """What it is for, and its default."""
        return (
            f"{self.help} (default: {self.default})" if self.default != "" and "default" not in self.help else self.help
        )


LOAD = (
    Option("weights", "70,30", "the promised split, in any unit"),
    Option("arms", "v1,v2", "values of the arm header, in the order of the weights"),
    Option("arm-header", "x-meshproof-arm", "response header that names the arm, set for each destination"),
    Option("target-host", "", "Host header; without it that of --host"),
    Option("path", "/", "path of every request"),
    Option("rate", 300.0, "requests a second, over all processes", low=1e-3, high=1e6),
    Option("arrivals", "poisson", "poisson or constant"),
    Option("revision", "", "begin only when answers carry this value in the revision header, and count others"),
    Option("revision-header", "x-meshproof-revision", "response header that tells the configuration's revision"),
    Option("settle-within", 30.0, "seconds that the revision may take", low=1e-3, high=7200),
    Option("late-after", 0.01, "seconds after its intended time at which a start counts as late", low=1e-6, high=60),
    Option(
        "max-in-flight",
        1000,
        "connections of one process; what is due while all are in use is dropped",
        low=1,
        high=100_000,
    ),
    Option("request-timeout", 10.0, "seconds", low=1e-3, high=3600),
    Option("drain", 10.0, "seconds that requests may still take after the last start", high=3600),
    Option("seed", -1, "makes the schedule repeatable; below 0 it is not", low=-1, high=2**63 - 1),
    Option("run-id", "", "marks the run: every request's User-Agent is meshproof-load/RUN-ID (default: a random one)"),
    Option("rows", "", "Parquet file for the raw rows (default: reports/load/NAME-TIME.parquet)"),
    Option("alpha", 1e-3, "how often each verdict may be wrong", low=1e-12, high=0.5),
)
SPLIT = (
    Option("margin", 5.0, "points that each share may be off", low=1e-3, high=99),
    Option("cap", 6000, "requests after which an undecided run ends", low=1, high=10**8),
    Option("bias", 0.0, "points of a bias to plan for (default: the margin)", low=-99, high=99),
)
CANARY = (
    Option("margins", "default", "name of a row in meshproof/load/margins.py, or p50=1.1,p90=1.15,p99=1.3,errors=1.5"),
    Option("requests", 0, "requests to send (default: as many as the margins need)", high=10**8),
    Option("sigma", 0.5, "spread of the log-latencies to plan for", low=1e-3, high=10),
    Option("slow-after", 0.0, "seconds from which on a request counts as slow; 0 for never", high=3600),
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
        values: dict[str, Any] = {option.key: option.of(given) for option in LOAD}
        values["weights"] = _numbers(values["weights"])
        values["arms"] = tuple(word for word in re.split(r"[\s,/]+", values["arms"]) if word)
        values["seed"] = None if values["seed"] < 0 else values["seed"]
        for name in ("arm_header", "revision_header"):
            values[name] = values[name].lower()
            if not _HEADER.fullmatch(values[name]):
                remedy = "give letters, digits and dashes"
                raise UsageError(f"{_option(name)} is no header's name", seen=shown(values[name]), remedy=remedy)
        for name in ("target_host", "path"):
            if not _IN_REQUEST_LINE.fullmatch(values[name]):
                remedy = "give ASCII without spaces, the rest as %20"
                raise UsageError(
                    f"{_option(name)} does not fit into a request", seen=shown(values[name]), remedy=remedy
                )
        values["run_id"] = values["run_id"] or uuid4().hex[:12]
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", values["run_id"]):
            remedy = "give up to 64 letters, digits, dots, dashes and underscores"
            raise UsageError("--run-id cannot stand in a User-Agent", seen=shown(values["run_id"]), remedy=remedy)
        try:
            values["arrivals"] = Arrivals(values["arrivals"].lower())
        except ValueError:
            seen, remedy = shown(values["arrivals"]), "poisson or constant"
            raise UsageError("--arrivals: there are no such arrivals", seen=seen, remedy=remedy) from None
        with _about("weights"):
            as_shares(values["weights"])
        if len(values["arms"]) != len(values["weights"]) or len(set(values["arms"])) != len(values["arms"]):
            seen = shown({"weights": values["weights"], "arms": values["arms"]})
            raise UsageError(
                "--weights and --arms do not fit", seen=seen, remedy="name each arm once, in the same order"
            )
        if not values["path"].startswith("/"):
            raise UsageError("--path has to begin with /", seen=shown(values["path"]), remedy="give it like /books")
        return cls(**values)

    @property
    def user_agent(self) -> str:
        """Of every request: Envoy's spans and access logs carry it, so that a backend finds the run's by its id."""
        return f"meshproof-load/{self.run_id}"


def by_key(named: Mapping[str, Any]) -> dict[str, Any]:
    """Options by key from options by their names with dashes."""
    return {name.replace("-", "_"): value for name, value in named.items()}


def told_options(options: Sequence[Option]) -> str:
    """For people: Locust shows its own options only, since it answers --help before it loads a file."""
    lines = [f"  --{option.name + ' VALUE':<24}{option.told}" for option in (*LOAD, *options)]
    return "\n".join(["Options, beside Locust's own (locust --help):", *lines])


def check_target(host: str | None) -> None:
    """Raises UsageError when `host` is nothing that requests can be sent to."""
    parts = urlsplit(host or "")
    remedy = "give --host http://GATEWAY"
    if not host:
        raise UsageError("there is nothing to send requests to", remedy=remedy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("--host is no URL of a web server", seen=host, remedy=remedy)


def split_promise(load: Load, given: Mapping[str, Any]) -> SplitPromise:
    """What split.py judges. Raises UsageError."""
    margin, cap, bias = (option.of(given) for option in SPLIT)
    del bias  # only planned with
    with _about("cap"):
        return SplitPromise(load.weights, margin / 100, load.alpha, cap)


def canary_promise(load: Load, given: Mapping[str, Any]) -> CanaryPromise:
    """What canary.py judges: the second arm against the first. Raises UsageError."""
    if len(load.arms) != 2 or 0 in load.weights:
        seen = shown({"weights": load.weights, "arms": load.arms})
        raise UsageError(
            "--arms: a canary is compared with one baseline", seen=seen, remedy="give two arms, both with a weight"
        )
    words, _, _, slow_after = (option.of(given) for option in CANARY)
    with _about("margins"):
        margins = margins_of(words)
        return CanaryPromise(margins.quantiles, margins.errors, slow_after=slow_after or None, alpha=load.alpha)


_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_IN_REQUEST_LINE = re.compile(r"[!-~]*")


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}"


@contextmanager
def _about(name: str) -> Iterator[None]:
    """What is wrong in the block is wrong with this option."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"--{name}: {error.problem}", seen=shown(error.seen), remedy=error.remedy) from error


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in re.split(r"[\s,/]+", text) if word)
    except ValueError:
        raise UsageError("--weights: these are no numbers", seen=shown(text), remedy="give them like 70,30") from None
