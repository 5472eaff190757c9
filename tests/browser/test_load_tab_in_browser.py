"""Locust's web page with the tab of a load test: it shows the run live, and asks for nothing from elsewhere."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from meshproof.waiting import eventually

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=[(), ("--processes", "2")], ids=["one process", "two processes"])
def web(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of Locust's page, in front of a server with two arms at 70/30."""
    if find_spec("locust") is None:  # to import it would patch this process for gevent
        pytest.skip("the extra `load` is not installed")
    arms = [sys.executable, str(ROOT / "tests/load/two_arms.py"), "--latency", "0.004"]
    port, apart = _free_port(), str(_free_port())
    server = subprocess.Popen(arms, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    target = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    argv = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests/split.py"), "--host", target]
    argv += ["--web-host", "127.0.0.1", "--web-port", str(port), "--late-after", "1", "--rate", "200", *request.param]
    # Locust's usual port may be another's: a worker joins any master that it finds there.
    argv += ["--master-port", apart, "--master-bind-port", apart] if request.param else []
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with (tmp_path / "said").open("w") as said:
        locust = subprocess.Popen(argv, stdout=said, stderr=said, cwd=tmp_path, env=environment)
    try:
        eventually(lambda: _listens(port), timeout=30, what="Locust's page answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in (locust, server):
            process.terminate()
            process.communicate(timeout=30)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def requests(page: Any, web: str) -> int:
    """How many the page has been told of."""
    points = page.request.get(f"{web}/meshproof/data.json").json()["points"]
    return int(points[-1]["requests"]) if points else 0


def test_tab_shows_the_run_until_its_verdict(chromium: Any, web: str) -> None:
    page = chromium.new_page(viewport={"width": 1200, "height": 1000})
    asked: list[str] = []
    trouble: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(f"{web}/")
    for run in (1, 2):
        page.get_by_role("button", name="Start").click()
        page.get_by_role("tab", name="meshproof").click()
        chart = page.frame_locator("iframe")
        chart.get_by_text("running").wait_for(timeout=15_000)
        chart.locator("#shares path.band").wait_for(timeout=15_000)
        early = eventually(lambda: requests(page, web), timeout=15, what="requests are shown")
        chart.locator("#state.CONFORM").wait_for(timeout=60_000)
        assert chart.locator("#latency path.curve").count() == 6, "p50, p90 and p99 of two arms"
        told = page.request.get(f"{web}/meshproof/data.json").json()
        assert told["state"] == "CONFORM" and requests(page, web) > early
        page.get_by_role("cell", name="CONFORM, e-value").wait_for(timeout=10_000)
        cells = page.get_by_role("row", name="v2").inner_text()
        assert f"{told['points'][-1]['shares'][1]:.2%}" in cells
        if run == 1:
            page.get_by_role("button", name="New").click()
    assert trouble == []
    assert {urlparse(url).netloc for url in asked if not url.startswith("data:")} == {urlparse(web).netloc}
