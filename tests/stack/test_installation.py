from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from small_cluster import SmallCluster

from meshproof.errors import UsageError
from meshproof.moments import seconds
from meshproof.stack import Component, Installed, StackContext, describe, set_up
from meshproof.stack.borrowed import refuse_conflicts
from meshproof.stack.installed import forget, record
from meshproof.timeline import State, Timeline

STANDS = Installed(
    run_id="run-0",
    versions={"istio": "9.9.9"},
    content="abc",
    pool="10.0.0.10-10.0.0.20",
    gateway_address="10.0.0.10",
    gateway_authority="PEM",
)


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


class Shop(Component):
    name = "shop"

    def manifests(self, context: StackContext) -> list[dict[str, Any]]:
        settings = {"name": "settings", "namespace": "shop"}
        return [namespace("shop"), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": settings}]


def test_what_was_recorded_is_described(context: StackContext) -> None:
    record(context.cluster, "run-0", STANDS)
    assert describe(context.cluster) == STANDS


def test_a_stack_that_woke_stands_since_then(context: StackContext) -> None:
    woken = replace(STANDS, installed_at="2026-05-01T12:00:00+00:00").woken_now()
    assert woken.stands_since > seconds(woken.installed_at)
    record(context.cluster, "run-1", woken)
    assert describe(context.cluster) == woken


def test_an_installation_that_did_not_end_does_not_stand(context: StackContext) -> None:
    record(context.cluster, "run-0", None)
    assert describe(context.cluster) is None


def test_an_empty_cluster_has_no_stack(context: StackContext) -> None:
    assert describe(context.cluster) is None


def test_only_the_run_itself_forgets_its_record(context: StackContext) -> None:
    record(context.cluster, "run-0", STANDS)
    forget(context.cluster, "run-1")
    assert describe(context.cluster) is not None


def test_a_stack_that_stands_is_left_alone(small: SmallCluster, context: StackContext) -> None:
    record(context.cluster, "run-0", STANDS)
    small.applied.clear()
    timeline = Timeline()
    assert set_up(context, timeline) == STANDS
    assert small.applied == []
    assert [(span.name, span.state) for span in timeline.spans] == [("stack", State.SKIPPED)]


def test_changed_manifests_are_told_of_and_not_applied(context: StackContext) -> None:
    record(context.cluster, "run-0", STANDS)
    timeline = Timeline()
    set_up(context, timeline)
    assert "the manifests have changed since" in timeline.spans[0].note


def test_nothing_is_applied_to_a_cluster_that_does_not_fit(small: SmallCluster, context: StackContext) -> None:
    with pytest.raises(UsageError, match="default StorageClass"):
        set_up(context, Timeline())
    assert small.applied == []


def test_objects_of_others_are_a_conflict(small: SmallCluster, borrowed: StackContext) -> None:
    small.has(namespace("shop"))
    with pytest.raises(UsageError) as caught:
        refuse_conflicts(borrowed, [Shop()])
    assert caught.value.seen == "Namespace shop"


def test_objects_of_an_earlier_run_are_none(small: SmallCluster, borrowed: StackContext) -> None:
    small.has(namespace("shop", **{"meshproof.dev/run": "run-0"}))
    refuse_conflicts(borrowed, [Shop()])


def test_a_borrowed_cluster_with_our_namespaces_in_use_is_refused_before_anything_is_applied(
    small: SmallCluster, borrowed: StackContext, istioctl: Callable[[], list[str]]
) -> None:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    metadata = {"name": "standard", "annotations": default}
    small.has(
        namespace("apps"),
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": metadata, "provisioner": "disk"},
    )
    with pytest.raises(UsageError, match="Namespace apps"):
        set_up(borrowed, Timeline())
    assert small.applied == []


def test_removal_takes_the_runs_own_objects_only(small: SmallCluster, borrowed: StackContext) -> None:
    borrowed.apply(Shop().manifests(borrowed))
    small.has(namespace("shop", **{"meshproof.dev/run": "run-0"}))
    Shop().remove(borrowed)
    assert list(small.objects) == ["/api/v1/namespaces/shop"]


def test_the_content_changes_with_what_is_installed(context: StackContext) -> None:
    before = context.content()
    context.metallb_manifest.write_text(context.metallb_manifest.read_text() + "# changed\n")
    assert context.content() != before
