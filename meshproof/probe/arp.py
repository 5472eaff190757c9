"""Who answers for an address on the link: ARP (RFC 826), asked by ourselves."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

from meshproof.errors import InvalidMeasurement

__all__ = ["forget", "neighbours", "who_has"]

_ETHERTYPE_ARP = 0x0806
_REQUEST, _REPLY = 1, 2
_BROADCAST = b"\xff" * 6
_SIOCGIFADDR, _SIOCGIFHWADDR, _SIOCDARP = 0x8915, 0x8927, 0x8953
_FRAME = struct.Struct("!6s6sHHHBBH6s4s6s4s")


def who_has(address: str, *, seconds: float = 1.0) -> str | None:
    """The hardware address ("02:42:ac:12:00:02") that answers an ARP request for an IPv4 address, None if nobody does.

    The question goes out three times within `seconds`. Without the right to raw sockets the kernel is made to ask, and
    its neighbour table read; then an answer may be one that the kernel remembers.

    Raises InvalidMeasurement where no interface leads to the address.
    """
    interface, source = _way_to(address)
    try:
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE_ARP))
    except PermissionError:
        return _ask_kernel(address, seconds)
    with link:
        link.bind((interface, _ETHERTYPE_ARP))
        own = _hardware_address(link, interface)
        target = socket.inet_aton(address)
        question = _FRAME.pack(
            *(_BROADCAST, own, _ETHERTYPE_ARP),
            *(1, 0x0800, 6, 4, _REQUEST),
            *(own, socket.inet_aton(source), b"\0" * 6, target),
        )
        for _ in range(3):
            link.send(question)
            if answer := _await_answer(link, target, seconds / 3):
                return answer
    return None


def forget(address: str) -> None:
    """Let the kernel ask anew for an IPv4 address; without the right to do so, it goes on with what it remembers."""
    entry = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address)) + bytes(16 + 4 + 16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for name in (name for _, name in socket.if_nameindex()):
            with suppress(OSError):  # not known on this interface, or not permitted
                fcntl.ioctl(probe.fileno(), _SIOCDARP, entry + struct.pack("16s", name.encode()))


def neighbours(table: Path = Path("/proc/net/arp")) -> dict[str, str]:
    """The kernel's complete neighbour entries: address to hardware address."""
    entries = [line.split() for line in table.read_text().splitlines()[1:]]
    return {entry[0]: entry[3] for entry in entries if int(entry[2], 16) & 0x2}


def _await_answer(link: socket.socket, target: bytes, seconds: float) -> str | None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            frame = link.recv(2048)
        except TimeoutError:
            return None
        if len(frame) < _FRAME.size:
            continue
        fields = _FRAME.unpack(frame[: _FRAME.size])
        if fields[7] == _REPLY and fields[9] == target:
            return str(fields[8].hex(":"))
    return None


def _way_to(address: str) -> tuple[str, str]:
    """The interface that is on the address's own link, and our address there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))  # sends nothing; the kernel only chooses a route
        except OSError as error:
            raise InvalidMeasurement(f"no route leads to {address}", seen=error.strerror) from error
        source: str = probe.getsockname()[0]
        for _, name in socket.if_nameindex():
            if _interface_address(probe, name) == source:
                return name, source
    raise InvalidMeasurement(f"no interface has the address {source}, which leads to {address}")


def _interface_address(probe: socket.socket, name: str) -> str | None:
    try:
        answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
    except OSError:
        return None  # an interface without an address
    return str(ipaddress.IPv4Address(answer[20:24]))


def _hardware_address(link: socket.socket, name: str) -> bytes:
    return fcntl.ioctl(link.fileno(), _SIOCGIFHWADDR, struct.pack("256s", name.encode()[:15]))[18:24]


def _ask_kernel(address: str, seconds: float) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.sendto(b"", (address, 9))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if address in (known := neighbours()):
            return known[address]
        time.sleep(0.05)
    return None
