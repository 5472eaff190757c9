from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from api_server import Answer, ApiServer, Seen, kinds, write_kubeconfig

from meshproof.errors import UsageError
from meshproof.kube import (
    Cluster,
    ClusterUnreachable,
    Conflict,
    Forbidden,
    NotFound,
    Rejected,
    Unauthorized,
    UnknownKind,
    WebhookUnavailable,
)
from meshproof.waiting import StateNotReached


def config_map(name: str = "cm", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"k": "v"}}


def echo(request: Seen) -> Any:
    return request.body


def test_apply_is_a_forced_server_side_apply(api: ApiServer, cluster: Cluster) -> None:
    api.answers["PATCH", "/api/v1/namespaces/shop/configmaps/cm"] = echo
    applied = cluster.apply([config_map(namespace="shop")])
    (request,) = api.requests("PATCH")
    assert request.headers["content-type"] == "application/apply-patch+yaml"
    assert request.query == {"fieldManager": ["meshproof"], "force": ["true"], "fieldValidation": ["Strict"]}
    assert applied == [config_map(namespace="shop")]


def test_apply_sends_the_credentials(api: ApiServer, cluster: Cluster) -> None:
    api.answers["PATCH", "/api/v1/namespaces/default/configmaps/cm"] = echo
    cluster.apply([config_map()])
    assert {request.headers["authorization"] for request in api.seen} == {"Bearer secret"}


def test_apply_asks_for_a_dry_run(api: ApiServer, cluster: Cluster) -> None:
    api.answers["PATCH", "/api/v1/namespaces/default/configmaps/cm"] = echo
    cluster.apply([config_map()], dry_run=True)
    assert api.requests("PATCH")[0].query["dryRun"] == ["All"]


def test_apply_adds_labels_and_keeps_the_object_that_it_was_given(api: ApiServer, cluster: Cluster) -> None:
    api.answers["PATCH", "/api/v1/namespaces/default/configmaps/cm"] = echo
    given = config_map(labels={"app": "web"})
    (applied,) = cluster.apply([given], labels={"run": "r1"}, annotations={"note": "n"})
    assert applied["metadata"]["labels"] == {"app": "web", "run": "r1"}
    assert applied["metadata"]["annotations"] == {"note": "n"}
    assert given == config_map(labels={"app": "web"})


def test_apply_begins_with_namespaces_and_definitions(api: ApiServer, cluster: Cluster) -> None:
    manifests = [
        config_map("b"),
        config_map("a"),
        {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "crd"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
    ]
    for path in (
        "/api/v1/namespaces/default/configmaps/a",
        "/api/v1/namespaces/default/configmaps/b",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/crd",
        "/api/v1/namespaces/shop",
    ):
        api.answers["PATCH", path] = echo
    assert [found["metadata"]["name"] for found in cluster.apply(manifests)] == ["shop", "crd", "b", "a"]


WIDGET = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def test_apply_waits_for_a_kind_whose_definition_is_there(api: ApiServer, cluster: Cluster) -> None:
    looks: Iterator[Answer] = iter([(404, {}), (404, {})])
    api.answers["GET", "/apis/example.com/v1"] = lambda _: next(looks, kinds(("widgets", "Widget", True)))
    api.answers["GET", DEFINITIONS] = {"items": [{"metadata": {"name": "widgets.example.com"}}]}
    api.answers["PATCH", "/apis/example.com/v1/namespaces/default/widgets/w"] = echo
    assert cluster.apply([WIDGET]) == [WIDGET]


def test_apply_stops_waiting_for_a_kind_that_is_never_served(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", DEFINITIONS] = {"items": [{"metadata": {"name": "widgets.example.com"}}]}
    with pytest.raises(StateNotReached, match=r"Widget of example\.com/v1 is served"):
        cluster.apply([WIDGET])


def test_apply_does_not_wait_for_a_kind_without_definition(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", DEFINITIONS] = {"items": [{"metadata": {"name": "gadgets.example.org"}}]}
    with pytest.raises(UnknownKind, match=r"serves no Widget in example\.com/v1"):
        cluster.apply([WIDGET])


def test_kinds_are_asked_for_once(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/api/v1/namespaces/default/configmaps/cm"] = config_map()
    for _ in range(3):
        cluster.get("ConfigMap", "cm")
    assert [request.path for request in api.seen].count("/api/v1") == 1


def aggregated(*groups: tuple[str, str]) -> dict[str, Any]:
    resource = {"resource": "gateways", "responseKind": {"kind": "Gateway"}, "scope": "Namespaced"}
    return {
        "items": [
            {"metadata": {"name": group}, "versions": [{"version": version, "resources": [resource]}]}
            for group, version in groups
        ]
    }


def test_kind_without_version_is_found_in_its_group(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/apis"] = aggregated(("networking.istio.io", "v1"))
    api.answers["GET", "/apis/networking.istio.io/v1/namespaces/shop/gateways/g"] = {"kind": "Gateway"}
    assert cluster.get("Gateway", "g", "shop") == {"kind": "Gateway"}


def test_kind_of_several_groups_needs_a_version(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/apis"] = aggregated(("networking.istio.io", "v1"), ("gateway.networking.k8s.io", "v1"))
    with pytest.raises(UsageError, match=r"networking\.istio\.io/v1, gateway\.networking\.k8s\.io/v1"):
        cluster.get("Gateway", "g", "shop")


def test_kind_that_no_group_has_is_unknown(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/apis"] = aggregated(("networking.istio.io", "v1"))
    with pytest.raises(UnknownKind, match="serves no Gatway"):
        cluster.get("Gatway", "g")


def test_get_is_none_for_what_is_not_there(cluster: Cluster) -> None:
    assert cluster.get("ConfigMap", "cm") is None


def test_list_gives_whole_objects(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/api/v1/namespaces/shop/configmaps"] = {"items": [{"metadata": {"name": "cm"}}]}
    found = cluster.list("ConfigMap", "shop", "app=web", fields="metadata.name=cm")
    assert found == [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}}]
    assert api.seen[-1].query == {"labelSelector": ["app=web"], "fieldSelector": ["metadata.name=cm"]}


def test_list_of_all_namespaces(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/api/v1/configmaps"] = {"items": []}
    assert cluster.list("ConfigMap") == []


def test_patch_is_a_merge_patch(api: ApiServer, cluster: Cluster) -> None:
    api.answers["PATCH", "/api/v1/namespaces/default/configmaps/cm"] = echo
    assert cluster.patch("ConfigMap", "cm", {"data": {"k": None}}) == {"data": {"k": None}}
    assert api.seen[-1].headers["content-type"] == "application/merge-patch+json"


def deletable(api: ApiServer, name: str, uid: str = "1", *, after: Any = (404, {})) -> None:
    path = f"/api/v1/namespaces/default/configmaps/{name}"
    api.answers["GET", path] = {"metadata": {"uid": uid}}

    def delete(_: Seen) -> Any:
        api.answers["GET", path] = after
        return {}

    api.answers["DELETE", path] = delete


def test_delete_goes_backwards(api: ApiServer, cluster: Cluster) -> None:
    deletable(api, "a")
    deletable(api, "b")
    cluster.delete([config_map("a"), config_map("b"), config_map("c")])
    assert [request.path[-1] for request in api.requests("DELETE")] == ["b", "a"]


def test_delete_names_the_object_that_it_means(api: ApiServer, cluster: Cluster) -> None:
    deletable(api, "cm", uid="77")
    assert cluster.delete_object("ConfigMap", "cm") is True
    assert api.requests("DELETE")[0].body["preconditions"] == {"uid": "77"}


def test_delete_of_what_is_not_there(cluster: Cluster) -> None:
    assert cluster.delete_object("ConfigMap", "cm") is False


def test_delete_is_done_when_a_namesake_is_there(api: ApiServer, cluster: Cluster) -> None:
    deletable(api, "cm", uid="1", after={"metadata": {"uid": "2"}})
    assert cluster.delete_object("ConfigMap", "cm") is True


def test_delete_tells_which_finalizers_hold_an_object(api: ApiServer, cluster: Cluster) -> None:
    deletable(api, "cm", after={"metadata": {"uid": "1", "finalizers": ["example.com/slow"]}})
    with pytest.raises(StateNotReached, match=r"ConfigMap cm is gone.*(\n.*)*example\.com/slow"):
        cluster.delete_object("ConfigMap", "cm")


def test_delete_without_waiting(api: ApiServer, cluster: Cluster) -> None:
    deletable(api, "cm", after={"metadata": {"uid": "1", "finalizers": ["example.com/slow"]}})
    assert cluster.delete_object("ConfigMap", "cm", wait=False) is True


def test_logs_are_text(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/api/v1/namespaces/shop/pods/web/log"] = "first\nsecond\n"
    since = datetime(2026, 11, 21, 10, 0, 0, 500_000, tzinfo=UTC)
    assert cluster.logs("shop", "web", "app", previous=True, since=since, tail=2) == "first\nsecond\n"
    query = {name: values[0] for name, values in api.seen[-1].query.items()}
    assert datetime.fromisoformat(query.pop("sinceTime")) == since.replace(microsecond=0)
    assert query == {"container": "app", "previous": "true", "tailLines": "2"}


def test_events_are_in_order_of_time(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/api/v1/namespaces/shop/events"] = {
        "items": [
            {"metadata": {"name": "late"}, "lastTimestamp": "2026-11-21T10:00:02Z"},
            {"metadata": {"name": "early"}, "lastTimestamp": None, "eventTime": "2026-11-21T10:00:01.5Z"},
        ]
    }
    assert [event["metadata"]["name"] for event in cluster.events("shop")] == ["early", "late"]


@pytest.mark.parametrize("allowed", [True, False])
def test_can_i_asks_the_cluster(api: ApiServer, cluster: Cluster, allowed: bool) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    api.answers["POST", path] = lambda _: (201, {"status": {"allowed": allowed}})
    assert cluster.can_i("create", "deployments", "apps", "shop") is allowed
    wanted = api.seen[-1].body["spec"]["resourceAttributes"]
    assert (wanted["verb"], wanted["group"], wanted["namespace"]) == ("create", "apps", "shop")


def test_server_version(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/version"] = {"gitVersion": "v1.36.3"}
    assert cluster.server_version() == "v1.36.3"


def test_many_threads_share_one_cluster(api: ApiServer, cluster: Cluster) -> None:
    for number in range(40):
        api.answers["PATCH", f"/api/v1/namespaces/default/configmaps/c{number}"] = echo
    with ThreadPoolExecutor(8) as pool:
        applied = list(pool.map(lambda number: cluster.apply([config_map(f"c{number}")])[0], range(40)))
    assert [found["metadata"]["name"] for found in applied] == [f"c{number}" for number in range(40)]


RBAC = (
    'configmaps "cm" is forbidden: User "eve" cannot patch resource "configmaps" in API group "" in the namespace "x"'
)
DENIED = 'admission webhook "ipaddresspool.metallb.io" denied the request: overlaps with pool a'
NOT_CALLED = 'Internal error occurred: failed calling webhook "x.metallb.io": connect: connection refused'


@pytest.mark.parametrize(
    ("code", "message", "expected", "words"),
    [
        (401, "Unauthorized", Unauthorized, "does not accept the credentials"),
        (403, RBAC, Forbidden, 'user "eve" may not patch resource "configmaps"'),
        (403, DENIED, Rejected, "overlaps with pool a"),
        (404, 'namespaces "x" not found', NotFound, 'namespaces "x" not found'),
        (409, "the object has been modified", Conflict, "has been modified"),
        (422, "spec.size: Invalid value: 50", Rejected, "Invalid value: 50"),
        (500, NOT_CALLED, WebhookUnavailable, "connection refused"),
    ],
)
def test_errors_are_typed_and_name_the_object(
    api: ApiServer, cluster: Cluster, code: int, message: str, expected: type[Exception], words: str
) -> None:
    answer: Answer = (code, {"kind": "Status", "message": message})
    api.answers["PATCH", "/api/v1/namespaces/default/configmaps/cm"] = answer
    with pytest.raises(expected) as caught:
        cluster.apply([config_map()])
    assert type(caught.value) is expected
    assert "cannot apply ConfigMap cm" in str(caught.value)
    assert words in str(caught.value)


def test_answer_that_is_not_json_is_shown(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/version"] = (400, "Client sent an HTTP request to an HTTPS server.")
    with pytest.raises(Rejected, match="Client sent an HTTP request"):
        cluster.server_version()


def test_success_that_is_not_json_is_no_api_server(api: ApiServer, cluster: Cluster) -> None:
    api.answers["GET", "/version"] = "<html>welcome"
    with pytest.raises(ClusterUnreachable, match="ask for the version"):
        cluster.server_version()


def test_server_that_names_a_time_is_asked_again(api: ApiServer, cluster: Cluster) -> None:
    looks: Iterator[Any] = iter([(429, {"message": "too many requests"})])
    api.retry_after = "0"
    api.answers["GET", "/version"] = lambda _: next(looks, {"gitVersion": "v1.36.3"})
    assert cluster.server_version() == "v1.36.3"


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    cluster = Cluster(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1"))
    with pytest.raises(ClusterUnreachable, match=r"context one, no answer from the API server http://127\.0\.0\.1:1"):
        cluster.server_version()
