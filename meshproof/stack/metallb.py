"""MetalLB: its own manifest with our overlays, then the pool of addresses."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import Any

import yaml

from meshproof.errors import UsageError
from meshproof.manifests import Manifest, load_manifests
from meshproof.stack.certificates import Authority
from meshproof.stack.component import Component
from meshproof.stack.context import StackContext
from meshproof.stack.foundations import without_definitions
from meshproof.stack.overlay import lay_over
from meshproof.stack.rollout import expect_rolled_out
from meshproof.timeline import Step

__all__ = ["AddressPool", "MetalLB"]

_NAMESPACE = "metallb-system"
_NO_BALANCER = "node.kubernetes.io/exclude-from-external-load-balancers"
# The name that MetalLB's certificate keeper looks for in a CA certificate (internal/k8s/k8s.go, caName).
_CA_NAME = "cert"


class MetalLB(Component):
    """Controller and speakers. Ready when the webhook accepts the pool in a server-side dry run."""

    name = "metallb"
    after = frozenset({"CRDs", "service network"})

    def manifests(self, context: StackContext) -> list[Manifest]:
        """The release's manifest with the overlays."""
        return lay_over(load_manifests([context.metallb_manifest]), context.load("metallb/overlay-probes.yaml"))

    def check(self, context: StackContext) -> None:
        """kube-proxy in IPVS mode has to leave ARP to MetalLB."""
        found = context.cluster.get("ConfigMap", "kube-proxy", "kube-system", "v1")
        config = yaml.safe_load(((found or {}).get("data") or {}).get("config.conf") or "{}")
        ipvs = config.get("ipvs") or {}
        if config.get("mode") == "ipvs" and not ipvs.get("strictARP"):
            raise UsageError(
                "kube-proxy is in IPVS mode and answers ARP requests for MetalLB's addresses itself",
                seen="ConfigMap kube-system/kube-proxy: ipvs.strictARP is not true",
                remedy="set strictARP: true there (kubectl -n kube-system edit configmap kube-proxy) and restart it",
            )

    def install(self, context: StackContext, step: Step) -> None:
        """Apply everything, with the two secrets filled in that the pods would otherwise wait for.

        Left to itself, the controller makes both secrets and then waits until the kubelet has put the first one into
        its volume, which takes up to a minute, and the speakers cannot start without the second.
        """
        manifests = self.manifests(context)
        certificate, memberlist = _certificate_secret(manifests), _memberlist_secret()
        if (context.find(certificate) or {}).get("data"):
            manifests.remove(certificate)
        else:
            certificate["data"] = _webhook_certificate(_webhook_service(manifests))
        if context.find(memberlist) is None:
            manifests.insert(0, memberlist)
        step.note(f"applying {len(manifests)} objects")
        context.apply(without_definitions(manifests))

    def ready(self, context: StackContext) -> None:
        """The controller runs and the webhook answers."""
        for workload in self.objects(context):
            if workload["kind"] == "Deployment":
                expect_rolled_out(context.cluster, workload, can_pull=not context.from_source)
        # Refused or not answered, both are MeshproofErrors and mean: not yet.
        context.apply(_pool(context), dry_run=True)

    def summary(self, context: StackContext) -> str:
        """Its version."""
        return f"v{context.settings.metallb}"


class AddressPool(Component):
    """The addresses for Services of type LoadBalancer. Ready when speakers can announce them."""

    name = "address pool"
    after = frozenset({"metallb"})

    def __init__(self, metallb: MetalLB) -> None:
        """`metallb` is the one whose speakers announce the addresses."""
        self._metallb = metallb

    def manifests(self, context: StackContext) -> list[Manifest]:
        """The pool with this cluster's addresses, and its advertisement."""
        return _pool(context)

    def install(self, context: StackContext, step: Step) -> None:
        """Apply the pool; on a cluster of our own, let the gateway's node announce addresses."""
        super().install(context, step)
        if not context.settings.borrowed:
            _let_ingress_nodes_announce(context)

    def ready(self, context: StackContext) -> None:
        """Every speaker runs."""
        for workload in self._metallb.objects(context):
            if workload["kind"] == "DaemonSet":
                expect_rolled_out(context.cluster, workload, can_pull=not context.from_source)

    def summary(self, context: StackContext) -> str:
        """The addresses."""
        return context.pool


def _pool(context: StackContext) -> list[Manifest]:
    manifests = context.load("metallb/address-pool.yaml")
    for manifest in manifests:
        if manifest["kind"] == "IPAddressPool":
            manifest["spec"]["addresses"] = [context.pool]
    return manifests


def _let_ingress_nodes_announce(context: StackContext) -> None:
    """kubeadm keeps control plane nodes out of load balancing, which MetalLB respects; kind undoes it on lone nodes."""
    for node in context.cluster.list("Node", labels=f"meshproof.dev/ingress=true,{_NO_BALANCER}"):
        context.cluster.patch("Node", node["metadata"]["name"], {"metadata": {"labels": {_NO_BALANCER: None}}})


def _certificate_secret(manifests: list[Manifest]) -> Manifest:
    secret = [manifest for manifest in manifests if manifest["kind"] == "Secret"]
    if len(secret) != 1:
        raise UsageError(
            "MetalLB's manifest is not as expected: it should bring one Secret, for its webhook's certificate",
            seen=f"{len(secret)} secrets",
            remedy="use a release of MetalLB that the README names",
        )
    return secret[0]


def _webhook_service(manifests: list[Manifest]) -> str:
    for manifest in manifests:
        if manifest["kind"] == "ValidatingWebhookConfiguration":
            service: Mapping[str, Any] = manifest["webhooks"][0]["clientConfig"]["service"]
            return f"{service['name']}.{service['namespace']}.svc"
    raise UsageError("MetalLB's manifest has no webhook", remedy="use a release of MetalLB that the README names")


def _webhook_certificate(service: str) -> dict[str, str]:
    """The four files in the form in which MetalLB's certificate keeper takes them as its own."""
    authority = Authority.create(_CA_NAME, organization="metallb")
    server = authority.issue([service])
    files = {
        "ca.crt": authority.pair.certificate,
        "ca.key": authority.pair.key,
        "tls.crt": server.certificate,
        "tls.key": server.key,
    }
    return {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}


def _memberlist_secret() -> Manifest:
    """The key by which the speakers know each other, as MetalLB's controller would make it: 16 bytes in base64."""
    key = base64.b64encode(secrets.token_bytes(16)).rstrip(b"=")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "memberlist", "namespace": _NAMESPACE},
        "data": {"secretkey": base64.b64encode(key).decode()},
    }
