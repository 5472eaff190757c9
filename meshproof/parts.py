"""The parts of a mesh: what a mutant touches, what a test looks at, and which of them can go on side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["EVERYTHING", "NOTHING", "Footprint", "Part"]


class Part(StrEnum):
    """A part that can be broken while the others are well."""

    NODES = "nodes"
    """Nodes, storage classes, what kube-proxy and the nodes' kernels do."""
    ADDRESSES = "addresses"
    """MetalLB, the pool, the address of the gateway's Service and how it is answered for."""
    GATEWAY = "gateway"
    """The gateway's pods, their proxies and their routes."""
    GOAPI = "goapi"
    """Its pods, policies, routes and permissions."""
    SPEECH = "speech"
    """The same of text-to-speech, both versions."""
    CLIENT = "client"
    """The same of alpine, which most requests from the mesh come from."""
    MTLS = "mtls"
    """What demands mutual TLS of whom. Those that bring a certificate anyway do not notice what it is."""
    PODS = "pods"
    """Which pods there are in the namespace apps, whatever they are."""
    OUTSIDE = "outside"
    """The pods of the namespace outside."""
    AGENTS = "agents"
    """The operator, the agents and the intake, and all that is found in it."""


@dataclass(frozen=True)
class Footprint:
    """Parts that something changes, and parts that it looks at. None: all of them, and the machine for itself."""

    changes: frozenset[Part] | None
    looks_at: frozenset[Part] | None

    @classmethod
    def of(cls, changes: Iterable[str] | None, looks_at: Iterable[str] | None) -> Footprint:
        """From the names of parts. Raises ValueError for a name that no part has."""
        return cls(_parts(changes), _parts(looks_at))

    @property
    def shares(self) -> bool:
        """Whether anything else may go on at the same time."""
        return self.changes is not None and self.looks_at is not None

    def __or__(self, other: Footprint) -> Footprint:
        return Footprint(_both(self.changes, other.changes), _both(self.looks_at, other.looks_at))

    def is_apart_from(self, other: Footprint) -> bool:
        """Whether both can go on at once: neither changes what the other looks at or changes."""
        if NOTHING in (self, other):
            return True
        if not (self.shares and other.shares):
            return False
        return not (_of(self.changes) & other._concerned or _of(other.changes) & self._concerned)

    @property
    def _concerned(self) -> frozenset[Part]:
        return _of(self.changes) | _of(self.looks_at)


def _parts(names: Iterable[str] | None) -> frozenset[Part] | None:
    return None if names is None else frozenset(Part(name) for name in names)


def _both(one: frozenset[Part] | None, other: frozenset[Part] | None) -> frozenset[Part] | None:
    return None if one is None or other is None else one | other


def _of(parts: frozenset[Part] | None) -> frozenset[Part]:
    return frozenset(Part) if parts is None else parts


NOTHING = Footprint(frozenset(), frozenset())
EVERYTHING = Footprint(None, None)
