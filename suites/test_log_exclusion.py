"""Logs of the mesh's own parts stay out, and nothing else does.

The excluded write first. Their absence is judged only when later lines of containers that are not excluded have come
through the same agents, twice: lines of different containers may travel in different batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from meshproof.datadog import Datadog
from meshproof.errors import InvalidMeasurement
from meshproof.intake.backend import LogLine
from meshproof.mesh import APPS, Mesh
from meshproof.observability.agent_settings import daemon_set
from meshproof.observability.collected import container_of, lines_by_container, speaks_of, those_that_wrote
from meshproof.observability.filters import ContainerFilters, Key, Product, containers_of
from meshproof.observability.ledger import COLUMNS, Expectation, Ledger, reconcile
from meshproof.observability.sentinels import Stream, new_run
from meshproof.observability.writers import IMAGE, Writer, all_at_once, standing, writer_pod
from meshproof.probe import Request
from meshproof.report.evidence import Evidence, LedgerRow, Tone
from meshproof.settings import DatadogChoice
from meshproof.waiting import StateNotReached, eventually

pytestmark = pytest.mark.looks_at("agents", "addresses", "gateway", "goapi")

PLAIN = "meshproof-logs"
GOAPI = "goapi.apps.svc.cluster.local"
INCLUDED = "docker.io/meshproof/included:1.0.0"
LINES = 5
INSIDE = "{} has no ^ and $, so it is found inside of this longer name"


@dataclass(frozen=True)
class Case:
    """A writer's namespace and image, and what is promised of its lines."""

    namespace: str
    arrives: bool
    because: str
    image: str = IMAGE


CASES = {
    "plain": Case(PLAIN, True, "no list names it"),
    "kube-system": Case("kube-system", False, "its namespace is excluded"),
    "default": Case("default", False, "its namespace is excluded"),
    "default-included": Case("default", True, "its image is included, which comes before its namespace", INCLUDED),
    "look-alike": Case("istio-system-2", False, INSIDE.format("kube_namespace:istio-system")),
    "default-team": Case("my-default-team", False, INSIDE.format("kube_namespace:default")),
    "shorter": Case("kube-publi", True, "kube_namespace:kube-public is not found in a shorter name"),
}
NEW_NAMESPACES = (PLAIN, "istio-system-2", "my-default-team", "kube-publi")
IN = [name for name, case in CASES.items() if case.arrives]
OUT = [name for name, case in CASES.items() if not case.arrives]


@dataclass(frozen=True)
class Measured:
    """What became of one round. `wrote`: the containers that had written; `gateway` and `sidecar` both logged `run`."""

    run: str
    ledger: Ledger
    lines: Sequence[LogLine]
    filters: ContainerFilters
    wrote: frozenset[Key]
    gateway: Key
    sidecar: Key

    def lines_about_the_request(self, container: Key) -> list[LogLine]:
        """The container's lines about the request through the gateway."""
        return [it for it in self.lines if container_of(it) == container and speaks_of(it, self.run)]


@pytest.fixture(scope="module")
def measured(mesh: Mesh, datadog: Datadog) -> Iterator[Measured]:
    """One measurement for all tests about logs here."""
    nodes = [str(agent.node) for agent in datadog.agents()]
    if not nodes:
        raise InvalidMeasurement("there is no agent that could collect logs")
    pods = [writer_pod(it.namespace, f"log-{name}", image=it.image, node=nodes[0]) for name, it in CASES.items()]
    pods += [writer_pod(PLAIN, f"log-sentinel-{number}", node=node) for number, node in enumerate(nodes)]
    with standing(mesh.cluster, partial(mesh.temporary, wait=False), NEW_NAMESPACES, pods) as writers:
        named = dict(zip(CASES, writers, strict=False))
        yield measure(mesh, datadog, named, {f"sentinel-{at}": it for at, it in enumerate(writers[len(CASES) :])})


def measure(mesh: Mesh, datadog: Datadog, writers: Mapping[str, Writer], sentinels: Mapping[str, Writer]) -> Measured:
    """Excluded lines, then included ones, then a round of sentinels; and what of it is in the backend."""
    run, began = new_run(), datetime.now(UTC)
    request = Request(f"http://{GOAPI}/books?mark={run}")
    (answer,) = mesh.through_gateway(request)
    write_all(run, {name: writers[name] for name in OUT}, LINES)
    gateway, server = mesh.gateway_pod, answer.headers.get("x-served-by", "")
    served_by = next((pod for pod in mesh.pods(APPS) if pod.name == server), None)
    if served_by is None:
        raise InvalidMeasurement("the pod that answered is not known", seen=answer)
    all_at_once([lambda: mesh.logged(gateway, request), lambda: mesh.logged(served_by, request)])
    for name in OUT:
        own_log = mesh.cluster.logs(writers[name].namespace, writers[name].pod, tail=LINES)
        if Stream(run, name).line(LINES) not in own_log:
            raise InvalidMeasurement(f"{writers[name].name} has not logged what it was told to", seen=own_log[-300:])
    write_all(run, {**{name: writers[name] for name in IN}, **sentinels}, LINES)
    expected = [
        Expectation(name, range(1, LINES + 1), it.arrives, it.because, tags_of(writers[name], it.image), "sentinel-0")
        for name, it in CASES.items()
    ]
    watched = [Expectation(name, range(1, LINES + 1)) for name in sentinels]
    datadog.logs(
        run,
        until=lambda found: reconcile(run, [*expected, *watched], found).complete,
        what="the lines that are not excluded arrive",
    )
    containers = [it for pod in mesh.cluster.list("Pod", api_version="v1") for it in containers_of(pod)]
    wrote = those_that_wrote(mesh.cluster, containers, began)
    write_all(run, sentinels, 1, first=LINES + 1)
    watched = [Expectation(name, range(1, LINES + 2)) for name in sentinels]
    datadog.logs(run, until=lambda found: reconcile(run, watched, found).complete, what="the last lines arrive")
    filters = ContainerFilters.of_agent(daemon_set(mesh.cluster))
    included = {it.key for it in containers if filters.decide(it, Product.LOGS).included} & wrote
    lines = lines_since(datadog, began, included)
    ledger = reconcile(run, [*expected, *watched], lines)
    return Measured(
        run, ledger, lines, filters, wrote, ("istio-system", gateway.name, "istio-proxy"), (APPS, server, "istio-proxy")
    )


def write_all(run: str, writers: Mapping[str, Writer], count: int, first: int = 1) -> None:
    """The next lines of each writer, all at once."""
    lines = {name: Stream(run, name).lines(first, count) for name in writers}
    all_at_once([lambda name=name: writers[name].write(lines[name]) for name in writers])  # type: ignore[misc]


def lines_since(datadog: Datadog, began: datetime, until_of: frozenset[Key] | set[Key]) -> list[LogLine]:
    """All lines of the cluster from a little before `began`, as soon as all these containers have some, or at last."""
    query = "*" if datadog.mode is DatadogChoice.INTAKE else "kube_cluster_name:meshproof"
    found: list[LogLine] = []

    def look() -> bool:
        # The cluster tells its logs by whole seconds, so a line of just before counts as written, too.
        found[:] = datadog.backend.logs(query, began - timedelta(seconds=2))
        return until_of <= lines_by_container(found).keys()

    with suppress(StateNotReached):  # what is missing is the checks' part to judge
        eventually(look, timeout=datadog.deadline, what="all lines arrive", every=datadog.backend.poll_seconds)
    return found


def tags_of(writer: Writer, image: str) -> dict[str, str]:
    """What every line of a writer has to carry."""
    name, _, tag = image.rpartition(":")
    short = name.rpartition("/")[2]
    place = {"kube_namespace": writer.namespace, "pod_name": writer.pod, "container_name": writer.container}
    return place | {"image_name": name, "short_image": short, "image_tag": tag, "service": short, "source": short}


def keep(measured: Measured, evidence: Evidence) -> None:
    """Keep the whole ledger as evidence."""
    accounts = [*measured.ledger.accounts.values()]
    tones = [Tone.BAD if account.faults else Tone.GOOD for account in accounts]
    evidence.ledger("all lines", [LedgerRow(**it.row, tone=tone) for it, tone in zip(accounts, tones, strict=True)])
    evidence.table("accounts", COLUMNS, [account.cells for account in accounts])


def absence_counts(measured: Measured) -> None:
    """Raises InvalidMeasurement when later lines did not come through either."""
    lost = [
        fault for name, it in measured.ledger.accounts.items() if name.startswith("sentinel") for fault in it.faults
    ]
    if lost:
        raise InvalidMeasurement("the sentinels did not come through, so no absence counts", seen="; ".join(lost))


@pytest.mark.parametrize("name", OUT)
def test_excluded_lines_stay_out(measured: Measured, name: str, evidence: Evidence) -> None:
    """What an excluded container wrote is in its own log and not in the backend, where later lines of its node are."""
    keep(measured, evidence)
    absence_counts(measured)
    assert not measured.ledger[name].faults, "; ".join(measured.ledger[name].faults)


@pytest.mark.parametrize("name", IN)
def test_other_lines_arrive_once_in_order_and_with_their_tags(
    measured: Measured, name: str, evidence: Evidence
) -> None:
    """What no list excludes arrives: each line once, in order, unaltered, with the tags of its pod and image."""
    keep(measured, evidence)
    assert not measured.ledger[name].faults, "; ".join(measured.ledger[name].faults)


def test_gateway_lines_stay_out(measured: Measured, evidence: Evidence) -> None:
    """The gateway logged the request, and its line is not in the backend."""
    keep(measured, evidence)
    absence_counts(measured)
    found = measured.lines_about_the_request(measured.gateway)
    evidence.add("lines", found)
    assert not found, f"the gateway's line arrived, although its namespace is excluded: {found[0].message[:200]}"


def test_sidecar_lines_stay_out_and_the_apps_own_arrive(measured: Measured, evidence: Evidence) -> None:
    """Of one pod, the app's line about a request arrives and the sidecar's line about it does not."""
    keep(measured, evidence)
    absence_counts(measured)
    app = measured.lines_about_the_request((*measured.sidecar[:2], "goapi"))
    sidecar = measured.lines_about_the_request(measured.sidecar)
    evidence.add("the app's lines", app)
    evidence.add("the sidecar's lines", sidecar)
    assert len(app) == 1, f"{len(app)} lines of goapi about the request arrived, not 1"
    assert not sidecar, f"the sidecar's line arrived, although its image is excluded: {sidecar[0].message[:200]}"


def test_every_container_is_in_or_out_as_the_agents_own_lists_say(
    mesh: Mesh, measured: Measured, evidence: Evidence
) -> None:
    """For every container of the cluster, what arrived is what a model of the agent predicts from its lists."""
    keep(measured, evidence)
    absence_counts(measured)
    assert not measured.filters.bad_entries, f"the agent cannot use these entries: {measured.filters.bad_entries}"
    arrived = lines_by_container(measured.lines)
    rows, wrong, predicted = [], [], set()
    for container in (it for pod in mesh.cluster.list("Pod", api_version="v1") for it in containers_of(pod)):
        said, wrote, lines = (
            measured.filters.decide(container, Product.LOGS),
            container.key in measured.wrote,
            arrived[container.key],
        )
        rows.append(("/".join(container.key), "in" if said.included else "out", said.because, wrote, lines))
        if wrote:
            predicted.add(said.included)
        if (wrote and said.included and not lines) or (lines and not said.included):
            wrong.append(f"{rows[-1][0]} should be {rows[-1][1]} ({said.because}): {lines} lines arrived")
    evidence.table("containers", ("container", "logs", "because", "wrote", "arrived"), rows)
    if predicted != {True, False}:
        raise InvalidMeasurement("not both kinds of containers have written something", seen=predicted)
    assert not wrong, "; ".join(wrong[:5])


def test_excluded_proxies_still_send_spans(measured: Measured, datadog: Datadog, evidence: Evidence) -> None:
    """Exclusion is about logs: the gateway's and the sidecar's spans of the same request are in the backend."""
    wanted = {"istio-ingressgateway.istio-system", "goapi.apps"}
    spans = datadog.spans(
        f"@http.url:*{measured.run}*",
        until=lambda found: wanted <= {span.service for span in found},
        what="the spans of both proxies arrive",
    )
    evidence.add("spans", spans)
    missing = wanted - {span.service for span in spans if span.name == "envoy.proxy"}
    assert not missing, f"no span of {', '.join(sorted(missing))} about the request"
