"""Which connections a sidecar accepts from other pods: plaintext, mutual TLS, or both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from meshproof.errors import InvalidMeasurement

__all__ = ["InboundChain", "MtlsMode", "chains_of", "mtls_mode"]

# This chain only catches connections to the listener's own port, 15006, and drops them.
_BLACKHOLE = "virtualInbound-blackhole"


class MtlsMode(StrEnum):
    """What a port accepts, in the words of Istio's PeerAuthentication."""

    STRICT = "STRICT"
    PERMISSIVE = "PERMISSIVE"
    DISABLE = "DISABLE"


@dataclass(frozen=True)
class InboundChain:
    """One filter chain of a sidecar's inbound listener, and what a connection has to be like to take it.

    `port` is None in chains for all ports that have none of their own. `transport` is "tls", "raw_buffer" or "" (any).
    """

    name: str
    port: int | None
    transport: str
    application_protocols: tuple[str, ...]
    terminates_tls: bool
    requires_client_certificate: bool


def chains_of(listeners: Iterable[dict[str, Any]]) -> list[InboundChain]:
    """The chains of the active state of listeners, as in a config dump of `dynamic_listeners`."""
    return [
        _chain(chain)
        for listener in listeners
        for chain in listener.get("active_state", {}).get("listener", {}).get("filter_chains") or []
        if chain.get("name") != _BLACKHOLE
    ]


def mtls_mode(chains: Sequence[InboundChain], port: int) -> MtlsMode:
    """What a port accepts. Raises InvalidMeasurement when no chain would take a connection to it."""
    fitting = [chain for chain in chains if chain.port == port] or [chain for chain in chains if chain.port is None]
    if not fitting:
        raise InvalidMeasurement(
            f"the sidecar has no filter chain for port {port}", seen=[chain.name for chain in chains]
        )
    mutual = [chain.terminates_tls and chain.requires_client_certificate for chain in fitting]
    if all(mutual):
        return MtlsMode.STRICT
    return MtlsMode.PERMISSIVE if any(mutual) else MtlsMode.DISABLE


def _chain(chain: dict[str, Any]) -> InboundChain:
    match = chain.get("filter_chain_match") or {}
    context = (chain.get("transport_socket") or {}).get("typed_config") or {}
    terminates = str(context.get("@type", "")).endswith(".DownstreamTlsContext")
    return InboundChain(
        name=chain.get("name", ""),
        port=match.get("destination_port"),
        transport=match.get("transport_protocol", ""),
        application_protocols=tuple(match.get("application_protocols") or ()),
        terminates_tls=terminates,
        requires_client_certificate=bool(context.get("require_client_certificate", False)),
    )
