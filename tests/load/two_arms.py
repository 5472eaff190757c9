"""A server that answers as two arms behind a mesh would, and tells afterwards what it did.

    python two_arms.py --port 8080 --share 0.3

It prints its port when it listens. On SIGTERM it prints JSON: requests and failures by arm, and quantiles of its own
times in milliseconds. Every request draws its arm anew, unless told otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import re
import signal
import time
import zlib
from collections import Counter
from typing import Any

AGENT = re.compile(r"(?im)^user-agent: *(.*?)\r?$")
COOKIE = re.compile(r"(?im)^cookie: *(.*?)\r?$")
BODY = b"the answer " * 100


class Arms:
    """What the server is told, and what it counts."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.random = random.Random(options.seed)
        self.requests: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.agents: Counter[str] = Counter()
        self.cookies: Counter[str] = Counter()
        self.connections = 0
        self.began: float | None = None
        self.seconds: dict[str, list[float]] = {"v1": [], "v2": []}

    def draw(self, own: str | None) -> str:
        """The arm of a request, on a connection whose arm is `own` where connections are routed as a whole."""
        self.began = self.began or time.monotonic()
        passed = time.monotonic() - self.began
        share = self.options.share
        if self.options.drift_after and passed > self.options.drift_after:
            share = self.options.drift_to
        return own or ("v2" if self.random.random() < share else "v1")

    def delay(self, arm: str) -> float:
        """Seconds until the answer: log-normal, and until the end of a stall."""
        base = self.options.latency * (self.options.slower if arm == "v2" else 1.0)
        seconds = base * math.exp(self.options.sigma * self.random.gauss(0, 1)) if base else 0.0
        passed = time.monotonic() - (self.began or 0.0)
        stall, again = self.options.stall_at, self.options.stall_every
        if again and passed > stall:
            passed = stall + (passed - stall) % again
        if stall and stall <= passed < stall + self.options.stall:
            seconds += stall + self.options.stall - passed
        return seconds

    def summary(self) -> dict[str, Any]:
        """Counts and the server's own quantiles in milliseconds."""
        quantiles = {}
        for arm, seconds in self.seconds.items():
            ordered = sorted(seconds)
            if ordered:
                places = {q: ordered[max(0, math.ceil(q * len(ordered)) - 1)] for q in (0.5, 0.9, 0.99)}
                quantiles[arm] = {f"p{100 * q:g}": round(1e3 * value, 3) for q, value in places.items()}
        counts = {"requests": dict(self.requests), "failures": dict(self.failures)}
        counts["agents"], counts["cookies"] = dict(self.agents), dict(self.cookies)
        return {**counts, "connections": self.connections, "milliseconds": quantiles}


class Connection(asyncio.Protocol):
    """Requests without bodies, one after the other."""

    def __init__(self, arms: Arms) -> None:
        self.arms = arms
        self.received = b""
        self.answered = 0
        arms.connections += 1
        self.own = arms.draw(None) if arms.options.per_connection else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            self.arms.agents.update(AGENT.findall(head.decode()))
            self.arms.cookies.update(COOKIE.findall(head.decode()))
            arm, began = self.arms.draw(self.own), time.perf_counter()
            seconds = self.arms.delay(arm)
            if seconds:
                asyncio.get_running_loop().call_later(seconds, self.answer, arm, began)
            else:
                self.answer(arm, began)

    def answer(self, arm: str, began: float) -> None:
        arms, options = self.arms, self.arms.options
        arms.requests[arm] += 1
        failing = arm == "v2" and arms.random.random() < options.fail
        arms.failures[arm] += failing
        if failing and options.hang_up:
            self.transport.close()
            return
        silent = options.silent and arms.random.random() < options.silent
        named = "" if silent else f"x-meshproof-arm: {arm}\r\n"
        passed = time.monotonic() - (arms.began or 0.0)
        revision = "old" if passed < options.revision_after else "new"
        status = "500 Internal Server Error" if failing else "200 OK"
        body = zlib.compress(BODY, wbits=31) if options.gzip else f"{arm}\n".encode()
        named += "content-encoding: gzip\r\n" * options.gzip + "set-cookie: is=kept\r\n" * options.cookie
        head = f"HTTP/1.1 {status}\r\n{named}x-meshproof-revision: {revision}\r\ncontent-length: {len(body)}\r\n\r\n"
        arms.seconds[arm].append(time.perf_counter() - began)
        if arm == "v2" and options.trickle:
            self.trickle(head.encode())
            return
        self.transport.write(head.encode() + body)
        self.answered += 1
        if self.answered == options.close_after:
            self.transport.close()

    def trickle(self, left: bytes) -> None:
        """One byte after the other, and then no more."""
        if left and not self.transport.is_closing():
            self.transport.write(left[:1])
            asyncio.get_running_loop().call_later(self.arms.options.trickle, self.trickle, left[1:])


async def serve(options: argparse.Namespace) -> None:
    """Until SIGTERM."""
    arms, done = Arms(options), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, done.set)
    server = await loop.create_server(lambda: Connection(arms), "127.0.0.1", options.port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await done.wait()
    print(json.dumps(arms.summary()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Answers as two arms.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.3, help="of v2")
    parser.add_argument("--latency", type=float, default=0.0, help="median, in seconds; 0 answers at once")
    parser.add_argument("--sigma", type=float, default=0.4)
    parser.add_argument("--slower", type=float, default=1.0, help="how many times as slow v2 is")
    parser.add_argument("--fail", type=float, default=0.0, help="part of v2's answers that are 500")
    parser.add_argument("--hang-up", action="store_true", help="close the connection instead of a 500")
    parser.add_argument("--silent", type=float, default=0.0, help="part of the answers that name no arm")
    parser.add_argument("--stall-at", type=float, default=0.0, help="seconds after the first request")
    parser.add_argument("--stall", type=float, default=1.0, help="seconds")
    parser.add_argument("--stall-every", type=float, default=0.0, help="seconds from one stall to the next; 0 for one")
    parser.add_argument("--trickle", type=float, default=0.0, help="seconds from byte to byte of v2's answers")
    parser.add_argument("--close-after", type=int, default=0, help="answers of a connection, which end it unannounced")
    parser.add_argument("--cookie", action="store_true", help="answers set one")
    parser.add_argument("--gzip", action="store_true", help="longer answers, which come compressed")
    parser.add_argument("--per-connection", action="store_true", help="draw once for each connection")
    parser.add_argument("--drift-after", type=float, default=0.0, help="seconds after the first request")
    parser.add_argument("--drift-to", type=float, default=0.5, help="v2's share from then on")
    parser.add_argument("--revision-after", type=float, default=0.0, help="seconds until the revision is new")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
