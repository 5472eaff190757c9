"""Both versions of text-to-speech do the same, apart from the language they are written in."""

from __future__ import annotations

import hashlib
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from app_process import CANARY, AppProcess, app_environment, fake_speaker, running, small_sound
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conftest import Command
from meshproof.probe.sound import listen
from meshproof.programs import run
from meshproof.waiting import eventually

BOOKS = {
    "10": {"id": 10, "title": "Grüße & more: 100 %", "author": "Jörg"},
    "9": {"id": 9, "title": "Build Systems with Go", "author": "Juan Tirado"},
}
SPOKEN = "2 books. Build Systems with Go by Juan Tirado. Grüße & more: 100 % by Jörg."
HELLO = {"v1": "text-to-speech Go!", "v2": "TTS canary version (Python)!"}


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    return tmp_path / "audio"


@pytest.fixture
def app(command: Command, tmp_path: Path, audio: Path, httpserver: HTTPServer) -> Iterator[AppProcess]:
    settings = {
        "GOAPI_URL": httpserver.url_for(""),
        "GOAPI_TIMEOUT_SECONDS": "2",
        "AUDIO_DIR": str(audio),
        "ESPEAK": str(fake_speaker(tmp_path)),
    }
    with running(command, tmp_path, **settings) as app:
        yield app


def error_of(answer: httpx.Response, version: str) -> str:
    """What an error answer says; each must be JSON and name the version."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-app-version"] == version
    said = answer.json()
    assert list(said) == ["error"]
    return str(said["error"])


def test_root_says_which_version_it_is(app: AppProcess, version: str) -> None:
    answer = httpx.get(app.url)
    assert (answer.status_code, answer.text) == (200, HELLO[version])
    assert answer.headers["x-app-version"] == version
    assert answer.headers["x-served-by"]


def test_books_are_spoken(app: AppProcess, version: str, httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/books").respond_with_json(BOOKS)
    answer = httpx.get(f"{app.url}/speak")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert answer.headers["x-app-version"] == version
    assert answer.content == small_sound()
    assert unquote(answer.headers["x-spoken-text"]) == SPOKEN
    assert (tmp_path / "spoken.txt").read_text() == SPOKEN


@pytest.mark.parametrize(
    ("books", "text"),
    [
        ({}, "There are no books."),
        ({"1": {"id": 1, "title": "-x $(id) [[ ]]", "author": "<b>"}}, "1 book. -x $(id) [[ ]] by <b>."),
    ],
)
def test_text_of_few_books(app: AppProcess, httpserver: HTTPServer, books: object, text: str) -> None:
    httpserver.expect_request("/books").respond_with_json(books)
    assert unquote(httpx.get(f"{app.url}/speak").headers["x-spoken-text"]) == text


def test_text_of_many_books_ends_with_a_count(app: AppProcess, httpserver: HTTPServer) -> None:
    books = {str(n): {"id": n, "title": "ü" * 200, "author": f"author {n}"} for n in range(1, 101)}
    httpserver.expect_request("/books").respond_with_json(books)
    quoted = httpx.get(f"{app.url}/speak").headers["x-spoken-text"]
    text = unquote(quoted)
    said = text.count("author")
    assert text.startswith("100 books. ü") and text.endswith(f"by author {said}. And {100 - said} more.")
    assert 3500 < len(text.encode()) < 4100
    assert len(quoted) < 16_000, "Envoy takes 60 KiB of headers, all together"


def test_audio_is_kept_under_its_hash(app: AppProcess, httpserver: HTTPServer, audio: Path) -> None:
    httpserver.expect_request("/books").respond_with_json(BOOKS)
    spoken = [httpx.get(f"{app.url}/speak") for _ in range(2)]
    name = f"speech-{hashlib.sha256(small_sound()).hexdigest()[:16]}.wav"
    assert [answer.headers["x-audio-name"] for answer in spoken] == [name, name]
    assert [path.name for path in audio.iterdir()] == [name]
    listed = httpx.get(f"{app.url}/audio").json()["files"]
    assert [(file["name"], file["bytes"]) for file in listed] == [(name, len(small_sound()))]
    fetched = httpx.get(f"{app.url}/audio/{name}")
    assert (fetched.headers["content-type"], fetched.content) == ("audio/wav", small_sound())


def test_only_the_newest_audio_is_kept(app: AppProcess, httpserver: HTTPServer, audio: Path) -> None:
    for number in range(55):
        (audio / f"speech-{number:016x}.wav").write_bytes(b"old")
    httpserver.expect_request("/books").respond_with_json(BOOKS)
    name = httpx.get(f"{app.url}/speak").headers["x-audio-name"]
    kept = [path.name for path in audio.iterdir()]
    assert len(kept) == 50 and name in kept


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 200),
        ("[]", 200),
        ("null", 200),
        ('{"1": {"id": 1, "title": "t"}}', 200),
        ('{"1": {"id": 1, "title": "t", "author": 7}}', 200),
        ('{"1": {"id": 2, "title": "t", "author": "a"}}', 200),
        ('{"error": "no"}', 503),
        ("{}", 201),
    ],
)
def test_goapi_without_books_is_502(
    app: AppProcess, version: str, httpserver: HTTPServer, body: str, status: int, audio: Path
) -> None:
    httpserver.expect_request("/books").respond_with_data(body, status)
    answer = httpx.get(f"{app.url}/speak")
    assert (answer.status_code, error_of(answer, version)) == (502, "goapi gives no books")
    assert list(audio.iterdir()) == []


def test_unreachable_goapi_is_502(command: Command, version: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with running(command, tmp_path, GOAPI_URL=f"http://127.0.0.1:{port}", AUDIO_DIR=str(tmp_path / "audio")) as app:
        answer = httpx.get(f"{app.url}/speak")
    assert (answer.status_code, error_of(answer, version)) == (502, "goapi gives no books")


def test_slow_goapi_is_504(command: Command, version: str, tmp_path: Path, httpserver: HTTPServer) -> None:
    release = threading.Event()

    def wait(_request: Request) -> Response:
        release.wait(10)
        return Response("{}")

    httpserver.expect_request("/books").respond_with_handler(wait)
    settings = {
        "GOAPI_URL": httpserver.url_for(""),
        "GOAPI_TIMEOUT_SECONDS": "0.1",
        "AUDIO_DIR": str(tmp_path / "audio"),
    }
    with running(command, tmp_path, **settings) as app:
        answer = httpx.get(f"{app.url}/speak")
        release.set()
    assert (answer.status_code, error_of(answer, version)) == (504, "goapi does not answer in time")


def test_goapi_that_answers_504_is_504(app: AppProcess, version: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/books").respond_with_data("", 504)
    answer = httpx.get(f"{app.url}/speak")
    assert (answer.status_code, error_of(answer, version)) == (504, "goapi does not answer in time")


def test_trace_headers_and_only_they_are_forwarded(app: AppProcess, httpserver: HTTPServer) -> None:
    trace = {
        "x-datadog-trace-id": "1",
        "x-datadog-parent-id": "2",
        "x-datadog-sampling-priority": "1",
        "x-datadog-tags": "_dd.p.dm=-1",
        "x-datadog-origin": "synthetics",
        "traceparent": "00-00000000000000000000000000000001-0000000000000002-01",
        "tracestate": "dd=s:1",
        "x-request-id": "abc",
        "baggage": "a=b",
    }
    seen: list[Request] = []

    def books(request: Request) -> Response:
        seen.append(request)
        return Response("{}")

    httpserver.expect_request("/books").respond_with_handler(books)
    httpx.get(f"{app.url}/speak", headers={**trace, "authorization": "secret", "x-other": "1"})
    forwarded = {name.lower(): value for name, value in seen[0].headers.items()}
    assert trace.items() <= forwarded.items()
    assert not {"authorization", "x-other"} & forwarded.keys()


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/nowhere", 404, "there is nothing at /nowhere"),
        ("GET", "/speak/", 404, "there is nothing at /speak/"),
        ("GET", "/audio/speech-0000000000000000.wav", 404, "there is no such audio file"),
        ("GET", "/audio/other.wav", 404, "there is no such audio file"),
        ("GET", "/audio/..%2Flog", 404, ""),
        ("POST", "/speak", 405, "POST is not allowed here"),
        ("DELETE", "/audio/other.wav", 405, "DELETE is not allowed here"),
        ("PUT", "/healthz", 405, "PUT is not allowed here"),
    ],
)
def test_bad_requests_are_4xx(app: AppProcess, version: str, method: str, path: str, status: int, says: str) -> None:
    answer = httpx.request(method, f"{app.url}{path}")
    assert answer.status_code == status
    assert says in error_of(answer, version)
    if status == 405:
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_head_is_get_without_the_body(app: AppProcess) -> None:
    answer = httpx.head(app.url)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("fault", ["echo no voice >&2; exit 3", "exit 0"])
def test_failed_speech_is_500_and_leaves_nothing(
    app: AppProcess, version: str, httpserver: HTTPServer, tmp_path: Path, audio: Path, fault: str
) -> None:
    fake_speaker(tmp_path, fault)
    httpserver.expect_request("/books").respond_with_json(BOOKS)
    answer = httpx.get(f"{app.url}/speak")
    assert (answer.status_code, error_of(answer, version)) == (500, "the text could not be spoken")
    assert list(audio.iterdir()) == []
    line = app.line("GET /speak 500")
    assert line["level"] == "error"
    assert ("no voice" in line["error.message"]) or ("wrote no audio" in line["error.message"])


def test_lost_volume_is_500(app: AppProcess, version: str, httpserver: HTTPServer, audio: Path) -> None:
    audio.rmdir()
    httpserver.expect_request("/books").respond_with_json(BOOKS)
    for path in ("/speak", "/audio"):
        answer = httpx.get(f"{app.url}{path}")
        assert (answer.status_code, error_of(answer, version)) == (500, "the audio could not be stored or read")


def test_one_log_line_for_a_request_and_none_for_a_probe(app: AppProcess, version: str) -> None:
    httpx.get(f"{app.url}/healthz")
    httpx.get(f"{app.url}/nowhere?a=1", headers={"x-request-id": "abc"})
    line = app.line("GET /nowhere 404")
    assert line.pop("time").endswith("Z")
    assert line.pop("duration") > 0
    assert (
        line.items()
        >= {
            "level": "warn",
            "service": "text-to-speech",
            "version": version,
            "http.method": "GET",
            "http.url": f"{app.url}/nowhere?a=1",
            "http.status_code": 404,
            "http.request_id": "abc",
        }.items()
    )
    assert [line["message"] for line in app.lines() if "http.method" in line] == ["GET /nowhere 404"]


def test_request_in_flight_finishes_after_sigterm(app: AppProcess, httpserver: HTTPServer, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    fake_speaker(tmp_path, f'while [ ! -e "{go_on}" ]; do sleep 0.02; done')
    httpserver.expect_request("/books").respond_with_json(BOOKS)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.get, f"{app.url}/speak", timeout=10)
        eventually((tmp_path / "spoken.txt").exists, timeout=10, every=0.02, what="the speaker runs")
        app.stop()
        eventually(lambda: refused(app.url), timeout=10, every=0.02, what="new connections are refused")
        go_on.touch()
        assert answer.result().content == small_sound()
    assert app.exit_code() == 0
    assert app.line("stopped")


def refused(url: str) -> bool:
    """Whether nobody listens there any more."""
    try:
        httpx.get(url)
    except httpx.ConnectError:
        return True
    except httpx.TransportError:
        return False
    return False


def test_health_fails_first_while_requests_are_still_served(command: Command, version: str, tmp_path: Path) -> None:
    with running(command, tmp_path, AUDIO_DIR=str(tmp_path / "audio"), DRAIN_SECONDS="4") as app:
        assert httpx.get(f"{app.url}/healthz").json() == {"status": "ok"}
        app.stop()
        draining = eventually(
            lambda: (answer := httpx.get(f"{app.url}/healthz")).status_code == 503 and answer,
            timeout=10,
            every=0.02,
            what="/healthz fails",
        )
        assert isinstance(draining, httpx.Response) and draining.json() == {"status": "draining"}
        answer = httpx.get(app.url)
        assert (answer.text, answer.headers["connection"]) == (HELLO[version], "close")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("DRAIN_SECONDS", "60"),
        ("GOAPI_URL", "goapi"),
        ("GOAPI_TIMEOUT_SECONDS", "0"),
        ("AUDIO_DIR", "/dev/null/audio"),
    ],
)
def test_bad_environment_ends_with_2(command: Command, tmp_path: Path, name: str, value: str) -> None:
    environment = app_environment({"PORT": "0", "AUDIO_DIR": str(tmp_path), name: value})
    ended = run(command, timeout=20, env=environment, check=False)
    assert ended.returncode == 2
    assert name in ended.stdout and value in ended.stdout


@pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed: real speech is not proven here"
)
def test_real_speech(command: Command, tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/books").respond_with_json(BOOKS)
    given = {"GOAPI_URL": httpserver.url_for(""), "AUDIO_DIR": str(tmp_path / "audio")}
    with running(command, tmp_path, **given) as app:
        answer = httpx.get(f"{app.url}/speak", timeout=20)
    sound = listen(answer.content)
    assert 2 < sound.seconds < 15
    assert sound.loudness > 0.01 and sound.voiced > 0.4


def test_each_version_serves_what_the_other_has_spoken(
    compiled: Callable[[str], Command], tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/books").respond_with_json(BOOKS)
    settings = {
        "GOAPI_URL": httpserver.url_for(""),
        "AUDIO_DIR": str(tmp_path / "audio"),
        "ESPEAK": str(fake_speaker(tmp_path)),
    }
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with (
        running(compiled("text-to-speech"), tmp_path / "one", **settings) as one,
        running(CANARY, tmp_path / "two", **settings) as two,
    ):
        for speaker, other in ((one, two), (two, one)):
            name = httpx.get(f"{speaker.url}/speak").headers["x-audio-name"]
            assert httpx.get(f"{other.url}/audio/{name}").content == small_sound()
