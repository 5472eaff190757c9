from __future__ import annotations

import json

from meshproof.probe import Answered, Reason, Refused


def test_answer_as_evidence() -> None:
    evidence = Answered(200, {"a": "b"}, b"hello", 0.0123456789, raw_headers=(("A", "b"),)).as_evidence()
    assert json.loads(json.dumps(evidence)) == {
        "outcome": "answered",
        "status": 200,
        "headers": [["A", "b"]],
        "body": "hello",
        "http_version": "HTTP/1.1",
        "seconds": 0.012346,
        "peer": None,
        "local": None,
        "request_id": "",
    }


def test_binary_body_is_shown_by_its_hash() -> None:
    body = Answered(200, {}, b"RIFF\xff\xfe", 0).as_evidence()["body"]
    assert body.startswith("<6 bytes, sha256 ")


def test_long_body_is_cut() -> None:
    body = Answered(200, {}, b"x" * 10_000, 0).as_evidence()["body"]
    assert len(body) < 2200
    assert "<10000 bytes, sha256 " in body


def test_refusal_as_evidence() -> None:
    refused = Refused(Reason.RESET, "Connection reset by peer", 0.5, peer="10.0.0.1:80", trace=("Connected",))
    evidence = json.loads(json.dumps(refused.as_evidence()))
    assert (evidence["outcome"], evidence["reason"]) == ("refused", "reset")
    assert (evidence["peer"], evidence["trace"]) == ("10.0.0.1:80", ["Connected"])


def test_outcomes_in_words() -> None:
    assert str(Answered(503, {}, b"no healthy upstream", 0.002)) == "answered 503 in 2 ms: 'no healthy upstream'"
    assert str(Refused(Reason.TIMEOUT, "late", 10)) == "refused (timeout) after 10000 ms: late"


def test_json_of_the_body() -> None:
    assert Answered(200, {}, b'{"version": "v1"}', 0).json() == {"version": "v1"}
