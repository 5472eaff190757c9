from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

import httpx
import pytest
from api_server import ApiServer
from pod_server import serving

from meshproof.kube import Cluster
from meshproof.waiting import eventually


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello " + self.path.encode())


@pytest.fixture
def pod_port() -> Iterator[int]:
    with serving(Hello) as port:
        yield port


def get(address: str, path: str) -> str:
    return httpx.get(f"http://{address}{path}", trust_env=False).text


def test_many_connections_one_after_the_other(api: ApiServer, cluster: Cluster, pod_port: int) -> None:
    api.forward_to = pod_port
    with cluster.forward("shop", "web", 8080) as address:
        assert [get(address, f"/{number}") for number in range(10)] == [f"hello /{number}" for number in range(10)]
    assert api.seen[-1].query == {"ports": ["8080"]}


def test_closed_port_resets_the_connection(cluster: Cluster) -> None:
    with cluster.forward("shop", "web", 8080) as address, pytest.raises(httpx.NetworkError):
        get(address, "/")


def test_missing_pod_resets_the_connection(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/api/v1/namespaces/shop/pods/web/portforward"] = (404, {"message": "no pod"})
    with cluster.forward("shop", "web", 8080) as address, pytest.raises(httpx.NetworkError):
        get(address, "/")


def test_port_is_closed_after_the_block(cluster: Cluster) -> None:
    with cluster.forward("shop", "web", 8080) as address:
        pass
    host, port = address.split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_open_connections_end_with_the_block(api: ApiServer, cluster: Cluster, pod_port: int) -> None:
    api.forward_to = pod_port
    with cluster.forward("shop", "web", 8080) as address:
        host, port = address.split(":")
        idle = socket.create_connection((host, int(port)))
        idle.sendall(b"GET /half HTTP/1.1\r\n")
        eventually(lambda: api.seen, timeout=5, what="the connection is led on", every=0.01)
    with idle, suppress(ConnectionResetError):  # so it ends when what came last was not read
        assert idle.recv(1) == b""
