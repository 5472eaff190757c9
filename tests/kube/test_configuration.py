from __future__ import annotations

from pathlib import Path

import pytest
from api_server import write_kubeconfig

from meshproof.kube import Cluster, UnknownContext, UnreadableKubeconfig, contexts


def test_current_context_is_used(tmp_path: Path) -> None:
    cluster = Cluster(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1"))
    assert (cluster.context, cluster.server) == ("one", "http://127.0.0.1:1")


def test_named_context_is_used(tmp_path: Path) -> None:
    assert Cluster(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1"), "two").context == "two"


def test_contexts_are_listed_with_the_current_one(tmp_path: Path) -> None:
    assert contexts(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")) == (["one", "two"], "one")


def test_unknown_context_names_those_that_exist(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    with pytest.raises(UnknownContext, match="no context three\n  seen: one, two"):
        Cluster(path, "three")


def test_no_current_context_names_those_that_exist(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1", current=None)
    with pytest.raises(UnknownContext, match="no current context\n  seen: one, two"):
        Cluster(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableKubeconfig, match=r"cannot read kubeconfig .*/nowhere\n  seen: No such file"):
        Cluster(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["{", "- a list", ""])
def test_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(UnreadableKubeconfig, match=str(path)):
        Cluster(path)


def test_context_without_its_cluster_is_unreadable(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    path.write_text(path.read_text().replace("name: c\n", "name: other\n"))
    with pytest.raises(UnreadableKubeconfig, match="object with name c in"):
        Cluster(path)


def test_kubeconfig_variable_is_used_without_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")))
    assert Cluster(context="two").context == "two"
