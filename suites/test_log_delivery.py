"""Log lines arrive as they were written: long ones, empty ones, stack traces, and while files are rotated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pytest

from meshproof.datadog import Datadog
from meshproof.errors import InvalidMeasurement
from meshproof.intake.backend import LogLine
from meshproof.mesh import Mesh
from meshproof.observability.ledger import COLUMNS, Expectation, Ledger, reconcile
from meshproof.observability.sentinels import Stream, new_run
from meshproof.observability.writers import NODE_LOGS, Writer, all_at_once, standing, writer_pod
from meshproof.report.evidence import Evidence, LedgerRow, Tone
from meshproof.waiting import StateNotReached, eventually

pytestmark = pytest.mark.looks_at("agents")

NAMESPACE = "meshproof-delivery"
PIECE = "0123456789abcdef"
LONG = PIECE * (64 * 1024 // len(PIECE))
WORLD = "Grüße, Ελλάδα, 日本語, עברית, 🚀"
# In batches of 50 this is more than a hundred batches: a backend that refuses one in a hundred refuses one of these.
MANY = 6000
# The kubelet rotates a container's log at 10 MiB, and looks every 10 s.
PAST_THE_LIMIT = 170
JOINED = {
    "ad.datadoghq.com/writer.logs": json.dumps(
        [
            {
                "source": "java",
                "service": "joined",
                "log_processing_rules": [
                    {"type": "multi_line", "name": "begins_with_a_date", "pattern": r"\d{4}-\d{2}-\d{2}"}
                ],
            }
        ]
    )
}


@dataclass(frozen=True)
class Delivered:
    """What was written, and what of it is in the backend."""

    ledger: Ledger
    lines: Mapping[str, Sequence[LogLine]]
    stack: Sequence[str]
    rotated: Sequence[str]
    refused: Mapping[str, int]


@pytest.fixture(scope="module")
def delivered(mesh: Mesh, datadog: Datadog) -> Iterator[Delivered]:
    """One round for all tests here: all writers write at the same time."""
    before = refusals(datadog)
    pods = [
        writer_pod(NAMESPACE, "shapes"),
        writer_pod(NAMESPACE, "joined", annotations=JOINED),
        writer_pod(NAMESPACE, "rotated", sees_node_logs=True),
        writer_pod(NAMESPACE, "many"),
    ]
    with standing(mesh.cluster, partial(mesh.temporary, wait=False), [NAMESPACE], pods) as writers:
        yield deliver(mesh, datadog, before, *writers)


def deliver(
    mesh: Mesh,
    datadog: Datadog,
    before: Mapping[str, int],
    shapes: Writer,
    joined: Writer,
    rotated: Writer,
    many: Writer,
) -> Delivered:
    """Write everything, wait for it, then for one more line, so that what comes doubled has come."""
    run = new_run()
    streams = {name: Stream(run, name) for name in ("long", "world", "apart", "json", "rotated", "many", "last")}
    stack = [
        f"Exception in thread main {run}stack",
        *(f"\tat dev.meshproof.Books.line{number}(Books.java:{number}) {run}stack" for number in range(8)),
    ]
    events = [
        f"2026-11-21 10:00:00 ERROR first {run}joined",
        "\tat one",
        "\tat two",
        f"2026-11-21 10:00:01 INFO second {run}joined",
    ]
    document = {"message": streams["json"].line(1), "level": "error", "user": {"id": 7, "name": "Zoë"}}
    apart = [text for line in streams["apart"].lines(1, 5) for text in ("", line, "", "")]
    files: list[str] = []
    counts = [PAST_THE_LIMIT]

    def write_shapes() -> None:
        shapes.write([*streams["long"].lines(1, 10, LONG), *streams["world"].lines(1, 10, WORLD), *apart])
        shapes.write([json.dumps(document, ensure_ascii=False), *stack])

    def write_past_a_rotation() -> None:
        files[:] = rotate(mesh, rotated, streams["rotated"], counts)

    def write_many() -> None:
        many.write(streams["many"].lines(1, MANY))

    all_at_once([write_shapes, write_past_a_rotation, write_many, lambda: joined.write(events)])
    sent = {"long": 10, "world": 10, "apart": 5, "json": 1, "rotated": counts[0], "many": MANY}
    expected = [Expectation(name, range(1, count + 1)) for name, count in sent.items()]
    last = streams["rotated"].phrase(counts[0])
    datadog.logs(last, until=lambda found: found, what="the last line of the rotated log arrives")
    datadog.logs(run, until=lambda found: reconcile(run, expected, found).complete, what="all lines arrive")
    lines = {
        word: datadog.logs(f"{run}{word}", until=lambda found, count=count: len(found) >= count, what=f"{word} arrives")  # type: ignore[misc]
        for word, count in (("stack", len(stack)), ("joined", 2))
    }
    all_at_once([lambda: shapes.write([streams["last"].line(1)]), lambda: rotated.write([streams["last"].line(2)])])
    expected.append(Expectation("last", (1, 2)))
    phrase = streams["last"].phrase()
    datadog.logs(phrase, until=lambda found: len(found) >= 2, what="one more line of each arrives")
    lines["all"] = datadog.logs(run, until=lambda _: True, what="all lines")
    lines["of the pod"] = datadog.logs(f"kube_namespace:{NAMESPACE} pod_name:shapes", until=lambda _: True, what="all")
    after = refusals(datadog)
    refused = {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}
    # Both writers wrote to the stream `last`, in no order.
    return Delivered(reconcile(run, expected[:-1], lines["all"]), lines, stack, files, refused)


def rotate(mesh: Mesh, writer: Writer, stream: Stream, counts: list[int]) -> list[str]:
    """Write past the limit and on until the file has been rotated, and then some; the rotated files' names."""
    writer.write(stream.lines(1, PAST_THE_LIMIT, LONG))
    folder = f"{NODE_LOGS}/{writer.namespace}_{writer.pod}_*/{writer.container}"

    def rotated() -> list[str]:
        writer.write(stream.lines(counts[0] + 1, 5))
        counts[0] += 5
        listed = mesh.cluster.execute(writer.namespace, writer.pod, ["sh", "-c", f"ls {folder}"])
        return [name for name in listed.text.split() if name.startswith("0.log.")]

    try:
        files = eventually(rotated, timeout=mesh.timeouts.rollout, what="the kubelet rotates the log", every=0.5)
    except StateNotReached as error:
        raise InvalidMeasurement(error.problem, seen=error.seen, remedy="is its limit above 10 MiB?") from error
    writer.write(stream.lines(counts[0] + 1, 50))
    counts[0] += 50
    return files


def refusals(datadog: Datadog) -> dict[str, int]:
    """How often the intake has refused log lines in the ways after which an agent drops them, by its own count."""
    if datadog.intake is None:
        return {}
    faults = ("fault 400", "fault 401", "fault 403", "fault 413")
    rejections = ("rejected:malformed", "rejected:too_large", "rejected:foreign_key")
    return {
        name: int(count)
        for name, count in datadog.intake.status().items()
        if name.endswith(":/api/v2/logs") and name.startswith((*faults, *rejections))
    }


def judge(delivered: Delivered, name: str, evidence: Evidence) -> None:
    """Keep the ledger, and judge one stream."""
    accounts = [*delivered.ledger.accounts.values()]
    tones = [Tone.BAD if it.faults else Tone.GOOD for it in accounts]
    evidence.ledger("lines", [LedgerRow(**it.row, tone=tone) for it, tone in zip(accounts, tones, strict=True)])
    evidence.table("accounts", COLUMNS, [it.cells for it in accounts])
    assert not delivered.ledger[name].faults, "; ".join(delivered.ledger[name].faults)


def test_long_lines_arrive_whole(delivered: Delivered, evidence: Evidence) -> None:
    """Lines of 64 KiB, which the runtime writes in pieces, arrive as one message each, unaltered."""
    judge(delivered, "long", evidence)


def test_every_one_of_many_lines_arrives(delivered: Delivered, evidence: Evidence) -> None:
    """Thousands of lines written at once arrive once each, in order."""
    judge(delivered, "many", evidence)


def test_every_alphabet_arrives(delivered: Delivered, evidence: Evidence) -> None:
    """Lines in UTF-8 arrive as they were written."""
    judge(delivered, "world", evidence)


def test_empty_lines_are_no_messages(delivered: Delivered, evidence: Evidence) -> None:
    """Empty lines make no messages, and the lines between them arrive once and in order."""
    judge(delivered, "apart", evidence)
    lines = delivered.lines["of the pod"]
    assert lines, "no line of the pod was found"
    empty = [line for line in lines if not line.message.strip()]
    assert not empty, f"{len(empty)} empty messages arrived"


def test_json_lines_become_attributes(delivered: Delivered, evidence: Evidence) -> None:
    """A line that is a JSON object arrives as its message, its status and its attributes."""
    judge(delivered, "json", evidence)
    line = next(it for it in delivered.lines["all"] if "stream=json " in it.message)
    evidence.add("line", line)
    assert line.status == "error", f"its level is error, its status is {line.status}"
    found = {name: line.attributes.get(name) for name in ("user.id", "user.name")}
    assert found == {"user.id": 7, "user.name": "Zoë"}, f"attributes: {dict(line.attributes)}"


def test_each_line_of_a_stack_trace_is_a_message(delivered: Delivered, evidence: Evidence) -> None:
    """Where nothing says otherwise, each line of a stack trace is a message of its own, in order."""
    messages = [line.message.strip() for line in delivered.lines["stack"]]
    written = [line.strip() for line in delivered.stack]
    evidence.add("messages", messages)
    assert len(messages) == len(written), f"{len(messages)} messages for {len(written)} lines: {messages[:3]}"
    others = [f"{is_now!r}, not {was!r}" for was, is_now in zip(written, messages, strict=True) if is_now != was]
    assert not others, f"{len(others)} of {len(written)} messages are not the lines: the first is {others[0]}"


def test_a_multi_line_rule_joins_a_stack_trace(delivered: Delivered, evidence: Evidence) -> None:
    """With a multi_line rule in the pod's annotation, an event and its stack trace are one message."""
    lines = delivered.lines["joined"]
    evidence.add("lines", lines)
    assert len(lines) == 2, f"{len(lines)} messages for two events: {[line.message for line in lines][:4]}"
    first, second = (line.message for line in lines)
    parts = [first.find(part) for part in ("ERROR first", "at one", "at two")]
    assert parts == sorted(parts) and parts[0] >= 0, f"the first event is not whole: {first}"
    assert "INFO second" in second and "at " not in second, f"the second event is not alone: {second}"
    assert {line.service for line in lines} == {"joined"}, f"the annotation's service is not used: {lines[0].service}"
    assert all("source:java" in line.tags for line in lines), "the annotation's source is not used"


def test_a_rotated_log_loses_and_doubles_nothing(delivered: Delivered, evidence: Evidence) -> None:
    """While a writer goes on, the kubelet rotates its log; each line arrives once, in order."""
    evidence.add("rotated files", delivered.rotated)
    judge(delivered, "rotated", evidence)


def test_no_batch_was_refused_for_good(delivered: Delivered, datadog: Datadog, evidence: Evidence) -> None:
    """The backend refused no batch in a way after which an agent drops it: 400, 401, 403, 413."""
    if datadog.intake is None:
        pytest.skip("Datadog does not tell what it refused")
    evidence.add("refused", delivered.refused)
    assert not delivered.refused, f"log lines were refused and dropped: {dict(delivered.refused)}"
