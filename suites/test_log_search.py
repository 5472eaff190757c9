"""Logs are found by service, env, status, status code, URL and method: each question gives exactly the right lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from meshproof.datadog import Datadog
from meshproof.errors import InvalidMeasurement
from meshproof.intake.backend import LogLine
from meshproof.mesh import Mesh
from meshproof.observability.sentinels import new_run
from meshproof.probe import Answered, Request
from meshproof.report.evidence import Evidence

pytestmark = pytest.mark.looks_at("agents", "goapi", "client")

GOAPI = "http://goapi.apps.svc.cluster.local"
ALPINE = "http://alpine.apps.svc.cluster.local:5000"
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Sent:
    """A request and what it was answered; `number` is in its URL."""

    number: int
    service: str
    method: str
    url: str
    status: int

    @property
    def level(self) -> str:
        """The status that the app gives to its line about it."""
        return "error" if self.status >= 500 else "warn" if self.status >= 400 else "info"


@dataclass(frozen=True)
class Mix:
    """All requests of a run; `mark` is the query that their lines, and no others, match."""

    run: str
    sent: Sequence[Sent]

    @property
    def mark(self) -> str:
        return f"@http.url:*{self.run}*"

    def numbers(self, lines: Sequence[LogLine]) -> Counter[int]:
        """Which requests the lines are about."""
        found = (re.search(rf"{self.run}x(\d+)", str(line.attributes.get("http.url"))) for line in lines)
        return Counter(int(match[1]) for match in found if match)


@pytest.fixture(scope="module")
def mix(mesh: Mesh, datadog: Datadog) -> Mix:
    """A known mix of requests, the lines about which have all arrived, unless they do not come."""
    run = new_run()
    kinds = [
        ("goapi", "GET", "/books", None, 200),
        ("goapi", "GET", "/books", None, 200),
        ("goapi", "HEAD", "/books", None, 200),
        ("goapi", "GET", "/books/4000000000", None, 404),
        ("goapi", "GET", "/books/seven", None, 400),
        ("goapi", "POST", "/books", b"{", 400),
        ("goapi", "PUT", "/books/4000000000", b'{"title": "t", "author": "a"}', 404),
        ("goapi", "DELETE", "/books/4000000000", None, 404),
        ("goapi", "PATCH", "/books", b"{}", 405),
        ("alpine", "GET", "/anything", None, 200),
        ("alpine", "POST", "/anything", b"{}", 200),
    ]
    requests = [
        Request(f"{GOAPI if app == 'goapi' else ALPINE}{path}?mark={run}x{at}", method=method, body=body, headers=JSON)
        for at, (app, method, path, body, _) in enumerate(kinds)
    ]
    outcomes = mesh.inside.send_all(requests, parallel=2)
    sent = []
    for at, (outcome, request, (app, method, _, _, status)) in enumerate(zip(outcomes, requests, kinds, strict=True)):
        if not isinstance(outcome, Answered) or outcome.status != status:
            raise InvalidMeasurement(f"{method} {request.path} should be answered {status}", seen=outcome)
        sent.append(Sent(at, app, method, request.url, status))
    made = Mix(run, sent)
    datadog.logs(made.mark, until=lambda found: len(made.numbers(found)) == len(sent), what="all access lines arrive")
    return made


QUESTIONS: dict[str, tuple[str, Callable[[Sent], bool]]] = {
    "everything": ("", lambda _: True),
    "service": ("service:goapi", lambda it: it.service == "goapi"),
    "another service": ("service:alpine", lambda it: it.service == "alpine"),
    "env": ("env:meshproof", lambda _: True),
    "another env": ("env:production", lambda _: False),
    "status": ("status:warn", lambda it: it.level == "warn"),
    "not that status": ("-status:warn", lambda it: it.level != "warn"),
    "status code": ("@http.status_code:404", lambda it: it.status == 404),
    "range of status codes": ("@http.status_code:[400 TO 499]", lambda it: 400 <= it.status <= 499),
    "method": ("@http.method:PATCH", lambda it: it.method == "PATCH"),
    "one of two methods": ("@http.method:(PUT OR DELETE)", lambda it: it.method in ("PUT", "DELETE")),
    "part of the URL": ("@http.url:*4000000000*", lambda it: "4000000000" in it.url),
    "all at once": (
        "service:goapi env:meshproof status:warn @http.status_code:400 @http.method:GET",
        lambda it: (it.service, it.status, it.method) == ("goapi", 400, "GET"),
    ),
}


def check(mix: Mix, lines: Sequence[LogLine], expected: Sequence[Sent], query: str, evidence: Evidence) -> None:
    """Exactly the expected requests have a line each among those found."""
    found = mix.numbers(lines)
    rows = [(it.number, it.service, it.method, it.status, it in expected, found[it.number]) for it in mix.sent]
    evidence.add("query", query)
    evidence.table("requests", ("number", "service", "method", "status", "asked for", "lines found"), rows)
    wanted = Counter(it.number for it in expected)
    missing, others = wanted - found, found - wanted
    assert not missing, f"{query} does not find request {', '.join(map(str, sorted(missing)))}"
    assert not others, f"{query} finds request {', '.join(map(str, sorted(others)))} too, or twice"


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_search_gives_exactly_the_right_lines(mix: Mix, datadog: Datadog, question: str, evidence: Evidence) -> None:
    """Of a known mix of requests, a search finds the lines that fit, each once, and no others."""
    words, fits = QUESTIONS[question]
    query = f"{mix.mark} {words}".strip()
    expected = [it for it in mix.sent if fits(it)]
    lines = datadog.logs(
        query, until=lambda found: mix.numbers(found).total() >= len(expected), what=f"{question}: lines are found"
    )
    check(mix, lines, expected, query, evidence)


def test_a_whole_url_finds_its_own_line(mix: Mix, datadog: Datadog, evidence: Evidence) -> None:
    """Asked for one whole URL, the search finds the line about that request alone."""
    chosen = next(it for it in mix.sent if it.status == 404)
    query = f'@http.url:"{chosen.url}"'
    lines = datadog.logs(query, until=lambda found: found, what="the line is found")
    check(mix, lines, [chosen], query, evidence)
