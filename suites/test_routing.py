"""Requests go where the routes say, and the answers show which proxy they came through."""

from __future__ import annotations

import pytest

from meshproof.mesh import APPS, Mesh
from meshproof.probe import Answered, Outcome, Request
from meshproof.report.evidence import Evidence

pytestmark = pytest.mark.looks_at("nodes", "addresses", "gateway", "goapi", "speech", "client")

GOAPI = "goapi.apps.svc.cluster.local"
SPEECH = "text-to-speech.apps.svc.cluster.local"
ALPINE = "alpine.apps.svc.cluster.local"


def check_answer(answer: Answered, status: int, proxy: str) -> None:
    """With this status, from this kind of proxy: gateways call themselves istio-envoy, sidecars envoy."""
    assert answer.status == status, f"{answer}"
    server = answer.headers.get("server", "no proxy")
    assert server == proxy, f"the answer came from {server}, not from {proxy}: {answer}"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_books_through_the_gateway(mesh: Mesh, scheme: str, evidence: Evidence) -> None:
    """With goapi's host name, the gateway passes /books on to goapi, on both of its ports."""
    (answer,) = mesh.through_gateway(Request(f"{scheme}://{GOAPI}/books"))
    evidence.add("answer", answer)
    check_answer(answer, 200, "istio-envoy")
    assert isinstance(answer.json(), dict), f"not goapi's books: {answer}"


def test_unknown_host_is_turned_away_by_the_gateway(mesh: Mesh, evidence: Evidence) -> None:
    """With a host name that no route has, the gateway itself answers 404, and its log says that it found no route."""
    request = Request("http://nobody.example/books")
    (answer,) = mesh.through_gateway(request)
    evidence.add("answer", answer)
    check_answer(answer, 404, "istio-envoy")
    entry = mesh.logged(mesh.gateway_pod, request)
    evidence.add("the gateway's log", entry)
    assert entry["response_code_details"] == "route_not_found", f"404 for another reason: {entry}"


def test_pod_to_pod(mesh: Mesh, evidence: Evidence) -> None:
    """From a pod in the mesh, goapi's answer came through sidecars alone."""
    outcome = mesh.inside.send(Request(f"http://{GOAPI}/books"))
    evidence.add("outcome", outcome)
    assert isinstance(outcome, Answered), f"{outcome}"
    check_answer(outcome, 200, "envoy")


def test_books_do_not_depend_on_the_way(mesh: Mesh, evidence: Evidence) -> None:
    """The gateway and a pod in the mesh are told the same books."""
    (through_gateway,) = mesh.through_gateway(Request(f"http://{GOAPI}/books"))
    in_mesh = mesh.inside.send(Request(f"http://{GOAPI}/books"))
    evidence.add("outcomes", [through_gateway, in_mesh])
    assert isinstance(in_mesh, Answered), f"{in_mesh}"
    assert (through_gateway.status, in_mesh.status) == (200, 200), f"{through_gateway}; {in_mesh}"
    assert through_gateway.json() == in_mesh.json()


@pytest.mark.parametrize("vantage", ["gateway", "mesh"])
def test_both_versions_of_speech_are_reached(mesh: Mesh, vantage: str, evidence: Evidence) -> None:
    """Both versions of text-to-speech get requests, and the route's header tells the truth about which it was.

    At 30 % for v2, sixty requests miss it with probability 0.7^60 = 5e-10.
    """
    requests = [Request(f"http://{SPEECH}/") for _ in range(60)]
    sent = mesh.through_gateway(*requests) if vantage == "gateway" else mesh.inside.send_all(requests, parallel=2)
    outcomes: list[Outcome] = list(sent)
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answered)]
    assert len(answers) == len(outcomes), f"refused: {[str(o) for o in outcomes if not isinstance(o, Answered)][:3]}"
    arms = [(answer.headers.get("x-meshproof-arm"), answer.headers.get("x-app-version")) for answer in answers]
    bodies = {answer.headers.get("x-app-version"): answer.text.strip() for answer in answers}
    evidence.add("arms", {str(arm): arms.count(arm) for arm in set(arms)})
    evidence.add("bodies", bodies)
    assert {arm for arm, _ in arms} == {"v1", "v2"}, f"arms reached: {sorted({str(arm) for arm, _ in arms})}"
    lying = [pair for pair in arms if pair[0] != pair[1]]
    assert not lying, f"the route said one version and the app another: {lying[:3]}"
    assert bodies == {"v1": "text-to-speech Go!", "v2": "TTS canary version (Python)!"}


def test_client_is_reached_in_the_mesh_with_its_callers_certificate(mesh: Mesh, evidence: Evidence) -> None:
    """alpine's own port answers inside the mesh, and its sidecar passes on who asked."""
    outcome = mesh.inside.send(Request(f"http://{ALPINE}:5000/"))
    evidence.add("outcome", outcome)
    assert isinstance(outcome, Answered), f"{outcome}"
    assert outcome.status == 200, f"{outcome}"
    assert "URI=spiffe://cluster.local/ns/apps/sa/alpine" in outcome.text, f"no x-forwarded-client-cert: {outcome.text}"


def test_gateway_runs_on_the_ingress_node(mesh: Mesh, evidence: Evidence) -> None:
    """The gateway's affinity put it on a node with the ingress label, which on our own beds is the control plane."""
    nodes = {node["metadata"]["name"]: node["metadata"]["labels"] for node in mesh.cluster.list("Node")}
    labelled = {name for name, labels in nodes.items() if labels.get("meshproof.dev/ingress") == "true"}
    evidence.add("nodes with the label", labelled)
    pod = mesh.gateway_pod
    evidence.add("gateway", pod)
    assert not labelled or pod.node in labelled, f"the gateway is on {pod.node}, not on {sorted(labelled)}"
    assert mesh.bed.borrowed or labelled, "no node carries the ingress label"


def test_apps_is_where_sidecars_are_asked_for(mesh: Mesh, evidence: Evidence) -> None:
    """The namespace apps carries the label that turns injection on."""
    labels = (mesh.cluster.get("Namespace", APPS) or {}).get("metadata", {}).get("labels", {})
    evidence.add("labels", labels)
    assert labels.get("istio-injection") == "enabled", f"labels of namespace {APPS}: {labels}"
