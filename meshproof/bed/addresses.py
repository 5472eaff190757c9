"""The address range that MetalLB hands out, chosen from the network that the cluster's nodes are in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from meshproof.errors import UsageError
from meshproof.pool import Pool

__all__ = ["POOL_SIZE", "Network", "Pool", "check_pool", "choose_pool"]

POOL_SIZE = 8


@dataclass(frozen=True)
class Network:
    """The nodes' network: its subnets, and the addresses in it that are taken (gateways, containers).

    `hardware` gives the hardware address of each container by its name, which for kind is the node's. `host_ports` are
    the ports of the engine's host that lead to a port of the control plane.
    """

    name: str
    subnets: tuple[str, ...]
    taken: frozenset[str]
    hardware: Mapping[str, str] = field(default_factory=dict)
    host_ports: Mapping[int, int] = field(default_factory=dict)

    def subnet(self, version: int = 4) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """The first subnet of that address family, wherever it stands in Docker's list.

        Raises UsageError when there is none.
        """
        for text in self.subnets:
            network = ipaddress.ip_network(text)
            if network.version == version:
                return network
        raise UsageError(
            f"the docker network {self.name} has no IPv{version} subnet",
            seen=", ".join(self.subnets) or "no subnet at all",
            remedy="give the pool with --pool, or recreate the network",
        )


def choose_pool(network: Network, leased: Iterable[Pool], *, version: int = 4, size: int = POOL_SIZE) -> Pool:
    """The highest range of `size` addresses in the network that nothing and nobody uses.

    Docker hands out addresses from the bottom, so the top stays free the longest. The last address of an IPv4 subnet
    is its broadcast address and is left out.

    Raises UsageError when no such range is left.
    """
    subnet = network.subnet(version)
    taken = {int(ipaddress.ip_address(address)) for address in network.taken}
    others = [pool for pool in leased if pool.first.version == version]
    floor = int(subnet.network_address) + 1
    last = int(subnet.broadcast_address) - (1 if version == 4 else 0)
    while last - size + 1 >= floor:
        first = last - size + 1
        blocking = [address for address in taken if first <= address <= last]
        blocking += [int(pool.first) for pool in others if int(pool.first) <= last and first <= int(pool.last)]
        if not blocking:
            address = type(subnet.network_address)
            return Pool(address(first), address(last))
        last = min(blocking) - 1
    raise UsageError(
        f"no {size} free addresses are left for MetalLB in the docker network {network.name}",
        seen=f"{subnet}, {len(taken)} addresses taken, {len(others)} ranges leased to other clusters",
        remedy="remove kept clusters with `meshproof down`, or give a range with --pool",
    )


def check_pool(text: str, network: Network, leased: Sequence[Pool]) -> Pool:
    """The range that a person asked for, if it can work.

    Raises UsageError when it is outside the network, holds a used address, or belongs to another cluster.
    """
    pool = Pool.parse(text)
    subnet = network.subnet(pool.first.version)
    remedy = f"choose a range inside {subnet}, for example {choose_pool(network, leased, version=pool.first.version)}"
    if pool.first not in subnet or pool.last not in subnet:
        raise UsageError(f"the pool {pool} is not inside the nodes' network", seen=str(subnet), remedy=remedy)
    used = sorted(address for address in network.taken if address in pool)
    if used:
        raise UsageError(f"the pool {pool} holds addresses that are in use", seen=", ".join(used), remedy=remedy)
    for other in leased:
        if pool.overlaps(other):
            raise UsageError(f"the pool {pool} overlaps another cluster's", seen=str(other), remedy=remedy)
    return pool
