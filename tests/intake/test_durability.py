"""What is acknowledged is there afterwards: once, after a restart and after kill -9; and the bounds hold."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import duckdb
import httpx
import pytest
from intake_payloads import log_line, span, table_form
from intake_server import start

from meshproof.errors import UsageError
from meshproof.intake.index import Batch, Index
from meshproof.intake.journal import Entry, Journal
from meshproof.intake.limits import Limits
from meshproof.intake.logs import decode_logs
from meshproof.intake.server import IntakeSettings, running
from meshproof.intake.store import Store
from meshproof.waiting import eventually

BOUND = 12 * 1024 * 1024


def messages(http, query=""):
    found, cursor = [], None
    while True:
        parameters = {"filter[query]": query, "page[limit]": 1000} | ({"page[cursor]": cursor} if cursor else {})
        answer = http.get("/api/v2/logs/events", params=parameters).json()
        found += [log["attributes"]["message"] for log in answer["data"]]
        cursor = answer["meta"].get("page", {}).get("after")
        if not cursor:
            return found


def test_spans_and_logs_survive_a_restart(tmp_path):
    settings = IntakeSettings(folder=tmp_path, port=0)
    for intake in start(settings):
        intake.http.post("/api/v2/logs", json=[log_line("before")])
        intake.http.post("/api/v0.2/traces", content=table_form(span(meta={"odd.name": "x"})))
    for intake in start(settings):
        intake.http.post("/api/v2/logs", json=[log_line("after")])
        assert sorted(messages(intake.http)) == ["after", "before"]
        spans = intake.http.get("/api/v2/spans/events", params={"filter[query]": "@odd.name:x"}).json()["data"]
        assert len(spans) == 1


def test_what_was_acknowledged_survives_kill_9_exactly_once(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    key = "a" * 32
    command = [sys.executable, "-m", "meshproof.intake", "--port", str(port), "--data", str(tmp_path)]
    headers = {"DD-API-KEY": key}

    def begin():
        process = subprocess.Popen(command, env={**os.environ, "DD_API_KEY": key}, stdout=subprocess.DEVNULL)
        eventually(lambda: answers(port), timeout=20, what="the intake answers")
        return process

    process = begin()
    acknowledged: list[str] = []

    def send(sender):
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as http:
            for number in range(100_000):
                text = f"line {sender}-{number}"
                try:
                    if http.post("/api/v2/logs", json=[log_line(text)]).status_code == 202:
                        acknowledged.append(text)
                except httpx.HTTPError:
                    return

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(3)]
    for sender in senders:
        sender.start()
    eventually(lambda: len(acknowledged) > 100, timeout=20, what="lines are acknowledged")
    process.send_signal(signal.SIGKILL)
    for sender in senders:
        sender.join()
    process.wait()
    process = begin()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as http:
            found = messages(http)
    finally:
        process.terminate()
        process.wait()
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))


def answers(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/meshproof/health").status_code == 200
    except httpx.HTTPError:
        return False


def test_rows_and_their_place_in_the_journal_are_committed_together(tmp_path):
    index = Index(tmp_path / "index", Limits())
    index.add(logs("one"), journal=5)
    broken = logs("two")
    broken.metrics.append((1, "half a surrogate: \ud800", "gauge", 1.0, "", "", "", 0))
    with pytest.raises(duckdb.Error, match="surrogate"):
        index.add(broken, journal=6)
    assert (index.count("logs"), index.journal_number) == (1, 5)
    index.close()


def test_the_journal_keeps_its_order_and_never_gives_a_number_twice(tmp_path):
    journal = Journal(tmp_path / "journal")
    assert journal.append([entry("a"), entry("b")]) == 2
    journal.remove_until(2)
    assert journal.append([entry("c")]) == 3
    assert [it.body for it in journal.after(0, 10)] == [b"c"]
    journal.close()


def test_a_full_index_drops_the_oldest_and_tells(tmp_path):
    index = Index(tmp_path / "index", Limits(index=BOUND))
    for number in range(6):
        index.add(logs(*[os.urandom(300).hex() for _ in range(10_000)]), number)
    index.prune()
    assert index.bytes_on_disk() <= BOUND
    assert index.dropped["logs"] > 0
    assert index.count("logs") + index.dropped["logs"] == 60_000
    oldest = index.query("SELECT min(seq) AS first FROM logs")[0]["first"]
    assert oldest > 1
    index.close()
    again = Index(tmp_path / "index", Limits())
    assert again.dropped["logs"] == index.dropped["logs"]
    again.close()


def test_attributes_beyond_the_bound_are_still_found(tmp_path):
    settings = IntakeSettings(folder=tmp_path, port=0, limits=Limits(attributes=3))
    for intake in start(settings):
        intake.http.post("/api/v2/logs", json=[log_line("x", **{f"name{number}": f"v{number}" for number in range(9)})])
        intake.http.post("/api/v2/logs", json=[log_line("y", Name0="upper")])
        for query in ("@name0:v0", "@name8:v8", "@name8:v*", "@Name0:upper"):
            assert len(messages(intake.http, query)) == 1, query


def test_a_backlog_over_its_bound_is_refused_with_503(tmp_path):
    settings = IntakeSettings(folder=tmp_path, port=0, limits=Limits(backlog=0))
    for intake in start(settings):
        statuses = {intake.http.post("/api/v2/logs", json=[log_line("x")]).status_code for _ in range(30)}
        assert statuses == {202, 503}
        assert intake.status()["rejected:backlog:/api/v2/logs"] > 0


def test_a_folder_that_is_in_use_is_a_usage_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UsageError, match="cannot open its data"), running(IntakeSettings(folder=blocked / "x", port=0)):
        pass


def test_a_port_that_is_taken_is_a_usage_error(intake, tmp_path):
    port = int(intake.url.rsplit(":", 1)[1])
    with pytest.raises(UsageError, match="cannot listen"), running(IntakeSettings(folder=tmp_path, port=port)):
        pass


def test_the_status_reports_the_bounds(intake):
    status = intake.status()
    assert status["bounds"]["index"] == Limits().index
    assert set(status["dropped_oldest"]) == set(status["stored"])


def entry(text):
    return Entry("logs", "/api/v2/logs", int(time.time() * 1000), "", "", text.encode())


def logs(*texts):
    batch = Batch()
    decode_logs(json.dumps([{"message": text} for text in texts]).encode(), "", 10**6, 1, batch.logs, lambda _: None)
    return batch


def test_a_request_that_is_given_up_does_not_stop_the_journal(tmp_path):
    store = Store(tmp_path, Limits())
    futures = [store.accept(entry(f'[{{"message": "{number}"}}]')) for number in range(200)]
    given_up = {number for number, future in enumerate(futures) if number % 2 and future.cancel()}
    for number, future in enumerate(futures):
        if number not in given_up:
            future.result(timeout=20)
    store.settle(20)
    assert store.index.count("logs") == len(futures) - len(given_up)
    store.close()
