"""The mesh's entrance: the gateway's workload, and its address as the tests will reach it."""

from __future__ import annotations

import base64
import ssl
import sys

import httpx

from meshproof.manifests import Manifest
from meshproof.stack.certificates import Authority
from meshproof.stack.component import Component, NotYet
from meshproof.stack.context import StackContext
from meshproof.stack.evidence import namespace_evidence
from meshproof.stack.overlay import lay_over
from meshproof.stack.rollout import expect_rolled_out
from meshproof.timeline import Step

__all__ = ["GATEWAY_HOSTS", "Gateway", "GatewayAddress"]

GATEWAY_HOSTS = tuple(f"{name}.apps.svc.cluster.local" for name in ("goapi", "text-to-speech", "alpine"))
"""The names that the gateway's certificate is made for."""

_NAMESPACE = "istio-system"
_SERVICE = "istio-ingressgateway"
_CERTIFICATE = "gateway-certificate"
_LOOK_SECONDS = 2.0


class Gateway(Component):
    """The gateway's pods and configuration. Ready when the Deployment is rolled out."""

    name = "gateway"
    after = frozenset({"istio", "cluster dns"})

    def __init__(self, authority: Authority) -> None:
        """`authority` signs the certificate of port 443."""
        self._authority = authority

    def manifests(self, context: StackContext) -> list[Manifest]:
        """The plain YAML; on clusters without an ingress node any node will do. Without the certificate's contents."""
        overlays = [] if context.ingress_node else context.load("istio/overlay-gateway-any-node.yaml")
        if not context.settings.borrowed:
            overlays += context.load("istio/overlay-gateway-node-ports.yaml")
        return [_certificate_secret(), *lay_over(context.load("istio/gateway.yaml"), overlays)]

    def install(self, context: StackContext, step: Step) -> None:
        """Make the certificate and apply everything."""
        secret, *others = self.manifests(context)
        step.note("making the certificate")
        pair = self._authority.issue(GATEWAY_HOSTS)
        files = {"tls.crt": pair.certificate, "tls.key": pair.key}
        secret["data"] = {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}
        context.apply([secret, *others])

    def ready(self, context: StackContext) -> None:
        """The proxy has its configuration from istiod, which is what its readiness means."""
        for workload in self.objects(context):
            if workload["kind"] == "Deployment":
                expect_rolled_out(context.cluster, workload, can_pull=not context.from_source)

    def diagnose(self, context: StackContext) -> dict[str, str]:
        """The gateway's pods and its namespace's events."""
        return namespace_evidence(context.cluster, _NAMESPACE, labels="istio=ingressgateway")


class GatewayAddress(Component):
    """Nothing to install. Ready when the gateway answers at its address, from here, on both ports."""

    name = "gateway address"
    after = frozenset({"gateway", "address pool"})

    def __init__(self, authority: Authority) -> None:
        """`authority` is the one that port 443's certificate has to be signed by."""
        self._authority = authority

    def limit(self, context: StackContext) -> float:
        """Its own: everything that it depends on is ready."""
        return context.settings.timeouts.load_balancer_address

    def ready(self, context: StackContext) -> None:
        """An address is assigned, HTTP answers on 80, TLS with our certificate on 443. A 404 is an answer."""
        address = self.address(context)
        _expect_answer(f"http://{address}/")
        _expect_answer(f"https://{address}/", trusted=self._authority.pair.certificate)

    def address(self, context: StackContext) -> str:
        """The address, as a URL's host. Raises NotYet while the Service has none."""
        service = context.cluster.get("Service", _SERVICE, _NAMESPACE, "v1") or {}
        given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        if not given:
            raise NotYet(f"Service {_NAMESPACE}/{_SERVICE} has no address")
        address = given[0].get("ip") or given[0]["hostname"]
        return f"[{address}]" if ":" in address else str(address)

    def summary(self, context: StackContext) -> str:
        """The address."""
        return self.address(context)

    def diagnose(self, context: StackContext) -> dict[str, str]:
        """Who should assign the address, and who should answer."""
        service = context.cluster.get("Service", _SERVICE, _NAMESPACE, "v1") or {}
        evidence = {f"status of Service {_SERVICE}": str(service.get("status") or "none")}
        if sys.platform != "linux":
            evidence["on this system"] = "container addresses cannot be reached from the host: run meshproof in Linux"
        return {
            **evidence,
            **namespace_evidence(context.cluster, _NAMESPACE, labels="istio=ingressgateway"),
            **namespace_evidence(context.cluster, "metallb-system"),
        }


def _certificate_secret() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": _CERTIFICATE, "namespace": _NAMESPACE},
        "type": "kubernetes.io/tls",
    }


def _expect_answer(url: str, *, trusted: str | None = None) -> None:
    host = GATEWAY_HOSTS[0]
    try:
        # No proxy from the environment: the request has to go straight to the address.
        tls = ssl.create_default_context(cadata=trusted)
        with httpx.Client(verify=tls, trust_env=False, timeout=_LOOK_SECONDS) as client:
            client.get(url, headers={"host": host}, extensions={"sni_hostname": host})
    except httpx.HTTPError as error:
        raise NotYet(f"{url} does not answer from here: {type(error).__name__}: {error}") from error
