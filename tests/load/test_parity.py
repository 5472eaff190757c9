"""Rows and spans of the same requests, and what tells that they do not agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from meshproof.intake.backend import Span
from meshproof.load.parity import parity
from meshproof.load.rows import Rows, request_mark
from tests.load.made_rows import made

ARMS = ["v1", "v2"]
ROWS = made(60)


def spans_of(rows: Rows) -> list[Span]:
    """What the first proxy tells of them: it began 100 microseconds later, and ended as much earlier."""
    return [
        Span(
            trace_id=f"{place:032x}",
            span_id="1",
            parent_id="0",
            service="istio-ingressgateway.istio-system",
            name="envoy.proxy",
            resource="text-to-speech-vs:80/*",
            type="web",
            env="meshproof",
            host="node-1",
            start=int(start + 100) * 1000,
            duration=int(end - start - 200) * 1000,
            error=False,
            tags=frozenset(),
            attributes={
                "user_agent": f"meshproof-load/0123 {request_mark(int(user), int(start))}",
                "upstream_cluster": f"outbound|80|{version}|text-to-speech.apps.svc.cluster.local",
                "http.status_code": str(status),
            },
        )
        for place, (start, end, user, version, status) in enumerate(
            zip(rows.start, rows.end, rows.user, rows.version, rows.status, strict=True)
        )
    ]


def changed(span: Span, **attributes: str) -> Span:
    return replace(span, attributes={**span.attributes, **attributes})


def test_spans_of_the_rows_agree_with_them() -> None:
    found = parity(ROWS, spans_of(ROWS), ARMS)
    assert not found.wrong
    assert found.spans == {name: int(np.count_nonzero(ROWS.version == name)) for name in ARMS}
    assert np.allclose(found.rows.service - found.proxy, 200e-6)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda spans: spans[1:], "1 requests have no span"),
        (lambda spans: [*spans, spans[0]], "1 spans belong to no request, or to one that has another"),
        (lambda spans: [changed(spans[0], user_agent="meshproof-load/0123 (9.9)"), *spans], "1 spans belong to no"),
        (lambda spans: [changed(spans[0], upstream_cluster="outbound|80|v3|host"), *spans[1:]], "another arm"),
        (lambda spans: [changed(spans[0], **{"http.status_code": "503"}), *spans[1:]], "another status"),
        (lambda spans: [replace(spans[0], duration=spans[0].duration + 10**7), *spans[1:]], "not within the time"),
        (lambda spans: [replace(spans[0], start=spans[0].start - 10**7), *spans[1:]], "not within the time"),
    ],
)
def test_what_does_not_agree_is_told(spoil: Callable[[list[Span]], list[Span]], words: str) -> None:
    (told,) = parity(ROWS, spoil(spans_of(ROWS)), ARMS).wrong
    assert words in told


def test_a_request_without_an_answer_needs_no_span_and_may_have_one() -> None:
    unanswered = replace(ROWS, status=np.where(np.arange(len(ROWS)) == 0, 0, ROWS.status))
    spans = spans_of(ROWS)
    assert not parity(unanswered, spans[1:], ARMS).wrong
    assert not parity(unanswered, spans, ARMS).wrong
