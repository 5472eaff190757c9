"""One mutant after the other in a cluster: undone, put in force; the note in the cluster tells which is in force."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_cluster import SmallCluster, path_of
from small_mutants import a_mutant

from meshproof.errors import UsageError
from meshproof.kube import Cluster
from meshproof.mend.undoing import NotMended
from meshproof.mesh import APPS, MESH_NAMESPACES, Mesh
from meshproof.prove import bench as module
from meshproof.prove import journal
from meshproof.prove.bench import Bench
from meshproof.prove.mutants import Mutant
from meshproof.prove.phases import Stopwatch
from meshproof.settings import load_settings
from meshproof.waiting import StateNotReached

ROUTE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "route", "namespace": "shop"},
    "data": {"weight": "70", "host": "web"},
}

GATEWAY = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "gateway", "namespace": "shop"},
    "spec": {"type": "LoadBalancer"},
}

STORAGE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "fast"},
    "provisioner": "disks.example",
}


def overlay(name: str, settles: str = "rolled out", **data: str) -> Mutant:
    changed = {**ROUTE, "data": data}
    return a_mutant(name, {"test_1": "x"}, steps=[{"overlay": changed}], settles=settles)


FIRST = overlay("first", weight="50")
SECOND = overlay("second", host="db")
AT_ONCE = overlay("at-once", "at once", host="db")
ABOUT_NOTHING = a_mutant("nothing", {"test_1": "x"})


@pytest.fixture
def small() -> Iterator[SmallCluster]:
    with SmallCluster() as small:
        small.has(ROUTE)
        yield small


@pytest.fixture
def settling(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was waited for: there are no proxies here."""
    waited: list[str] = []

    def settled(mesh: Mesh, *, rolled_out: bool = True, proxies: bool = True, **where: object) -> None:
        waited.append("settled" if proxies else "settled, but for the proxies")

    monkeypatch.setattr(module, "settled", settled)
    monkeypatch.setattr(module, "gathered", lambda: waited.append("gathered"))
    monkeypatch.setattr(module, "reachable", lambda mesh: waited.append("reachable"))
    return waited


@pytest.fixture
def bench(small: SmallCluster, settling: list[str], tmp_path: Path) -> Iterator[Bench]:
    nothing: Any = SimpleNamespace()
    with Cluster(small.write_kubeconfig(tmp_path / "kubeconfig")) as cluster:
        mesh = Mesh(load_settings(), nothing, cluster, nothing, "session")
        yield Bench(mesh, tmp_path, tmp_path, Stopwatch())


def data(small: SmallCluster) -> dict[str, str]:
    return dict(small.objects[path_of(ROUTE)]["data"])


def note(bench: Bench) -> str | None:
    return next(iter(journal.mutants_in_force(bench._mesh.cluster)), None)


def test_only_one_mutant_is_in_force_at_any_time(small: SmallCluster, bench: Bench, settling: list[str]) -> None:
    bench.put_in_force(FIRST)
    assert (data(small), note(bench)) == ({"weight": "50", "host": "web"}, "first")
    bench.put_in_force(SECOND)
    assert (data(small), note(bench)) == ({"weight": "70", "host": "db"}, "second")
    assert settling == ["settled"] * 2, "the mending of the first is waited for together with the second"
    assert bench.mend() == ""
    assert (data(small), note(bench)) == (ROUTE["data"], None)
    assert settling == ["settled"] * 3


def test_pods_on_their_way_out_of_the_apps_are_waited_for_once_at_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[frozenset[str]] = []

    def settled(_mesh: Mesh, *, gone_from: Collection[str] = MESH_NAMESPACES, **_how: object) -> None:
        waited.append(frozenset(gone_from))

    monkeypatch.setattr(module, "settled", settled)
    bench.put_in_force(FIRST)
    waited.clear()
    assert bench.mend(hurry=True) == ""
    assert [APPS in it for it in waited] == [False]
    assert bench.mend() == ""
    assert [APPS in it for it in waited] == [False, True]
    assert bench.mend() == ""
    assert len(waited) == 2, "none is on its way out any more"


def test_the_proxies_are_only_waited_for_when_something_has_changed_for_them(
    small: SmallCluster, bench: Bench, settling: list[str]
) -> None:
    small.has(STORAGE)
    apart = a_mutant("apart", {"test_1": "x"}, steps=[{"overlay": {**STORAGE, "provisioner": "nobody.example"}}])
    bench.put_in_force(apart)
    bench.put_in_force(FIRST)
    bench.put_in_force(apart)
    assert bench.mend() == ""
    assert settling == ["settled, but for the proxies", "settled", "settled", "settled, but for the proxies"]


def test_an_address_that_was_taken_away_is_waited_for_when_it_is_given_back(
    small: SmallCluster, bench: Bench, settling: list[str]
) -> None:
    small.has(GATEWAY)
    inside = {**GATEWAY, "spec": {"type": "ClusterIP"}}
    bench.put_in_force(a_mutant("no-address", {"test_1": "x"}, steps=[{"overlay": inside}]))
    assert settling == ["settled"], "while it is away nobody waits for it"
    assert bench.mend() == ""
    assert settling[1:] == ["settled", "reachable"]


def test_what_is_not_waited_for_itself_begins_on_a_mesh_that_has_settled(
    small: SmallCluster, bench: Bench, settling: list[str]
) -> None:
    bench.put_in_force(FIRST)
    bench.put_in_force(AT_ONCE)
    assert settling == ["settled", "settled", "gathered"], "istiod sends proxies nothing at once"
    assert data(small) == {"weight": "70", "host": "db"}


def test_a_mutant_that_cannot_be_made_leaves_the_one_before_undone(small: SmallCluster, bench: Bench) -> None:
    bench.put_in_force(FIRST)
    with pytest.raises(UsageError, match="Pod nothing, which is not there"):
        bench.put_in_force(ABOUT_NOTHING)
    assert data(small) == ROUTE["data"]
    assert bench.mend() == ""
    assert note(bench) is None


def test_a_mesh_that_does_not_settle_is_told_and_settled_later(
    bench: Bench, small: SmallCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put_in_force(FIRST)

    def never(mesh: Mesh, **how: object) -> None:
        raise StateNotReached("all is rolled out", attempts=1, elapsed=1.0, last=None)

    with monkeypatch.context() as patch:
        patch.setattr(module, "settled", never)
        assert "not settled after mending: all is rolled out" in bench.mend()
    assert (data(small), note(bench)) == (ROUTE["data"], "first")
    assert bench.mend() == ""
    assert note(bench) is None


def test_what_somebody_puts_back_is_not_mended_and_the_note_stays(
    small: SmallCluster, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put_in_force(FIRST)
    honest = module.undo

    def undone_in_vain(*words: Any) -> None:
        honest(*words)
        small.objects[path_of(ROUTE)]["data"]["weight"] = "50"

    monkeypatch.setattr(module, "undo", undone_in_vain)
    with pytest.raises(NotMended, match="first is undone, and still there") as refused:
        bench.mend()
    assert "ConfigMap shop/route is not as it was" in str(refused.value)
    assert note(bench) == "first"


def test_a_cluster_that_does_not_let_itself_be_mended_ends_the_proof(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put_in_force(FIRST)

    def refuses(*_: Any) -> None:
        raise UsageError("the API server is gone")

    monkeypatch.setattr(module, "undo", refuses)
    with pytest.raises(NotMended, match="cannot be undone"):
        bench.put_in_force(SECOND)
    assert note(bench) == "first"


def test_spoils_are_switched_on_in_the_intake_and_not_in_the_cluster(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched: list[Any] = []
    monkeypatch.setattr(module, "spoil", lambda mesh, spoils: switched.append(spoils))
    monkeypatch.setattr(module, "calm", lambda mesh: switched.append("calm"))
    lost = {"of": "logs", "match": {"message": "x"}, "lost": True}
    bench.put_in_force(a_mutant("spoiled", {"test_1": "x"}, steps=[{"spoils": [lost]}], settles="at once"))
    assert [{name: it[name] for name in lost} for it in switched[0]] == [lost]
    assert bench.mend() == ""
    assert switched[1:] == ["calm"]


@pytest.mark.parametrize(("patience", "searchable"), [(None, 9.0), (3.0, 3.0)])
def test_a_mutant_may_say_that_less_waiting_is_enough(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, patience: float | None, searchable: float
) -> None:
    waited: list[float] = []

    def run(mesh: Mesh, *_: Any) -> list[Any]:
        waited.append(mesh.timeouts.searchable)
        return []

    monkeypatch.setattr(module, "run_tests", run)
    bench.test(a_mutant("m", {"test_1": "x"}, patience=patience))
    assert waited == [searchable]


def test_a_mutant_may_say_that_fewer_requests_are_enough_and_the_mended_mesh_is_given_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    def run(mesh: Mesh, *_: Any) -> list[Any]:
        asked.append(mesh.settings.requests)
        return []

    monkeypatch.setattr(module, "run_tests", run)
    slow = a_mutant("m", {"test_1": "x"}, requests=2000)
    bench.test(slow)
    bench.ill(["test_1"], [slow])
    assert asked == [2000, None]


def test_the_mesh_is_proven_well_as_impatiently_as_it_was_proven_broken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def run(mesh: Mesh, *_: Any) -> list[Any]:
        seen.append((mesh.timeouts, mesh.settings.soak_seconds))
        return []

    monkeypatch.setattr(module, "run_tests", run)
    bench.test(ABOUT_NOTHING)
    bench.ill(["test_1"], [ABOUT_NOTHING])
    broken, well = seen
    assert well == broken
    usual = bench._mesh.timeouts
    assert 30 < broken[0].counted < usual.counted, "a figure of a well mesh takes up to half a minute"
    assert broken[0].searchable < usual.searchable
