from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from meshproof.stack.certificates import Authority, KeyPair


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("cert", organization="metallb")


def handshake(folder: Path, pair: KeyPair, trusted: str, host: str) -> None:
    """A TLS handshake in memory; raises what the client would see."""
    (folder / "crt").write_text(pair.certificate)
    (folder / "key").write_text(pair.key)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(folder / "crt", folder / "key")
    client_side = ssl.create_default_context(cadata=trusted)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(to_client, to_server, server_hostname=host)
    for peer in (client, server, client, server):
        try:
            peer.do_handshake()
        except ssl.SSLWantReadError:
            continue


def test_a_certificate_is_good_for_each_of_its_names(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(["one.example", "two.example"])
    for host in ("one.example", "two.example"):
        handshake(tmp_path, pair, authority.pair.certificate, host)


def test_a_certificate_is_not_good_for_another_name(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(["one.example"])
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(tmp_path, pair, authority.pair.certificate, "two.example")


def test_another_authority_does_not_vouch_for_it(authority: Authority, tmp_path: Path) -> None:
    other = Authority.create("cert", organization="metallb")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, authority.issue(["one.example"]), other.pair.certificate, "one.example")


def test_keys_are_in_the_form_that_metallb_reads(authority: Authority) -> None:
    assert authority.pair.key.startswith("-----BEGIN RSA PRIVATE KEY-----")
