"""The apps in Go: their own tests, and goapi and alpine as processes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from app_process import APPS, app_environment, running

from conftest import Command
from meshproof.programs import run


def test_vet(go: str) -> None:
    run([go, "vet", "./..."], cwd=APPS, timeout=600)


def test_own_tests(go: str) -> None:
    run([go, "test", "./..."], cwd=APPS, timeout=600)


def test_formatting(go: str) -> None:
    gofmt = Path(run([go, "env", "GOROOT"], timeout=20).stdout.strip()) / "bin" / "gofmt"
    assert run([gofmt, "-l", "."], cwd=APPS, timeout=60).stdout == ""


def test_books_without_a_cluster(compiled: Callable[[str], Command], tmp_path: Path) -> None:
    with running(compiled("goapi"), tmp_path) as goapi, httpx.Client(base_url=goapi.url) as client:
        given = {"title": "Network Basics for Hackers", "author": "occupytheweb"}
        made = client.post("/books", json=given)
        assert (made.status_code, made.headers["location"], made.json()) == (201, "/books/1", {"id": 1, **given})
        with ThreadPoolExecutor(8) as pool:
            more = list(pool.map(lambda n: client.post("/books", json={**given, "title": f"Book {n}"}), range(20)))
        assert {answer.json()["id"] for answer in more} == set(range(2, 22))
        assert client.get("/books").json()["1"] == made.json()
        assert client.delete("/books/1").status_code == 204
        assert client.get("/books/1").status_code == 404
        assert goapi.line("GET /books/1 404")["service"] == "goapi"


def test_store_that_is_not_there_ends_goapi_with_2(compiled: Callable[[str], Command]) -> None:
    for choice, says in (("configmap", "needs a pod"), ("redis", "redis")):
        ended = run(compiled("goapi"), timeout=20, env=app_environment({"PORT": "0", "STORE": choice}), check=False)
        assert ended.returncode == 2
        assert says in ended.stdout


def test_alpine_tells_what_arrived(compiled: Callable[[str], Command], tmp_path: Path) -> None:
    with running(compiled("alpine"), tmp_path) as alpine:
        certificate = 'By=spiffe://a;Hash=b;Subject="";URI=spiffe://c'
        answer = httpx.get(f"{alpine.url}/?q=1", headers={"X-Forwarded-Client-Cert": certificate})
    arrived = answer.json()
    assert (arrived["method"], arrived["path"], arrived["query"]) == ("GET", "/", "q=1")
    assert arrived["headers"]["x-forwarded-client-cert"] == [certificate]


@pytest.mark.parametrize("name", ["goapi", "alpine"])
def test_sigterm_ends_with_0(compiled: Callable[[str], Command], tmp_path: Path, name: str) -> None:
    with running(compiled(name), tmp_path) as app:
        assert httpx.get(f"{app.url}/healthz").status_code == 200
        app.stop()
        assert app.exit_code() == 0
        assert app.line("stopped")
