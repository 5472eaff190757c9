"""ARP answers are read as they stand on the wire; other frames are passed over."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from meshproof.probe import arp

TARGET = socket.inet_aton("172.18.255.247")
NODE = bytes.fromhex("0242ac120002")
US = bytes.fromhex("024200000001")


def frame(*, operation: int = 2, sender: bytes = TARGET) -> bytes:
    ours = socket.inet_aton("172.18.0.1")
    return arp._FRAME.pack(US, NODE, 0x0806, 1, 0x0800, 6, 4, operation, NODE, sender, US, ours) + bytes(18)


@pytest.fixture
def link():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        yield ours, theirs


def test_answer_is_the_senders_hardware_address(link: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = link
    theirs.send(frame())
    assert arp._await_answer(ours, TARGET, 1) == "02:42:ac:12:00:02"


def test_requests_and_answers_about_others_are_passed_over(link: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = link
    theirs.send(frame(operation=1))
    theirs.send(frame(sender=socket.inet_aton("172.18.255.248")))
    theirs.send(b"short")
    theirs.send(frame())
    assert arp._await_answer(ours, TARGET, 1) == "02:42:ac:12:00:02"


def test_nobody_answers(link: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = link
    theirs.send(frame(operation=1))
    assert arp._await_answer(ours, TARGET, 0.05) is None


def test_only_complete_neighbours_are_known(tmp_path: Path) -> None:
    table = tmp_path / "arp"
    table.write_text(
        "IP address       HW type     Flags       HW address            Mask     Device\n"
        "172.18.255.247   0x1         0x2         02:42:ac:12:00:02     *        br-1\n"
        "172.18.255.248   0x1         0x0         00:00:00:00:00:00     *        br-1\n"
    )
    assert arp.neighbours(table) == {"172.18.255.247": "02:42:ac:12:00:02"}


def test_forgetting_an_unknown_address_is_no_error() -> None:
    arp.forget("127.0.0.77")
