"""Istio's control plane, by `istioctl install`, and the proof that it injects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from meshproof import programs
from meshproof.errors import UsageError
from meshproof.manifests import Manifest, parse_manifests
from meshproof.settings import TracingChoice
from meshproof.stack.component import Component, NotYet
from meshproof.stack.context import StackContext, run_of
from meshproof.stack.foundations import without_definitions
from meshproof.stack.rollout import expect_rolled_out
from meshproof.timeline import Step
from meshproof.waiting import eventually

__all__ = ["Istio", "Tracing", "generated", "has_sidecar"]

_NAMESPACE = "istio-system"
_INJECTED_NAMESPACE = "apps"
_PROXY = "istio-proxy"
_GENERATE_SECONDS = 60
_PROGRESS = re.compile(r"^[-✔✘] (.+)")
# What istioctl adds after the charts' own objects, so that the revision "default" serves istio-injection=enabled.
_DEFAULT_TAG = (
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "istio-revision-tag-default"},
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "istiod-default-validator"},
    },
)


class Istio(Component):
    """The control plane. Ready when a pod in an injected namespace is given a sidecar.

    What wants a sidecar must not start earlier: as its last act istioctl hands injection over from one webhook to
    another, and a pod made in between would get none, without any error.
    """

    name = "istio"
    after = frozenset({"namespaces", "CRDs", "service network"})

    def manifests(self, context: StackContext) -> list[Manifest]:
        """What istioctl installs, as it generates it from the same files."""
        return generated(context)

    def check(self, context: StackContext) -> None:
        """Known obstacles, which istioctl would only run into after its whole time-out."""
        if context.cluster.get("Deployment", "istio-tracing", _NAMESPACE, "apps/v1") is not None:
            raise UsageError(
                "an old istio-tracing (jaeger) is in the way: istioctl would wait for it in vain",
                seen="Deployment istio-system/istio-tracing",
                remedy="remove it: kubectl -n istio-system delete deployment istio-tracing",
            )
        if context.settings.borrowed:
            self._check_leftovers(context)

    def install(self, context: StackContext, step: Step) -> None:
        """Run `istioctl install`, which returns when istiod is available and the webhooks are in their final form.

        istioctl goes through its objects one by one and looks at them every two seconds. Applied beforehand they carry
        this run's label, and istiod starts while istioctl is still at the CRDs.
        """
        step.note("applying what istioctl generates")
        context.apply(without_definitions(self.objects(context)))

        def on_line(line: str) -> None:
            progress = _PROGRESS.match(line.strip())
            if progress:
                step.note(progress.group(1))

        limit = context.settings.timeouts.component_ready
        arguments = ["install", "--skip-confirmation", f"--readiness-timeout={limit:.0f}s", *_files(context)]
        if context.kube_context is not None:
            arguments.append(f"--context={context.kube_context}")
        programs.run(
            [context.istioctl, *arguments],
            timeout=limit + _GENERATE_SECONDS,
            env={"KUBECONFIG": str(context.kubeconfig)},
            on_line=on_line,
        )

    def ready(self, context: StackContext) -> None:
        """istiod is rolled out, and the injector answers a dry run."""
        for workload in self.objects(context):
            if workload["kind"] == "Deployment":
                expect_rolled_out(context.cluster, workload, can_pull=not context.from_source)
        # The answer to a dry run is the pod as the webhooks leave it; nothing is scheduled.
        (pod,) = context.apply([_probe_pod()], dry_run=True)
        if not has_sidecar(pod):
            raise NotYet("a pod in an injected namespace is given no sidecar")

    def summary(self, context: StackContext) -> str:
        """Its version."""
        return f"{context.istio_hub}, {context.istio_tag}"

    def remove(self, context: StackContext) -> None:
        """Delete all of it, if the control plane's namespace is this run's: then nothing of it was there before."""
        namespace = context.load("istio/namespace.yaml")
        if run_of(context.find(namespace[0])) != context.run_id:
            return
        context.cluster.delete([*self.objects(context), *_DEFAULT_TAG])
        eventually(
            lambda: not context.cluster.list("Pod", _NAMESPACE, labels="app=istiod", api_version="v1"),
            timeout=context.settings.timeouts.object_gone,
            what="istiod, which would write its certificates again, is gone",
        )
        for config_map in _spread(context):
            metadata = config_map["metadata"]
            context.cluster.delete_object("ConfigMap", metadata["name"], metadata["namespace"], "v1", wait=False)

    def _check_leftovers(self, context: StackContext) -> None:
        """istiod writes its certificates into every namespace, also over those that were left there."""
        if run_of(context.find(context.load("istio/namespace.yaml")[0])) is not None:
            return
        left = [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in _spread(context)]
        if left:
            raise UsageError(
                "another Istio is in the borrowed cluster, or was: its certificates would be overwritten",
                seen=", ".join(f"ConfigMap {name}" for name in left[:5]) + (", ..." if len(left) > 5 else ""),
                remedy="use a cluster without Istio, or leave out --kubeconfig and --context to have one made",
            )


class Tracing(Component):
    """The order to trace every request, by the Telemetry API; in the legacy way it is in every proxy's bootstrap.

    Proxies trace as soon as the agent's Service is there: istiod leaves out a provider that it cannot find.
    """

    name = "tracing"
    after = frozenset({"istio"})

    def manifests(self, context: StackContext) -> list[Manifest]:
        """The Telemetry object, if tracing is not by the bootstrap."""
        return context.load("istio/telemetry.yaml") if context.settings.tracing is TracingChoice.TELEMETRY else []

    def summary(self, context: StackContext) -> str:
        """Which way."""
        return context.settings.tracing.value


def generated(context: StackContext) -> list[Manifest]:
    """What `istioctl manifest generate` gives for this run's files. Asks no cluster."""
    completed = programs.run([context.istioctl, "manifest", "generate", *_files(context)], timeout=_GENERATE_SECONDS)
    return parse_manifests(completed.stdout, origin="istioctl manifest generate")


def has_sidecar(pod: Manifest) -> bool:
    """Whether a pod runs a proxy beside its own containers, be it as a second container or as a native sidecar."""
    spec = pod["spec"]
    own = [container["name"] for container in spec["containers"] if container["name"] != _PROXY]
    proxies = [container for container in spec["containers"] if container["name"] == _PROXY]
    proxies += [
        container
        for container in spec.get("initContainers") or []
        if container["name"] == _PROXY and container.get("restartPolicy") == "Always"
    ]
    return bool(own) and len(proxies) == 1


def _files(context: StackContext) -> Sequence[str]:
    folder = context.folder / "istio"
    files: list[Path] = [
        folder / "istio-operator.yaml",
        folder / f"overlay-tracing-{context.settings.tracing.value}.yaml",
    ]
    if context.from_source:
        files.append(folder / "overlay-upstream-envoy.yaml")
    files.extend(context.istio_overlays)
    arguments = [f"--filename={file}" for file in files]
    return [*arguments, f"--set=hub={context.istio_hub}", f"--set=tag={context.istio_tag}"]


def _probe_pod() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "meshproof-injection-probe", "namespace": _INJECTED_NAMESPACE},
        "spec": {"containers": [{"name": "own", "image": "never.invalid/started:0"}]},
    }


def _spread(context: StackContext) -> list[Manifest]:
    """What istiod keeps in every namespace: its root certificate and revocation list."""
    return context.cluster.list("ConfigMap", labels="istio.io/config=true", api_version="v1")
