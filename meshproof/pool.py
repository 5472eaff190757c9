"""A range of addresses for MetalLB to give away, as people write it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from meshproof.errors import UsageError
from meshproof.secrecy import shown

__all__ = ["Address", "Pool", "Range"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Pool:
    """A range of addresses, both ends included. Written FIRST-LAST, as MetalLB does."""

    first: Address
    last: Address

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __contains__(self, address: str | Address) -> bool:
        value = ipaddress.ip_address(address)
        return value.version == self.first.version and int(self.first) <= int(value) <= int(self.last)

    def __len__(self) -> int:
        return int(self.last) - int(self.first) + 1

    def overlaps(self, other: Pool) -> bool:
        """Whether any address is in both."""
        return (
            self.first.version == other.first.version
            and int(self.first) <= int(other.last)
            and int(other.first) <= int(self.last)
        )

    @classmethod
    def parse(cls, text: str) -> Pool:
        """Read FIRST-LAST or a CIDR.

        Raises UsageError that shows the text.
        """
        try:
            if "/" in text:
                network = ipaddress.ip_network(text)
                return cls(network[0], network[-1])
            first, _, last = text.partition("-")
            pool = cls(ipaddress.ip_address(first.strip()), ipaddress.ip_address((last or first).strip()))
            if pool.first.version != pool.last.version or int(pool.first) > int(pool.last):
                raise ValueError(f"{first.strip()} does not come before {last.strip()}")
        except ValueError as error:
            raise UsageError(
                f"the address pool {text[:80]!r} cannot be read", seen=error, remedy="write FIRST-LAST or a CIDR"
            ) from error
        return pool


def _is_a_range(text: str) -> str:
    try:
        return str(Pool.parse(text))
    except UsageError as error:
        raise ValueError(f"write FIRST-LAST or a CIDR; {shown(str(error.seen))}") from error


Range = Annotated[str, AfterValidator(_is_a_range)]
"""A pool as it is written down."""
