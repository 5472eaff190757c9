from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from api_server import ApiServer, write_kubeconfig

from meshproof.kube import Cluster, ClusterUnreachable, ExecFailed, ExecTimeout, Forbidden

POD = "/api/v1/namespaces/shop/pods/web/exec"


def test_output_and_exit_code(cluster: Cluster) -> None:
    result = cluster.execute("shop", "web", ["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (result.stdout, result.stderr, result.code) == (b"out\n", b"err\n", 3)


def test_success_is_code_0(cluster: Cluster) -> None:
    result = cluster.execute("shop", "web", ["echo", "hello"])
    assert (result.text, result.code) == ("hello\n", 0)


def test_words_and_container_arrive_as_given(api: ApiServer, cluster: Cluster) -> None:
    result = cluster.execute("shop", "web", ["printf", "%s|", "a b", "ü&x=1", ""], container="app")
    assert result.text == "a b|ü&x=1||"
    assert api.seen[-1].query["container"] == ["app"]
    assert "stdin" not in api.seen[-1].query


def test_output_is_the_same_byte_for_byte(cluster: Cluster, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096
    (tmp_path / "data").write_bytes(data)
    result = cluster.execute("shop", "web", ["cat", str(tmp_path / "data")])
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(data).digest()


def test_stdin_is_fed_and_ended(cluster: Cluster) -> None:
    data = bytes(range(256)) * 200
    assert cluster.execute("shop", "web", ["cat"], stdin=data).stdout == data


def test_empty_stdin_ends_at_once(cluster: Cluster) -> None:
    assert cluster.execute("shop", "web", ["cat"], stdin=b"").stdout == b""


def test_old_server_cannot_end_stdin(api: ApiServer, cluster: Cluster) -> None:
    api.protocol = "v4.channel.k8s.io"
    with pytest.raises(ExecFailed, match="cannot end a command's standard input"):
        cluster.execute("shop", "web", ["cat"], stdin=b"x")


def test_many_threads_at_once(cluster: Cluster) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda n: cluster.execute("shop", "web", ["echo", str(n)]).text, range(24))
        assert list(found) == [f"{number}\n" for number in range(24)]


def test_command_past_its_time_shows_what_it_said(cluster: Cluster) -> None:
    with pytest.raises(ExecTimeout, match=r"run sleep in pod shop/web: not done after 0\.2 s"):
        cluster.execute("shop", "web", ["sleep", "1"], timeout=0.2)


def test_missing_pod_is_named(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", POD] = (404, {"message": 'pods "web" not found'})
    with pytest.raises(ExecFailed, match='run true in pod shop/web, container app\n  seen: pods "web" not found'):
        cluster.execute("shop", "web", ["true"], container="app")


def test_missing_right_is_forbidden(api: ApiServer, cluster: Cluster) -> None:
    message = (
        'pods "web" is forbidden: User "eve" cannot get resource "pods/exec" in API group "" in the namespace "shop"'
    )
    api.answers["GET", POD] = (403, {"message": message})
    with pytest.raises(Forbidden, match='user "eve" may not get resource "pods/exec"'):
        cluster.execute("shop", "web", ["true"])


def test_program_that_is_not_there_is_no_result(api: ApiServer, cluster: Cluster) -> None:
    api.exec_status = {"status": "Failure", "reason": "InternalError", "message": '"nix": executable file not found'}
    with pytest.raises(ExecFailed, match="executable file not found"):
        cluster.execute("shop", "web", ["nix"])


def test_connection_that_ends_without_exit_code_is_no_result(api: ApiServer, cluster: Cluster) -> None:
    api.exec_status = {}
    with pytest.raises(ExecFailed, match="run true in pod shop/web"):
        cluster.execute("shop", "web", ["true"])


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    cluster = Cluster(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1"))
    with pytest.raises(ClusterUnreachable, match="run true in pod shop/web"):
        cluster.execute("shop", "web", ["true"])
