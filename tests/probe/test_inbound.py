from __future__ import annotations

from typing import Any

import pytest

from meshproof.errors import InvalidMeasurement
from meshproof.probe import MtlsMode, mtls_mode
from meshproof.probe.inbound import chains_of


def chain(port: int | None, transport: str, *, mutual: bool = False, name: str = "chain") -> dict[str, Any]:
    match: dict[str, Any] = {"transport_protocol": transport}
    if port is not None:
        match["destination_port"] = port
    made: dict[str, Any] = {"name": name, "filter_chain_match": match}
    if mutual:
        kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
        made["transport_socket"] = {"typed_config": {"@type": kind, "require_client_certificate": True}}
    return made


def listener(*chains: dict[str, Any]) -> dict[str, Any]:
    return {"name": "virtualInbound", "active_state": {"listener": {"filter_chains": list(chains)}}}


STRICT = [chain(8080, "tls", mutual=True)]
PERMISSIVE = [chain(8080, "tls", mutual=True), chain(8080, "raw_buffer")]
DISABLED = [chain(8080, "raw_buffer")]


@pytest.mark.parametrize(
    ("chains", "mode"),
    [(STRICT, MtlsMode.STRICT), (PERMISSIVE, MtlsMode.PERMISSIVE), (DISABLED, MtlsMode.DISABLE)],
)
def test_mode_of_a_port(chains: list[dict[str, Any]], mode: MtlsMode) -> None:
    assert mtls_mode(chains_of([listener(*chains)]), 8080) is mode


def test_tls_of_the_application_itself_is_not_mutual() -> None:
    chains = chains_of([listener(chain(8443, "tls", mutual=True), chain(8443, "tls"))])
    assert mtls_mode(chains, 8443) is MtlsMode.PERMISSIVE


def test_tls_without_client_certificate_is_not_mutual() -> None:
    made = chain(8443, "tls", mutual=True)
    del made["transport_socket"]["typed_config"]["require_client_certificate"]
    assert mtls_mode(chains_of([listener(made)]), 8443) is MtlsMode.DISABLE


def test_port_without_chains_of_its_own_takes_the_catch_all() -> None:
    chains = chains_of([listener(*PERMISSIVE, chain(None, "tls", mutual=True))])
    assert mtls_mode(chains, 9090) is MtlsMode.STRICT


def test_catch_all_does_not_speak_for_a_port_of_its_own() -> None:
    chains = chains_of([listener(*STRICT, chain(None, "raw_buffer"))])
    assert mtls_mode(chains, 8080) is MtlsMode.STRICT


def test_blackhole_takes_no_part() -> None:
    chains = chains_of([listener(chain(15006, "", name="virtualInbound-blackhole"))])
    with pytest.raises(InvalidMeasurement, match="no filter chain for port 15006"):
        mtls_mode(chains, 15006)


def test_listener_that_is_only_warming_takes_no_part() -> None:
    warming = {"name": "virtualInbound", "warming_state": {"listener": {"filter_chains": PERMISSIVE}}}
    assert chains_of([warming]) == []


def test_chain_tells_what_it_matches() -> None:
    made = chain(8080, "tls", mutual=True, name="0.0.0.0_8080")
    made["filter_chain_match"]["application_protocols"] = ["istio", "istio-http/1.1"]
    (found,) = chains_of([listener(made)])
    assert (found.name, found.port, found.transport) == ("0.0.0.0_8080", 8080, "tls")
    assert found.application_protocols == ("istio", "istio-http/1.1")
    assert found.terminates_tls
    assert found.requires_client_certificate
