"""Spoils on purpose: what searches find is lost, doubled or altered while they are on, and whole again afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from intake_payloads import frame, log_line, span, text_form
from intake_server import Intake

from meshproof.errors import MeshproofError
from meshproof.intake.backend import Backend
from meshproof.intake.client import IntakeControl
from meshproof.intake.rejections import Rejected
from meshproof.intake.spoils import Spoils
from meshproof.intake.wire import message


class Spoiled:
    """An intake's two faces: `on` switches spoils on, the rest asks what is found now."""

    def __init__(self, intake: Intake) -> None:
        self.control = IntakeControl(intake.url, intake.settings.key)
        self.backend = Backend.of_intake(intake.url, intake.settings.key)
        self.since = datetime.now(UTC) - timedelta(minutes=5)

    def on(self, *spoils: dict[str, Any]) -> None:
        self.control.spoil(*spoils)

    def messages(self, query: str) -> list[str]:
        return [line.message for line in self.backend.logs(query, self.since)]

    def points(self, query: str) -> list[float]:
        return [value for series in self.backend.metrics(query, self.since) for _, value in series.points]


@pytest.fixture
def spoiled(intake: Intake) -> Iterator[Spoiled]:
    found = Spoiled(intake)
    yield found
    found.control.unspoil()
    found.control.close()
    found.backend.close()


def test_what_matches_is_lost_and_found_again(spoiled: Spoiled, intake: Intake, mark: str) -> None:
    intake.http.post("/api/v2/logs", json=[log_line(f"{mark} one"), log_line(f"{mark} two")])
    spoiled.on({"of": "logs", "match": {"message": "two$"}, "lost": True})
    assert spoiled.messages(mark) == [f"{mark} one"]
    spoiled.control.unspoil()
    assert spoiled.messages(mark) == [f"{mark} one", f"{mark} two"]


def test_all_fields_have_to_match(spoiled: Spoiled, intake: Intake, mark: str) -> None:
    intake.http.post("/api/v2/logs", json=[log_line(f"{mark} one"), log_line(f"{mark} two", status="error")])
    spoiled.on({"of": "logs", "match": {"message": mark, "status": "error"}, "twice": True})
    assert spoiled.messages(mark) == [f"{mark} one", f"{mark} two", f"{mark} two"]


def test_a_field_that_is_not_there_does_not_match(spoiled: Spoiled, intake: Intake, mark: str) -> None:
    intake.http.post("/api/v2/logs", json=[log_line(mark)])
    spoiled.on({"of": "logs", "match": {"nothing": ""}, "lost": True})
    assert spoiled.messages(mark) == [mark]


def test_texts_are_altered_by_pattern(spoiled: Spoiled, intake: Intake, mark: str) -> None:
    intake.http.post("/api/v2/logs", json=[log_line(f"{mark} Grüße")])
    spoiled.on(
        {"of": "logs", "match": {"message": mark}, "replace": {"message": {"pattern": "[^\\x00-\\x7f]+", "by": "?"}}},
        {"of": "logs", "match": {"message": mark}, "replace": {"message": {"pattern": "(Gr)\\?", "by": "\\1u"}}},
    )
    assert spoiled.messages(mark) == [f"{mark} Grue"], "one spoil after the other"


def test_spans_are_lengthened_and_their_attributes_altered(spoiled: Spoiled, intake: Intake, mark: str) -> None:
    sent = span(resource=mark, duration=5_000_000, meta={"http.status_code": "503"}, metrics={"size": 503.0})
    intake.http.post("/api/v0.2/traces", content=text_form(sent))
    spoiled.on(
        {"of": "spans", "match": {"resource": mark, "size": "^503$"}, "add": {"duration": 1e9, "size": 1}},
        {
            "of": "spans",
            "match": {"http.status_code": "^503$"},
            "replace": {"http.status_code": {"pattern": "503", "by": "200"}},
        },
    )
    (found,) = spoiled.backend.spans(f"resource_name:{mark}", spoiled.since)
    assert found.duration == 1_005_000_000
    assert (found.attributes["http.status_code"], found.attributes["size"]) == ("200", 504)


def test_documents_are_spoiled_by_their_json(spoiled: Spoiled, intake: Intake, mark: str) -> None:
    claim = message("Claim")(metadata=message("Metadata")(name=mark, namespace="apps", uid="u"))
    claim.status.phase = "Bound"
    body = message("Items5")(items=[claim.SerializeToString()]).SerializeToString()
    intake.http.post("/api/v2/orch", content=frame(52, body))
    spoiled.on({"of": "documents", "match": {"name": mark}, "replace": {"content": {"pattern": "Bound", "by": "Lost"}}})
    (found,) = spoiled.control.documents(f"kind:persistent-volume-claim name:apps/{mark}")
    assert found["content"]["phase"] == "Lost"


@pytest.mark.parametrize(
    ("spoil", "found"), [({"add": {"value": 100}}, [103.0]), ({"lost": True}, []), ({"add": {}, "lost": True}, [])]
)
def test_metrics_are_added_to_or_lost(
    spoiled: Spoiled, intake: Intake, mark: str, spoil: dict[str, Any], found: list[float]
) -> None:
    now = int(time.time()) // 60 * 60
    for name in (mark, f"{mark}.other"):
        series = {"metric": name, "points": [[now, 3]], "type": "gauge", "host": "h"}
        intake.http.post("/api/v1/series", json={"series": [series]})
    spoiled.on({"of": "metrics", "match": {"metric": f"^{mark}$"}, **spoil})
    assert spoiled.points(f"avg:{mark}{{*}}") == found
    assert spoiled.points(f"avg:{mark}.other{{*}}") == [3.0]


def test_faults_come_and_go_beside_them(spoiled: Spoiled, intake: Intake, mark: str) -> None:
    intake.http.post("/api/v2/logs", json=[log_line(mark)])
    spoiled.on({"of": "logs", "match": {"message": mark}, "twice": True})
    with spoiled.control.faults({"path": "/api/v1/check_run", "status": 500}):
        assert spoiled.messages(mark) == [mark, mark]
    assert spoiled.messages(mark) == [mark, mark]


def test_every_page_of_an_answer_is_spoiled(spoiled: Spoiled, intake: Intake, mark: str) -> None:
    intake.http.post("/api/v2/logs", json=[log_line(f"{mark} {number}") for number in range(5)])
    spoiled.on({"of": "logs", "match": {"message": "[13]$"}, "lost": True})
    found: list[str] = []
    asked: dict[str, Any] = {"filter[query]": mark, "page[limit]": 2, "sort": "timestamp"}
    while True:
        answer = intake.http.get("/api/v2/logs/events", params=asked).json()
        found += [it["attributes"]["message"][-1] for it in answer["data"]]
        if "page" not in answer["meta"]:
            break
        asked["page[cursor]"] = answer["meta"]["page"]["after"]
    assert found == ["0", "2", "4"]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ({"of": "logs"}, "give one of"),
        ({"of": "logs", "lost": True, "twice": True}, "give one of"),
        ({"of": "nothing", "lost": True}, "of: "),
        ({"of": "logs", "match": {"message": "("}, "lost": True}, "not a regular expression"),
        ({"of": "logs", "replace": {"message": {"pattern": "a", "by": "\\1"}}}, "does not fit"),
        ({"of": "metrics", "twice": True}, "metrics can be lost"),
        ({"of": "metrics", "add": {"timestamp": 1}}, "metrics can be lost"),
        ({"of": "logs", "lost": True, "x": 1}, "x: Extra"),
    ],
)
def test_a_spoil_that_makes_no_sense_is_refused(spoil: dict[str, Any], why: str) -> None:
    with pytest.raises(Rejected, match="400 bad_spoil: spoils: ") as refused:
        Spoils().replace({"spoils": [spoil]})
    assert why in refused.value.detail


def test_a_refused_spoil_is_told_with_400_and_changes_nothing(spoiled: Spoiled, intake: Intake) -> None:
    kept = {"of": "logs", "match": {"message": "x"}, "lost": True}
    spoiled.on(kept)
    with pytest.raises(MeshproofError, match="refused PUT /meshproof/spoils") as refused:
        spoiled.on({"of": "logs"})
    assert str(refused.value.seen).startswith("400: ")
    assert intake.http.get("/meshproof/spoils").json() == {"spoils": [kept]}


def test_spoils_need_the_key(intake: Intake) -> None:
    assert intake.http.put("/meshproof/spoils", json={}, headers={"DD-API-KEY": "x"}).status_code == 403
