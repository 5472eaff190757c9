"""Whether as many requests are traced as was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from meshproof.probe import Request
from meshproof.verdict import Verdict
from meshproof.verdict.split import SplitJudgement, SplitPromise, at_looks, judge_split

__all__ = ["Tracing", "forced", "is_decided", "judge_share", "tracings"]

_KEEP = "2"
"""Datadog's sampling priority "the user wants this trace"."""


def judge_share(marks: Sequence[str], traced: Set[str], promise: SplitPromise) -> SplitJudgement:
    """Whether the share of the requests that are traced is the promised one; `promise` has the weights of traced and
    untraced requests, in this order. `marks` are those of all requests, in the order of their starts.

    Only for shares between none and all: for those, one request that is otherwise is enough.
    """
    arms = [0 if mark in traced else 1 for mark in marks]
    cumulative, _ = at_looks(arms, 2, promise.look_every)
    return judge_split(cumulative, promise)


def is_decided(judgement: SplitJudgement) -> bool:
    """Whether there were enough requests for an answer."""
    return judgement.verdict in (Verdict.CONFORM, Verdict.VIOLATE)


def forced(request: Request, trace_id: int, parent_id: int) -> dict[str, str]:
    """Headers with which a client that has a trace of its own asks for it to be continued and kept."""
    return {
        **request.headers,
        "x-datadog-trace-id": str(trace_id),
        "x-datadog-parent-id": str(parent_id),
        "x-datadog-sampling-priority": _KEEP,
    }


@dataclass(frozen=True, order=True)
class Tracing:
    """What a listener of a proxy is told: the Envoy cluster that traces are sent to, and the percentage of requests
    that are traced, among those about which nobody upstream has decided."""

    collector: str
    percentage: float


def tracings(configs: Iterable[Mapping[str, Any]]) -> frozenset[Tracing]:
    """What the listeners in force in a config dump say about tracing; nothing when none of them traces.

    A listener without a sampling percentage traces everything (Envoy's default); a percentage of zero is written as
    an empty object.
    """
    found = set()
    for config in configs:
        for tracing in _tracing_blocks(config.get("active_state", config)):
            provider = (tracing.get("provider") or {}).get("typed_config") or {}
            sampling = tracing.get("random_sampling")
            percentage = 100.0 if sampling is None else float(sampling.get("value", 0.0))
            found.add(Tracing(str(provider.get("collector_cluster", "")), percentage))
    return frozenset(found)


def _tracing_blocks(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        manager = str(part.get("@type", "")).endswith(".HttpConnectionManager")
        if manager and isinstance(part.get("tracing"), dict):
            yield part["tracing"]
        for value in part.values():
            yield from _tracing_blocks(value)
    elif isinstance(part, list):
        for value in part:
            yield from _tracing_blocks(value)
