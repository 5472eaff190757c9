"""A pod's own HTTP server, asked through the API server without a command in the pod."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Thread

import pytest
from api_server import ApiServer
from pod_server import serving

from meshproof.kube import Cluster, ClusterUnreachable, NotFound


class Admin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(404 if self.path == "/nowhere" else 200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for _ in range(3):
            self.wfile.write(b"fffe\r\n" + b"x" * 0xFFFE + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def pod_port() -> Iterator[int]:
    with serving(Admin) as port:
        yield port


def test_a_long_answer_comes_whole_with_its_status(api: ApiServer, cluster: Cluster, pod_port: int) -> None:
    api.forward_to = pod_port
    assert cluster.fetch("shop", "web", 15000, "/stats?filter=%5Ea") == (200, b"x" * 3 * 0xFFFE)
    assert Admin.asked[-1] == "/stats?filter=%5Ea"
    assert api.seen[-1].query == {"ports": ["15000"]}
    status, _ = cluster.fetch("shop", "web", 15000, "/nowhere")
    assert status == 404


def test_a_closed_port_is_told(cluster: Cluster) -> None:
    with pytest.raises(ClusterUnreachable, match="cannot ask port 15000 of pod shop/web"):
        cluster.fetch("shop", "web", 15000, "/stats")


def test_a_missing_pod_is_told(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/api/v1/namespaces/shop/pods/web/portforward"] = (404, {"message": "no pod"})
    with pytest.raises(NotFound, match="cannot ask port 15000 of pod shop/web"):
        cluster.fetch("shop", "web", 15000, "/stats")


@contextmanager
def says(words: bytes | None) -> Iterator[int]:
    """A server that says this and closes, or says nothing and stays."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                if words is None:
                    connection.recv(1)
                else:
                    connection.sendall(words)

        thread = Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


@pytest.mark.parametrize("words", [b"SSH-2.0-server\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", b""])
def test_what_is_no_whole_answer_is_told(api: ApiServer, cluster: Cluster, words: bytes) -> None:
    with says(words) as api.forward_to, pytest.raises(ClusterUnreachable, match="cannot ask port 22"):
        cluster.fetch("shop", "web", 22, "/")


def test_who_never_answers_is_not_waited_for(api: ApiServer, cluster: Cluster) -> None:
    with says(None) as api.forward_to, pytest.raises(ClusterUnreachable, match=r"no answer within 0\.3 s"):
        cluster.fetch("shop", "web", 80, "/", timeout=0.3)
