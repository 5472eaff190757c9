"""The sample apps do what they say, through the mesh."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import pytest

from meshproof.errors import InvalidMeasurement
from meshproof.mesh import APPS, Mesh
from meshproof.probe import Answered, Outcome, Request
from meshproof.probe.sound import listen
from meshproof.report.evidence import Evidence
from meshproof.waiting import eventually

pytestmark = [pytest.mark.looks_at("goapi", "speech", "client"), pytest.mark.changes("goapi", "speech", "pods")]

BOOKS = "http://goapi.apps.svc.cluster.local/books"
SPEECH = "http://text-to-speech.apps.svc.cluster.local"
CLAIM = "text-to-speech"


def books(method: str, path: str = "", body: object = None) -> Request:
    """A request to goapi; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"} if data else {}
    return Request(f"{BOOKS}{path}", method=method, body=data, headers=headers)


def call(mesh: Mesh, method: str, path: str = "", body: object = None) -> Outcome:
    """Ask goapi from the client pod in the mesh."""
    return mesh.inside.send(books(method, path, body))


def answered(outcome: Outcome, *statuses: int) -> Answered:
    """The answer, which must have one of these statuses."""
    assert isinstance(outcome, Answered), f"{outcome}"
    assert outcome.status in statuses, f"expected {statuses}, {outcome}"
    return outcome


@pytest.fixture
def book(mesh: Mesh) -> Any:
    """A book for the length of a test."""
    made = answered(
        call(mesh, "POST", body={"title": "Build Systems with Go", "author": "Juan Tirado"}), 200, 201
    ).json()
    yield made
    call(mesh, "DELETE", f"/{made['id']}")


def test_books_can_be_created_read_changed_and_deleted(mesh: Mesh, evidence: Evidence) -> None:
    """A book goes all the way round: created, listed, read, changed, deleted, gone; whichever replica answers."""
    wanted = {"title": "Network Basics for Hackers", "author": "occupytheweb"}
    made = answered(call(mesh, "POST", body=wanted), 200, 201)
    evidence.add("created", made)
    path = f"/{made.json()['id']}"
    assert made.json() == {**wanted, "id": made.json()["id"]}
    for _ in range(6):  # three replicas, so each is likely to be asked
        assert answered(call(mesh, "GET", path), 200).json() == made.json()
    assert answered(call(mesh, "GET"), 200).json()[path[1:]] == made.json()
    changed = answered(call(mesh, "PUT", path, {**wanted, "title": "Network Basics, 2nd edition"}), 200).json()
    assert changed["title"] == "Network Basics, 2nd edition"
    assert answered(call(mesh, "GET", path), 200).json() == changed
    answered(call(mesh, "DELETE", path), 200, 204)
    evidence.add("after deletion", answered(call(mesh, "GET", path), 404))


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("POST", "", b'{"title": ', 400, id="cut short"),
        pytest.param("POST", "", b"[]", 400, id="not an object"),
        pytest.param("POST", "", {"title": 7, "author": "x"}, 400, id="wrong type"),
        pytest.param("POST", "", {"title": "", "author": "x"}, 400, id="empty title"),
        pytest.param("POST", "", {"title": "no author"}, 400, id="no author"),
        pytest.param("GET", "/4000000000", None, 404, id="unknown id"),
        pytest.param("DELETE", "/4000000000", None, 404, id="delete unknown id"),
        pytest.param("PUT", "/4000000000", {"title": "t", "author": "a"}, 404, id="change unknown id"),
        pytest.param("GET", "/seven", None, 400, id="id is no number"),
        pytest.param("PATCH", "", {"title": "t"}, 405, id="wrong method"),
        pytest.param("POST", "", b"x" * 20_000, 413, id="too long"),
    ],
)
def test_bad_input_is_a_4xx_with_a_reason(
    mesh: Mesh, method: str, path: str, body: Any, status: int, evidence: Evidence
) -> None:
    """Bad input is answered with the right 4xx and JSON that says what is wrong."""
    outcome = call(mesh, method, path, body)
    evidence.add("outcome", outcome)
    answer = answered(outcome, status)
    assert answer.headers.get("content-type", "").startswith("application/json"), f"{answer}"
    assert answer.json().get("error"), f"no reason given: {answer}"


def test_concurrent_clients_lose_nothing(mesh: Mesh, evidence: Evidence) -> None:
    """Twenty-four books created by eight clients at once are twenty-four books with twenty-four ids."""
    requests = [books("POST", body={"title": f"Book {number}", "author": "many"}) for number in range(24)]
    made = mesh.inside.send_all(requests, parallel=8)
    ids = [answered(outcome, 200, 201).json()["id"] for outcome in made]
    evidence.add("ids", ids)
    try:
        assert len(set(ids)) == 24, "two books have the same id"
        stored = answered(call(mesh, "GET"), 200).json()
        assert {str(number) for number in ids} <= stored.keys(), "a book that was acknowledged is not there"
    finally:
        mesh.inside.send_all([books("DELETE", f"/{number}") for number in ids], parallel=8)


def answered_by(mesh: Mesh, version: str, path: str) -> Answered:
    """What that version of text-to-speech answers; the route decides, so one asks until it does. All have to be 200."""
    client = mesh.inside
    for _ in range(60):  # 0.7^60 = 5e-10 to miss v2
        answer = answered(client.send(Request(f"{SPEECH}{path}")), 200)
        if answer.headers.get("x-app-version") == version:
            return answer
    raise InvalidMeasurement(f"sixty requests and none was answered by {version}")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_speech_is_real(mesh: Mesh, book: dict[str, Any], version: str, evidence: Evidence) -> None:
    """/speak gives a WAV file that is not silence and as long as its text takes to say."""
    answer = answered_by(mesh, version, "/speak")
    assert "x-spoken-text" in answer.headers, f"the answer does not say what is spoken: {answer}"
    text = unquote(answer.headers["x-spoken-text"])
    sound = listen(answer.body)
    evidence.add("text", text)
    evidence.add("sound", sound)
    assert book["title"] in text, f"the book is not in the text: {text}"
    assert sound.loudness > 0.01 and sound.voiced > 0.4, f"{version} says next to nothing: {sound}"
    per_character = sound.seconds / len(text)
    # espeak-ng at its usual 175 words a minute needs 55 to 75 ms a character
    assert 0.035 < per_character < 0.13, f"{sound.seconds:.1f} s for {len(text)} characters: {text}"


def test_volume_is_bound(mesh: Mesh, evidence: Evidence) -> None:
    """The claim of text-to-speech and its volume are Bound to each other, and both versions use the claim."""
    claim = mesh.cluster.get("PersistentVolumeClaim", CLAIM, APPS)
    assert claim is not None, f"there is no claim {APPS}/{CLAIM}"
    evidence.add("claim", {"spec": claim["spec"], "status": claim["status"]})
    assert claim["status"].get("phase") == "Bound", f"the claim is {claim['status'].get('phase')}"
    assert "deletionTimestamp" not in claim["metadata"], "the claim is being deleted"
    volume = mesh.cluster.get("PersistentVolume", claim["spec"]["volumeName"])
    assert volume is not None and volume["status"]["phase"] == "Bound", f"volume: {volume}"
    for deployment in ("text-to-speech", "text-to-speech-canary"):
        spec = (mesh.cluster.get("Deployment", deployment, APPS) or {})["spec"]["template"]["spec"]
        claims = [v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"] if "persistentVolumeClaim" in v]
        assert claims == [CLAIM], f"{deployment} uses the claims {claims}"


@pytest.mark.restarts
@pytest.mark.usefixtures("book")
def test_audio_survives_a_restart(mesh: Mesh, evidence: Evidence) -> None:
    """What was spoken is still there, bit by bit, after the pod that spoke it was replaced: both versions give it."""
    before = mesh.a_pod_to_replace("text-to-speech")
    spoken = answered_by(mesh, "v1", "/speak")
    assert "x-audio-name" in spoken.headers, f"the answer does not name its audio: {spoken}"
    name = spoken.headers["x-audio-name"]
    mesh.cluster.delete_object("Pod", before.name, APPS, wait=False)

    client = mesh.proxy(mesh.a_pod(APPS, "alpine"))

    def replaced() -> str:
        pod = mesh.a_pod_of("text-to-speech")
        assert pod.name != before.name, f"{before.name} is still there"
        known = [it.address for it in client.clusters() if it.healthy]
        assert any(address.startswith(f"{pod.ip}:") for address in known), f"{client} does not know {pod.name} yet"
        return pod.name

    what = "text-to-speech has a new pod, and the client's proxy knows it"
    after = eventually(replaced, timeout=mesh.timeouts.rollout, what=what)
    evidence.add("pods", {"before": before.name, "after": after})
    for version in ("v1", "v2"):
        kept = answered_by(mesh, version, f"/audio/{name}")
        assert kept.body == spoken.body, f"{version} gives another audio after the restart"


@pytest.mark.restarts
def test_killed_replica_is_not_noticed(mesh: Mesh, evidence: Evidence) -> None:
    """While a goapi replica is deleted and replaced, every request of a steady client is answered."""
    victim = mesh.a_pod_to_replace("goapi")
    client = mesh.inside
    outcomes: list[Outcome] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            outcomes.extend(client.send_all([books("GET") for _ in range(20)]))

    with ThreadPoolExecutor(3) as pool:
        clients = [pool.submit(ask) for _ in range(3)]
        try:
            mesh.cluster.delete_object("Pod", victim.name, APPS, wait=False)
            eventually(
                lambda: victim.name not in {pod.name for pod in mesh.all_pods(APPS)},
                timeout=mesh.timeouts.rollout,
                what=f"{victim.name} is gone",
            )
        finally:
            stop.set()
        for finished in clients:
            finished.result()
    failed = [outcome for outcome in outcomes if not isinstance(outcome, Answered) or outcome.status != 200]
    evidence.add("requests", {"sent": len(outcomes), "failed": len(failed), "killed": victim.name})
    assert not failed, f"{len(failed)} of {len(outcomes)} requests failed: {failed[0]}"
