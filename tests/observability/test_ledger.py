"""Lines sent against lines arrived, through a real intake."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from meshproof.errors import InvalidMeasurement
from meshproof.intake.backend import Backend
from meshproof.intake.server import IntakeSettings, running
from meshproof.observability.ledger import COLUMNS, Expectation, reconcile
from meshproof.observability.sentinels import Stream, new_run

TAGS = "kube_namespace:apps,pod_name:writer-1,kube_container_name:writer"


class Place:
    """An intake, what is sent to it as an agent would, and what it has."""

    def __init__(self, http: httpx.Client, backend: Backend) -> None:
        self._http = http
        self._backend = backend
        self._now = int(time.time() * 1000)
        self.run = new_run()
        self.stream = Stream(self.run, "apps/writer")

    def send(self, *messages: str, tags: str = TAGS, service: str = "debian") -> None:
        self._now += 1
        item = {"timestamp": self._now, "service": service, "ddsource": "debian", "ddtags": tags, "hostname": "node"}
        self._http.post("/api/v2/logs", json=[{**item, "message": it} for it in messages]).raise_for_status()

    def account(self, *expectations: Expectation):
        lines = self._backend.logs(self.run, datetime.now(UTC) - timedelta(minutes=5), datetime.now(UTC) + timedelta(1))
        return reconcile(self.run, expectations, lines)


@pytest.fixture(scope="module")
def intake(tmp_path_factory) -> Iterator[tuple[httpx.Client, Backend]]:
    settings = IntakeSettings(folder=tmp_path_factory.mktemp("intake"), port=0)
    with running(settings) as url, httpx.Client(base_url=url, headers={"DD-API-KEY": settings.key}) as http:
        backend = Backend.of_intake(url, settings.key)
        yield http, backend
        backend.close()


@pytest.fixture
def place(intake) -> Place:
    return Place(*intake)


def expected(sent, **more):
    return Expectation("apps/writer", sent, **more)


def test_all_arrived_once_and_in_order_is_no_fault(place):
    place.send(*place.stream.lines(1, 5))
    ledger = place.account(
        expected(range(1, 6), tags={"pod_name": "writer-1", "service": "debian", "source": "debian"})
    )
    assert ledger.faults == ()
    assert ledger.complete
    assert ledger["apps/writer"].row == {
        "source": "apps/writer",
        "expected": "arrives",
        "sent": 5,
        "arrived": 5,
        "sentinel": "",
    }


def test_missing_lines_are_named_in_ranges(place):
    place.send(*place.stream.lines(1, 2), *place.stream.lines(6, 1))
    ledger = place.account(expected(range(1, 9)))
    assert ledger.faults == ("apps/writer: 5 of 8 lines did not arrive: 3-5, 7-8",)
    assert not ledger.complete


def test_doubled_lines_are_counted(place):
    place.send(*place.stream.lines(1, 3))
    place.send(*place.stream.lines(2, 1), *place.stream.lines(2, 1))
    (fault,) = place.account(expected(range(1, 4))).faults
    assert fault == "apps/writer: 1 of 3 lines arrived more than once: 2 (3 times)"


def test_order_is_that_of_the_backend(place):
    place.send(*place.stream.lines(2, 1))
    place.send(*place.stream.lines(1, 1), *place.stream.lines(3, 1))
    (fault,) = place.account(expected(range(1, 4))).faults
    assert "line 1 came after line 2" in fault


def test_a_doubled_line_is_not_out_of_order_as_well(place):
    place.send(*place.stream.lines(1, 3))
    place.send(*place.stream.lines(1, 3))
    assert [fault for fault in place.account(expected(range(1, 4))).faults if "out of order" in fault] == []


def test_a_cut_line_is_altered_and_not_missing(place):
    place.send(place.stream.line(1, "x" * 100)[:-10])
    (fault,) = place.account(expected([1])).faults
    assert fault == "apps/writer: 1 lines are not as they were written: 1"


def test_wrong_and_missing_tags_are_told(place):
    place.send(*place.stream.lines(1, 2), tags="pod_name:other", service="thing")
    tags = {"pod_name": "writer-1", "container_name": "writer", "service": "debian"}
    faults = place.account(expected([1, 2], tags=tags)).faults
    assert faults == (
        "apps/writer: 2 lines have other for pod_name, not writer-1",
        "apps/writer: 2 lines have no value at all for container_name, not writer",
        "apps/writer: 2 lines have thing for service, not debian",
    )


def test_a_containers_name_is_known_under_both_tags(place):
    place.send(*place.stream.lines(1, 1))
    assert place.account(expected([1], tags={"container_name": "writer"})).faults == ()


def test_excluded_lines_that_arrive_are_a_fault_with_its_reason(place):
    place.send(*place.stream.lines(1, 2))
    (fault,) = place.account(expected(range(1, 6), arrives=False, because="its image is excluded")).faults
    assert fault == "apps/writer: 2 lines arrived of 5, although its image is excluded"


def test_excluded_lines_that_stay_out_are_no_fault_and_not_waited_for(place):
    ledger = place.account(expected([1], arrives=False))
    assert (ledger.faults, ledger.complete) == ((), True)


def test_what_nobody_wrote_is_told(place):
    place.send(*place.stream.lines(1, 2))
    place.send(Stream(place.run, "apps/other").line(1))
    assert place.account(expected([1])).faults == (
        "apps/writer: lines arrived that nobody wrote: 2",
        "apps/other: 1 lines of a stream that nobody declared",
    )


def test_lines_of_other_runs_are_left_aside(place):
    place.send(Stream("mpother", "apps/writer").line(1, place.run), *place.stream.lines(1, 1))
    assert place.account(expected([1])).faults == ()


def test_nothing_sent_is_no_measurement(place):
    with pytest.raises(InvalidMeasurement, match="nothing was sent to apps/writer"):
        place.account(expected([], arrives=False))


def test_a_row_has_a_cell_for_each_column(place):
    place.send(*place.stream.lines(1, 1))
    assert len(place.account(expected([1]))["apps/writer"].cells) == len(COLUMNS)


def test_one_line_of_a_stream_can_be_searched_for(place, intake):
    place.send(*place.stream.lines(1, 12))
    found = intake[1].logs(
        place.stream.phrase(2), datetime.now(UTC) - timedelta(minutes=5), datetime.now(UTC) + timedelta(1)
    )
    assert [line.message for line in found] == [place.stream.line(2)]
