"""Interruptions lose no log lines and double none: an agent that is replaced, a backend that fails for a while."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from meshproof.datadog import Datadog
from meshproof.errors import InvalidMeasurement
from meshproof.mesh import Mesh
from meshproof.observability.agent_settings import replace_agent
from meshproof.observability.ledger import COLUMNS, Expectation, Ledger, reconcile
from meshproof.observability.sentinels import Stream, new_run
from meshproof.observability.writers import Writer, standing, writer_pod, writing
from meshproof.probe.inventory import Pod
from meshproof.report.evidence import Evidence, LedgerRow, Stage, Tone
from meshproof.waiting import StateLost, StateNotReached, consistently, eventually

pytestmark = [pytest.mark.looks_at("agents"), pytest.mark.changes("agents")]

NAMESPACE = "meshproof-interruptions"
LOGS = "/api/v2/logs"
LINES = 50
# In turn: each third batch that comes is answered with 429, of the others each second with 500, the rest not at all.
REFUSALS: tuple[dict[str, Any], ...] = (
    {"path": LOGS, "method": "POST", "status": 429, "every": 3},
    {"path": LOGS, "method": "POST", "status": 500, "every": 2},
    {"path": LOGS, "method": "POST", "reset": True},
)


@dataclass(frozen=True)
class Place:
    """A writer, and the agent of its node."""

    writer: Writer
    agent: Pod


@pytest.fixture(scope="module")
def place(mesh: Mesh, datadog: Datadog) -> Iterator[Place]:
    """A pod that writes, on a node with an agent."""
    agents = [agent for agent in datadog.agents() if agent.is_ready]
    if not agents:
        raise InvalidMeasurement("no agent is ready")
    pods = [writer_pod(NAMESPACE, "steady", node=agents[0].node)]
    with standing(mesh.cluster, partial(mesh.temporary, wait=False), [NAMESPACE], pods) as (writer,):
        yield Place(writer, agents[0])


def settled(datadog: Datadog, writer: Writer, stream: Stream, count: int) -> Ledger:
    """What became of `count` lines, judged when one line more has come: what comes doubled has come by then."""

    def arrived(number: int) -> Ledger:
        expected = [Expectation(stream.name, range(1, number + 1))]
        what = f"the first {number} lines of {stream.name} arrive"
        query = stream.phrase()
        found = datadog.logs(query, until=lambda lines: reconcile(stream.run, expected, lines).complete, what=what)
        return reconcile(stream.run, expected, found)

    arrived(count)
    writer.write([stream.line(count + 1)])
    return arrived(count + 1)


def judge(ledger: Ledger, evidence: Evidence) -> None:
    """Keep the ledger, and judge all of it."""
    accounts = [*ledger.accounts.values()]
    tones = [Tone.BAD if it.faults else Tone.GOOD for it in accounts]
    evidence.ledger("lines", [LedgerRow(**it.row, tone=tone) for it, tone in zip(accounts, tones, strict=True)])
    evidence.table("accounts", COLUMNS, [it.cells for it in accounts])
    assert not ledger.faults, "; ".join(ledger.faults)


def test_a_backend_that_fails_for_a_while_loses_and_doubles_nothing(
    place: Place, datadog: Datadog, evidence: Evidence
) -> None:
    """While every batch is answered with 429, 500 or a reset, lines wait with the agent; afterwards all arrive once."""
    if datadog.intake is None:
        pytest.skip("Datadog itself cannot be told to fail")
    unhindered, hindered = (Stream(new_run(), name) for name in ("unhindered", "hindered"))
    began = time.monotonic()
    place.writer.write([unhindered.line(1)])
    if not datadog.logs(unhindered.phrase(), until=lambda found: found, what="a line arrives unhindered"):
        raise InvalidMeasurement("no line arrives even while nothing fails")
    usual = time.monotonic() - began
    before, asked = refused(datadog), datetime.now(UTC)
    with datadog.intake.faults(*REFUSALS):
        place.writer.write(hindered.lines(1, LINES))
        try:
            consistently(
                lambda: not datadog.backend.logs(hindered.phrase(), asked),
                seconds=usual + 1.5,
                what="no line gets through while the backend fails",
                every=0.5,
            )
        except StateLost as error:
            raise InvalidMeasurement("lines got through while every batch should have failed", seen=error) from error
        with suppress(StateNotReached):
            eventually(lambda: refused(datadog) > before, timeout=datadog.deadline, what="a batch is refused")
        times = refused(datadog) - before
    evidence.figure("seconds until a line arrives, unhindered", usual, "s")
    evidence.figure("batches refused", times)
    if times < 1:
        raise InvalidMeasurement("no batch came while the backend failed, so nothing was interrupted")
    with suppress(StateNotReached):  # an agent that was refused tries again later and later
        back = partial(datadog.backend.logs, hindered.phrase(), asked)
        eventually(back, timeout=2 * datadog.deadline, what="lines come again", every=datadog.backend.poll_seconds)
    judge(settled(datadog, place.writer, hindered, LINES), evidence)


def refused(datadog: Datadog) -> int:
    """How many batches of log lines the intake has refused on purpose."""
    assert datadog.intake is not None
    counts = datadog.intake.status()
    return sum(int(counts.get(f"{what}:{LOGS}", 0)) for what in ("fault 429", "fault 500", "reset"))


@pytest.mark.restarts
def test_a_replaced_agent_loses_and_doubles_nothing(
    mesh: Mesh, place: Place, datadog: Datadog, evidence: Evidence
) -> None:
    """While a container writes, its node's agent is deleted and another one comes: each line arrives once, in order."""
    stream = Stream(new_run(), "steady")
    began = time.monotonic()
    with writing(place.writer, stream) as steady:
        if not datadog.logs(stream.phrase(1), until=lambda found: found, what="the first line arrives"):
            raise InvalidMeasurement("no line arrives even before the agent is deleted")
        at_deletion, deleted = steady.count, time.monotonic()
        successor = replace_agent(mesh.cluster, place.agent)
        at_return, returned = steady.count, time.monotonic()
        with suppress(StateNotReached):
            eventually(
                lambda: steady.error is not None or steady.count >= at_return + 20,
                timeout=mesh.timeouts.log_line,
                what="the writer goes on",
            )
    evidence.stages(
        "the agent",
        [
            Stage("deleted", place.agent.name, f"{at_deletion} lines were written", round(deleted - began, 2)),
            Stage("replaced", successor.name, f"{at_return} lines were written", round(returned - began, 2)),
        ],
    )
    if at_return <= at_deletion:
        raise InvalidMeasurement(
            "nothing was written while the agent was away", seen=f"{at_return} lines before and after"
        )
    judge(settled(datadog, place.writer, stream, steady.count), evidence)
