"""One table of three independent counts: the client's rows, the proxies' own counters, the traces that arrived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshproof.errors import UsageError
from meshproof.verdict import Verdict

__all__ = ["ArmCount", "ProxyCount", "Reconciliation", "counted_since", "reconcile"]


@dataclass(frozen=True)
class ProxyCount:
    """What the proxies counted for one arm during the run: attempts, as Envoy's rq_total of the subset's endpoints, and
    those among them that failed (rq_error). `retries` (upstream_rq_retry), where the proxies keep it."""

    attempts: int
    errors: int = 0
    retries: int | None = None

    def __add__(self, other: ProxyCount) -> ProxyCount:
        retries = None if self.retries is None or other.retries is None else self.retries + other.retries
        return ProxyCount(self.attempts + other.attempts, self.errors + other.errors, retries)


@dataclass(frozen=True)
class ArmCount:
    """One line of the table. `unexplained` names each difference that has no reason."""

    arm: str
    client: int
    proxy: int
    retries: int
    answered_by_proxy: int
    backend: int | None
    explained: tuple[str, ...]
    unexplained: tuple[str, ...]


@dataclass(frozen=True)
class Reconciliation:
    """CONFORM when every difference is explained, else INVALID: then no source can be trusted."""

    verdict: Verdict
    reason: str
    arms: tuple[ArmCount, ...]
    unattributed: int

    @property
    def lines(self) -> tuple[str, ...]:
        """The table, for people."""
        head = f"{'arm':<8}{'client':>9}{'proxies':>9}{'retries':>9}{'no try':>8}{'traces':>9}  differences"
        lines = [head]
        for arm in self.arms:
            traces = "-" if arm.backend is None else f"{arm.backend:,}"
            notes = "; ".join([*arm.explained, *(f"UNEXPLAINED {note}" for note in arm.unexplained)]) or "none"
            numbers = f"{arm.client:>9,}{arm.proxy:>9,}{arm.retries:>9,}{arm.answered_by_proxy:>8,}{traces:>9}"
            lines.append(f"{arm.arm:<8}{numbers}  {notes}")
        return (*lines, f"{self.unattributed:,} requests name no arm", f"{self.verdict}: {self.reason}")


def counted_since(before: Mapping[str, ProxyCount], after: Mapping[str, ProxyCount]) -> dict[str, ProxyCount]:
    """What was counted between two readings, by endpoint or proxy. One that came in between began at zero.

    Raises UsageError when a counter went back or is gone: its proxy restarted, and what it had counted is lost.
    """
    found = {}
    for name in before.keys() - after.keys():
        raise UsageError(f"the counters of {name} are gone", remedy="nothing may restart while it is measured")
    for name, now in after.items():
        then = before.get(name, ProxyCount(0, 0, 0))
        retries = None if now.retries is None or then.retries is None else now.retries - then.retries
        count = ProxyCount(now.attempts - then.attempts, now.errors - then.errors, retries)
        if min(count.attempts, count.errors, count.retries or 0) < 0:
            raise UsageError(f"the counters of {name} went back", seen=f"{then}, then {now}", remedy="measure again")
        found[name] = count
    return found


def reconcile(
    client: Mapping[str, int],
    proxies: Mapping[str, ProxyCount],
    backend: Mapping[str, int] | None = None,
    *,
    failed: Mapping[str, int] | None = None,
    unattributed: int = 0,
) -> Reconciliation:
    """Compare requests by arm: `client` rows that name the arm, what `proxies` sent to it, traces in the `backend`.

    `failed` are the client's 5xx answers by arm: a proxy gives some of them itself, with the arm's header and without
    an attempt. What else may differ, and is bounded: attempts that were retried; requests that name no arm in the
    client's rows but reached one. `backend` is None where traces are not compared; every request has to be traced.
    Without proxies or with an arm that one source does not know there is nothing to compare: INVALID.
    """
    arms = sorted({*client, *proxies, *(backend or {})})
    lines: list[ArmCount] = []
    spare = unattributed
    spare_traces = unattributed
    for arm in arms:
        explained: list[str] = []
        unexplained: list[str] = []
        own = client.get(arm, 0)
        count = proxies.get(arm)
        if count is None:
            unexplained.append("the proxies know no such arm")
            count = ProxyCount(own)
        retries, by_proxy, spare = _against_proxies(
            own, count, (failed or {}).get(arm, 0), spare, explained, unexplained
        )
        traced = None if backend is None else backend.get(arm, 0)
        if traced is not None:
            spare_traces = _against_traces(own, traced, spare_traces, explained, unexplained)
        lines.append(
            ArmCount(arm, own, count.attempts, retries, by_proxy, traced, tuple(explained), tuple(unexplained))
        )
    wrong = [f"{line.arm}: {note}" for line in lines for note in line.unexplained]
    if not lines:
        wrong.append("there is nothing to compare")
    if wrong:
        verdict, reason = Verdict.INVALID, "the counts do not agree: " + "; ".join(wrong)
    else:
        sources = "client and proxies" if backend is None else "client, proxies and traces"
        verdict, reason = Verdict.CONFORM, f"{sources} agree on {sum(client.values()):,} requests"
    return Reconciliation(verdict, reason, tuple(lines), unattributed)


def _against_proxies(
    own: int, count: ProxyCount, failed: int, spare: int, explained: list[str], unexplained: list[str]
) -> tuple[int, int, int]:
    """Retries, answers without an attempt, and how many unattributed requests are still to be found."""
    # Without the counter, every failed attempt that the client did not see as a failure was retried.
    surplus = count.attempts - own
    most = max(count.errors - failed, 0)
    retries = count.retries if count.retries is not None else min(max(surplus, 0), most)
    surplus -= retries
    if retries:
        explained.append(f"{retries:,} attempts were retries")
    by_proxy = 0
    if surplus < 0:
        by_proxy = min(-surplus, failed)
        surplus += by_proxy
        if by_proxy:
            explained.append(f"{by_proxy:,} of {failed:,} failures were answered by the proxy itself")
    if surplus > 0:
        found = min(surplus, spare)
        spare, surplus = spare - found, surplus - found
        if found:
            explained.append(f"{found:,} reached it and were not attributed by the client")
    if surplus > 0:
        unexplained.append(f"the proxies sent {surplus:,} more than the client knows of")
    if surplus < 0:
        unexplained.append(f"the client saw {-surplus:,} more than the proxies sent")
    return retries, by_proxy, spare


def _against_traces(own: int, traced: int, spare: int, explained: list[str], unexplained: list[str]) -> int:
    if traced < own:
        unexplained.append(f"{own - traced:,} traces are missing")
    extra = max(traced - own, 0)
    found = min(extra, spare)
    if found:
        explained.append(f"{found:,} traces of requests without an answer")
    if extra > found:
        unexplained.append(f"{extra - found:,} traces too many")
    return spare - found
