"""The pool that MetalLB gets is free, inside the network, and of the right family."""

from __future__ import annotations

import pytest

from meshproof.bed.addresses import POOL_SIZE, Network, Pool, check_pool, choose_pool
from meshproof.errors import UsageError

V6_FIRST = Network("kind", ("fc00:f853:ccd:e793::/64", "172.18.0.0/16"), frozenset({"172.18.0.1", "172.18.0.2"}))


def test_family_is_chosen_by_family_not_by_place() -> None:
    assert str(choose_pool(V6_FIRST, [])) == "172.18.255.247-172.18.255.254"


def test_ipv6_pool_on_request() -> None:
    pool = choose_pool(V6_FIRST, [], version=6)
    assert pool.first.version == 6
    assert len(pool) == POOL_SIZE


def test_other_clusters_ranges_are_left_alone() -> None:
    first = choose_pool(V6_FIRST, [])
    second = choose_pool(V6_FIRST, [first])
    assert not first.overlaps(second)
    assert str(second) == "172.18.255.239-172.18.255.246"


def test_live_containers_are_left_alone() -> None:
    network = Network("kind", ("172.18.0.0/16",), frozenset({"172.18.255.250", "172.18.255.9"}))
    pool = choose_pool(network, [])
    assert "172.18.255.250" not in pool
    assert str(pool) == "172.18.255.242-172.18.255.249"


def test_order_of_addresses_is_numeric() -> None:
    network = Network("small", ("10.0.0.0/27",), frozenset({"10.0.0.1", "10.0.0.9", "10.0.0.10", "10.0.0.25"}))
    assert str(choose_pool(network, [])) == "10.0.0.17-10.0.0.24"


def test_full_network_is_an_error_that_tells_the_subnet() -> None:
    network = Network("tiny", ("10.0.0.0/28",), frozenset({"10.0.0.1", "10.0.0.8"}))
    with pytest.raises(UsageError, match=r"10\.0\.0\.0/28"):
        choose_pool(network, [])


def test_network_without_the_family_is_an_error() -> None:
    with pytest.raises(UsageError, match="no IPv4 subnet"):
        choose_pool(Network("six", ("fc00::/64",), frozenset()), [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("192.168.7.1-192.168.7.9", "not inside the nodes' network"),
        ("172.18.0.1-172.18.0.9", "addresses that are in use"),
        ("172.18.255.230-172.18.255.245", "overlaps another cluster's"),
        ("172.18.9.9-172.18.9.1", "cannot be read"),
        ("pool", "cannot be read"),
        ("172.18.0.0/99", "cannot be read"),
    ],
)
def test_asked_for_pool_that_cannot_work_is_refused(text: str, message: str) -> None:
    leased = [Pool.parse("172.18.255.239-172.18.255.254")]
    with pytest.raises(UsageError, match=message):
        check_pool(text, V6_FIRST, leased)


def test_asked_for_pool_that_works_is_taken() -> None:
    assert str(check_pool("172.18.9.0/28", V6_FIRST, [])) == "172.18.9.0-172.18.9.15"
