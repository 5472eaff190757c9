"""What the host and a pod both have to see; each test runs from both."""

from __future__ import annotations

import socket
import ssl

import pytest
import trustme
from servers import Behaviour, answer, close, closed_port, echo, hang, listening, reset

from meshproof.probe import Answered, Reason, Refused, Request, Vantage


def answered(vantage: Vantage, request: Request) -> Answered:
    outcome = vantage.send(request)
    assert isinstance(outcome, Answered), outcome
    return outcome


def refused(vantage: Vantage, request: Request) -> Refused:
    outcome = vantage.send(request)
    assert isinstance(outcome, Refused), outcome
    return outcome


def test_answer_is_whole(vantage: Vantage) -> None:
    text = b"HTTP/1.1 201 Created\r\nX-One: a\r\nSet-Cookie: b\r\nset-cookie: c\r\ncontent-length: 5\r\n\r\nhello"
    with listening(answer(text)) as port:
        outcome = answered(vantage, Request(f"http://127.0.0.1:{port}/"))
    assert (outcome.status, outcome.body, outcome.http_version) == (201, b"hello", "HTTP/1.1")
    assert outcome.headers == {"x-one": "a", "set-cookie": "c", "content-length": "5"}
    assert [value for name, value in outcome.raw_headers if name.lower() == "set-cookie"] == ["b", "c"]


def test_both_ends_of_the_connection_are_known(vantage: Vantage) -> None:
    with listening(echo) as port:
        outcome = answered(vantage, Request(f"http://127.0.0.1:{port}/"))
    assert outcome.peer == f"127.0.0.1:{port}"
    assert (outcome.local or "").startswith("127.0.0.1:")
    assert outcome.local != outcome.peer


def test_binary_body_is_unchanged(vantage: Vantage) -> None:
    body = b"RIFF\r\n\r\nHTTP/1.1 200\r\n" + bytes(range(256)) * 500
    with listening(answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)) as port:
        assert answered(vantage, Request(f"http://127.0.0.1:{port}/")).body == body


def test_chunked_body_is_put_together(vantage: Vantage) -> None:
    text = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with listening(answer(text)) as port:
        assert answered(vantage, Request(f"http://127.0.0.1:{port}/")).body == b"abcde"


def test_interim_answer_is_left_out(vantage: Vantage) -> None:
    text = b"HTTP/1.1 103 Early Hints\r\nx-early: 1\r\n\r\nHTTP/1.1 200 OK\r\nx-late: 1\r\ncontent-length: 0\r\n\r\n"
    with listening(answer(text)) as port:
        outcome = answered(vantage, Request(f"http://127.0.0.1:{port}/"))
    assert (outcome.status, "x-late" in outcome.headers, "x-early" in outcome.headers) == (200, True, False)


def test_redirect_is_an_answer(vantage: Vantage) -> None:
    with listening(answer(b"HTTP/1.1 302 Found\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n")) as port:
        assert answered(vantage, Request(f"http://127.0.0.1:{port}/")).status == 302


def test_request_goes_out_as_asked(vantage: Vantage) -> None:
    with listening(echo) as port:
        request = Request(
            f"http://127.0.0.1:{port}/a/../b?x=[1]&y='%22",
            method="PUT",
            headers={"X-Test": "it's", "X-Empty": ""},
            body=b"\x00\xffbody",
            host="shop.example.com",
        )
        head, _, body = answered(vantage, request).body.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert first == "PUT /a/../b?x=[1]&y='%22 HTTP/1.1"
    assert body == b"\x00\xffbody"
    assert headers == {
        "host": "shop.example.com",
        "accept": "*/*",
        "user-agent": f"meshproof {request.request_id}",
        "x-request-id": request.request_id,
        "x-test": "it's",
        "x-empty": "",
        "content-length": "6",
    }


def test_get_is_plain(vantage: Vantage) -> None:
    with listening(echo) as port:
        text = answered(vantage, Request(f"http://127.0.0.1:{port}/")).text
    assert text.startswith("GET / HTTP/1.1\r\n")
    assert f"127.0.0.1:{port}" in text


def test_every_request_has_an_id_of_its_own() -> None:
    assert Request("http://a/").request_id != Request("http://a/").request_id


def test_other_address_keeps_the_host(vantage: Vantage) -> None:
    with listening(echo) as port:
        request = Request("http://shop.example.com/", connect_to=f"127.0.0.1:{port}")
        assert "host: shop.example.com\r\n" in answered(vantage, request).text.lower()


def test_https_by_name_at_another_address(vantage: Vantage, server_tls: ssl.SSLContext) -> None:
    names: list[str | None] = []
    server_tls.sni_callback = lambda _socket, name, _context: names.append(name)
    with listening(echo, tls=server_tls) as port:
        request = Request("https://shop.example.com/", connect_to=f"127.0.0.1:{port}")
        assert answered(vantage, request).status == 200
    assert names == ["shop.example.com"]


def test_wrong_name_in_the_certificate(vantage: Vantage, server_tls: ssl.SSLContext) -> None:
    with listening(echo, tls=server_tls) as port:
        request = Request("https://other.example.com/", connect_to=f"127.0.0.1:{port}")
        assert refused(vantage, request).reason is Reason.TLS


def test_unknown_authority(vantage: Vantage) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("shop.example.com").configure_cert(context)
    with listening(echo, tls=context) as port:
        request = Request("https://shop.example.com/", connect_to=f"127.0.0.1:{port}")
        assert refused(vantage, request).reason is Reason.TLS


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_missing_client_certificate(
    vantage: Vantage, server_tls: ssl.SSLContext, authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    server_tls.verify_mode = ssl.CERT_REQUIRED
    server_tls.minimum_version = server_tls.maximum_version = version
    authority.configure_trust(server_tls)
    with listening(echo, tls=server_tls) as port:
        request = Request("https://shop.example.com/", connect_to=f"127.0.0.1:{port}")
        assert refused(vantage, request).reason is Reason.TLS


def test_unknown_name(vantage: Vantage) -> None:
    assert refused(vantage, Request("http://no-such-name.invalid/")).reason is Reason.DNS


def test_nobody_listens(vantage: Vantage) -> None:
    outcome = refused(vantage, Request(f"http://127.0.0.1:{closed_port()}/"))
    assert outcome.reason is Reason.CONNECTION_REFUSED


def test_no_way_to_the_address(vantage: Vantage) -> None:
    # Class E addresses are not routable, so Linux says so at once.
    assert refused(vantage, Request("http://255.255.255.255/", timeout=2)).reason is Reason.UNREACHABLE


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        pytest.param(reset, Reason.RESET, id="reset"),
        pytest.param(close, Reason.EMPTY_REPLY, id="closed"),
        pytest.param(hang, Reason.TIMEOUT, id="silent"),
        pytest.param(answer(b"SSH-2.0-OpenSSH\r\n\r\n"), Reason.PROTOCOL, id="not HTTP"),
        pytest.param(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), Reason.TRUNCATED, id="half a body"),
    ],
)
def test_refusals_over_plaintext(vantage: Vantage, behave: Behaviour, reason: Reason) -> None:
    with listening(behave) as port:
        outcome = refused(vantage, Request(f"http://127.0.0.1:{port}/", timeout=0.5))
    assert outcome.reason is reason
    assert outcome.peer == f"127.0.0.1:{port}"
    assert (outcome.local or "").startswith("127.0.0.1:")


def say_plaintext(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        pytest.param(reset, Reason.RESET_IN_HANDSHAKE, id="reset"),
        pytest.param(say_plaintext, Reason.TLS, id="plaintext server"),
    ],
)
def test_refusals_in_the_handshake(vantage: Vantage, behave: Behaviour, reason: Reason) -> None:
    with listening(behave) as port:
        assert refused(vantage, Request(f"https://127.0.0.1:{port}/", timeout=2)).reason is reason


def test_plaintext_to_a_tls_server_is_no_answer(vantage: Vantage, server_tls: ssl.SSLContext) -> None:
    with listening(echo, tls=server_tls) as port:
        outcome = refused(vantage, Request(f"http://127.0.0.1:{port}/", timeout=2))
    # The server's alert is seven bytes, which one client takes for a bad answer and the other for the lack of one.
    assert outcome.reason in (Reason.PROTOCOL, Reason.EMPTY_REPLY)


def test_refusal_keeps_the_status_that_had_come(vantage: Vantage) -> None:
    with listening(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")) as port:
        assert refused(vantage, Request(f"http://127.0.0.1:{port}/")).status == 200


@pytest.mark.parametrize("parallel", [1, 3])
def test_many_outcomes_are_in_the_order_of_the_requests(vantage: Vantage, parallel: int) -> None:
    with listening(echo) as port:
        requests = [Request(f"http://127.0.0.1:{port}/{number}") for number in range(7)]
        requests[3] = Request(f"http://127.0.0.1:{closed_port()}/")
        outcomes = vantage.send_all(requests, parallel=parallel)
    assert isinstance(outcomes[3], Refused)
    paths = [found.text.split()[1] for found in outcomes if isinstance(found, Answered)]
    assert paths == ["/0", "/1", "/2", "/4", "/5", "/6"]
    assert [found.request_id for found in outcomes] == [request.request_id for request in requests]


def test_no_requests_no_outcomes(vantage: Vantage) -> None:
    assert vantage.send_all([]) == []


def test_environment_proxies_take_no_part(vantage: Vantage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    with listening(echo) as port:
        assert answered(vantage, Request(f"http://127.0.0.1:{port}/")).status == 200
