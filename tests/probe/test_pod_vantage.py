from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import Protocol

import pytest
from servers import answer, closed_port, echo, hang, listening, reset

from meshproof.errors import InvalidMeasurement
from meshproof.kube import ExecFailed, ExecResult, ExecTimeout, Executor
from meshproof.probe import SIDECAR_USER, Answered, PodVantage, Refused, Request
from meshproof.probe.curl import batches, script
from meshproof.timeouts import Timeouts


class Machine(Executor, Protocol):
    """The fixture `this_machine`."""

    commands: list[Sequence[str]]


class BrokenPod:
    """A pod in which no command can be run."""

    timeouts = Timeouts()

    def __init__(self, error: Exception) -> None:
        self.error = error

    def execute(self, *_: object, **__: object) -> ExecResult:
        raise self.error


def test_many_requests_cost_one_exec(this_machine: Machine) -> None:
    with listening(echo) as port:
        requests = [Request(f"http://127.0.0.1:{port}/{number}") for number in range(5)]
        outcomes = PodVantage(this_machine, "shop", "web").send_all(requests)
    assert [isinstance(outcome, Answered) for outcome in outcomes] == [True] * 5
    assert len(this_machine.commands) == 1


def test_parallel_requests_are_shared_among_execs(this_machine: Machine) -> None:
    with listening(echo) as port:
        requests = [Request(f"http://127.0.0.1:{port}/{number}") for number in range(5)]
        PodVantage(this_machine, "shop", "web").send_all(requests, parallel=2)
    assert len(this_machine.commands) == 2


def test_each_request_has_a_connection_of_its_own(this_machine: Machine) -> None:
    keep = answer(b"HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n")
    with listening(keep) as port:
        requests = [Request(f"http://127.0.0.1:{port}/") for _ in range(3)]
        outcomes = PodVantage(this_machine, "shop", "web").send_all(requests)
    assert len({outcome.local for outcome in outcomes}) == 3


def test_refusal_says_what_curl_said(this_machine: Machine) -> None:
    with listening(reset) as port:
        outcome = PodVantage(this_machine, "shop", "web").send(Request(f"http://127.0.0.1:{port}/"))
    assert isinstance(outcome, Refused)
    assert outcome.detail == "curl (56): Recv failure: Connection reset by peer"
    assert any("Connected to 127.0.0.1" in line for line in outcome.trace)


def test_traces_of_a_batch_are_kept_apart(this_machine: Machine) -> None:
    ports = [closed_port(), closed_port()]
    requests = [Request(f"http://127.0.0.1:{port}/") for port in ports]
    outcomes = PodVantage(this_machine, "shop", "web").send_all(requests)
    for port, other, outcome in zip(ports, reversed(ports), outcomes, strict=True):
        assert isinstance(outcome, Refused)
        assert str(port) in " ".join(outcome.trace)
        assert str(other) not in " ".join(outcome.trace)


def test_head_has_no_body(this_machine: Machine) -> None:
    with listening(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")) as port:
        outcome = PodVantage(this_machine, "shop", "web").send(Request(f"http://127.0.0.1:{port}/", method="HEAD"))
    assert isinstance(outcome, Answered)
    assert outcome.body == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_sends(this_machine: Machine) -> None:
    with listening(echo) as port:
        vantage = PodVantage(this_machine, "shop", "web", user=SIDECAR_USER)
        assert isinstance(vantage.send(Request(f"http://127.0.0.1:{port}/")), Answered)
    assert "setpriv --reuid=1337 --regid=1337 --clear-groups -- curl" in this_machine.commands[0][2]


def test_the_way_to_switch_user_is_configurable(this_machine: Machine) -> None:
    with listening(echo) as port:
        vantage = PodVantage(this_machine, "shop", "web", user=1337, switch_user=["env", "AS_USER={user}"])
        assert isinstance(vantage.send(Request(f"http://127.0.0.1:{port}/")), Answered)
    assert "env AS_USER=1337 curl" in this_machine.commands[0][2]


def test_name_says_where_and_as_whom(this_machine: Machine) -> None:
    assert PodVantage(this_machine, "shop", "web", "app", user=1337).name == "pod shop/web (app) as user 1337"


@pytest.mark.parametrize(
    "error",
    [ExecFailed("no such container", seen="container app"), ExecTimeout("too late", stdout=b"", stderr=b"")],
)
def test_pod_that_runs_nothing_is_an_invalid_measurement(error: Exception) -> None:
    with pytest.raises(InvalidMeasurement, match="pod shop/web"):
        PodVantage(BrokenPod(error), "shop", "web").send(Request("http://127.0.0.1/"))


def test_pod_without_curl_is_an_invalid_measurement(this_machine: Machine) -> None:
    vantage = PodVantage(this_machine, "shop", "web", user=1, switch_user=["no-such-program"])
    with pytest.raises(InvalidMeasurement, match=r"pod shop/web.*(\n.*)*no-such-program: not found"):
        vantage.send(Request("http://127.0.0.1/"))


def test_bad_options_of_ours_are_an_invalid_measurement(this_machine: Machine) -> None:
    vantage = PodVantage(this_machine, "shop", "web", options=["--cacert", "/nowhere/ca.pem"])
    with listening(hang) as port, pytest.raises(InvalidMeasurement, match="curl could not send"):
        vantage.send(Request(f"https://127.0.0.1:{port}/"))


def test_words_reach_curl_unchanged(this_machine: Machine) -> None:
    request = Request("http://127.0.0.1:1/?a='b'&c=$(id)", headers={"x-quote": "'\"; exit 1; `id`"})
    PodVantage(this_machine, "shop", "web").send(request)
    words = shlex.split(this_machine.commands[0][2])
    assert request.url in words
    assert f"x-quote: {request.headers['x-quote']}" in words


def test_batches_stay_below_the_limit_of_a_command_line() -> None:
    requests = [
        Request(f"http://127.0.0.1/{number}", body=b"x" * 500, headers={"q": "'" * 90}) for number in range(300)
    ]
    found = list(batches(requests))
    assert [request for batch in found for request in batch] == requests
    assert len(found) > 1
    assert max(len(script(batch, "boundary")) for batch in found) < 128 * 1024


def test_few_requests_are_one_batch() -> None:
    requests = [Request(f"http://127.0.0.1/{number}") for number in range(40)]
    assert list(batches(requests)) == [requests]


def test_request_that_is_too_big_is_a_batch_of_its_own() -> None:
    small, big = Request("http://127.0.0.1/"), Request("http://127.0.0.1/", body=b"x" * 1000)
    assert list(batches([small, big, small], size=1500)) == [[small], [big], [small]]
