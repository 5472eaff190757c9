"""Load from inside a pod. This text is given to a pod's Python: the standard library is all that it may use.

    python3 -c "$(cat pod_script.py)" '{"url": "http://text-to-speech.apps", "rate": 300, "requests": 1000, ...}'

The schedule is open-loop as in meshproof.load.schedule. Prints a JSON array for each request, in the order of
meshproof.load.rows.Row, and at the end an object with the counters.
"""

from __future__ import annotations

import http.client
import itertools
import json
import queue
import random
import sys
import threading
import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

_SINCE_1970 = time.time_ns() - time.perf_counter_ns()


def now() -> int:
    """Microseconds since 1970, steady."""
    return (_SINCE_1970 + time.perf_counter_ns()) // 1000


def starts(told: dict[str, Any]) -> list[int]:
    """The intended starts, a tenth of a second from now on."""
    begin, rate = now() + 100_000, told["rate"]
    numbers = range(told["requests"])
    if told["arrivals"] == "constant":
        return [begin + int(number / rate * 1e6) for number in numbers]
    drawn = random.Random(told["seed"])  # noqa: S311
    gaps = (drawn.expovariate(rate) for _ in numbers)
    return [begin + int(after * 1e6) for after in itertools.accumulate(gaps)]


class Line(threading.Thread):
    """One connection, with a thread that sends what is due on it."""

    def __init__(self, user: int, told: dict[str, Any], done: queue.SimpleQueue[tuple[Line, list[Any]]]) -> None:
        super().__init__(daemon=True)
        self.user, self.told, self.done = user, told, done
        self.due: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.connections = 0
        self.connection: http.client.HTTPConnection | None = None
        self.start()

    def run(self) -> None:
        while (intended := self.due.get()) is not None:
            self.done.put((self, self.send(intended)))

    def send(self, intended: int) -> list[Any]:
        parts, told = urlsplit(self.told["url"]), self.told
        start, size = now(), 0
        status, version, revision, error = 0, None, None, None
        try:
            if self.connection is None or self.connection.sock is None:
                self.connections += 1
                self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=told["timeout"])
            # The mark is that of meshproof.load.rows.request_mark.
            agent = f"{told['headers']['User-Agent']} ({self.user}.{start})"
            self.connection.request("GET", told["path"], headers={**told["headers"], "User-Agent": agent})
            answer = self.connection.getresponse()
            version, revision = answer.getheader(told["arm_header"]), answer.getheader(told["revision_header"])
            size = len(answer.read())
            status = answer.status
        except (OSError, http.client.HTTPException) as problem:
            error = f"{type(problem).__name__}: {problem}"[:200]
            if self.connection is not None:
                self.connection.close()
            self.connection = None
        connection = self.user * 1_000_000 + self.connections
        return [intended, start, now(), status, version, connection, self.user, size, error, revision]


def main() -> None:
    sys.setswitchinterval(0.0005)
    told = json.loads(sys.argv[1])
    done: queue.SimpleQueue[tuple[Line, list[Any]]] = queue.SimpleQueue()
    made = [Line(told["first_user"] + number, told, done) for number in range(told["connections"])]
    free = deque(made)
    planned = late = dropped = 0
    rows: list[list[Any]] = []

    def take_back() -> None:
        line, row = done.get_nowait()
        rows.append(row)
        # The first connections in turn, so that each has many requests.
        (free.append if line.user < told["first_user"] + told["connections"] else free.appendleft)(line)

    before = time.process_time(), time.perf_counter()
    for intended in starts(told):
        wait = (intended - now()) / 1e6
        if wait > 0:
            time.sleep(wait)
        while not done.empty():
            take_back()
        planned += 1
        if not free and len(made) >= told["max_in_flight"]:
            dropped += 1
            continue
        line = free.popleft() if free else Line(told["first_user"] + len(made), told, done)
        if line.user == told["first_user"] + len(made):
            made.append(line)
        line.due.put(intended)
    cpu = (time.process_time() - before[0]) / (time.perf_counter() - before[1])
    deadline = time.monotonic() + told["timeout"] + 1
    while len(rows) < planned - dropped and time.monotonic() < deadline:
        time.sleep(0.005)
        while not done.empty():
            take_back()
    late = sum(row[1] - row[0] > told["late_after"] * 1e6 for row in rows)
    for row in rows:
        print(json.dumps(row))
    print(json.dumps({"planned": planned, "late": late, "dropped": dropped, "sent": planned - dropped, "cpu": cpu}))


if __name__ == "__main__":
    main()
