"""How fast the embedded intake is, side by side with ddapm-test-agent, and what a million spans and log lines cost.

    python benchmarks/intake.py              the race against the peer
    python benchmarks/intake.py --million    memory and searches after a million spans and a million log lines

Both servers run alone in a process of their own, on the loopback interface, and get the same spans: Envoy's, as its
Datadog tracer makes them. The peer gets them as a tracer sends them (msgpack), the intake as the agent sends them on
(AgentPayload with a table of strings, zstd). The rounds alternate; the figures are medians.
The two do not give the same: the peer holds requests in memory, the intake has them on disk when it answers.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import queue
import random
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
import venv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import zstandard

from meshproof.intake.wire import message

PEER = "ddapm-test-agent==1.69.1"
CONNECTIONS = 4
SPANS_OF_A_TRACE = 5
TRACES_OF_A_PAYLOAD = 100
LINES_OF_A_PAYLOAD = 1000
SERVICES = ("goapi", "text-to-speech", "istio-ingressgateway")

Payload = tuple[str, bytes, dict[str, str]]


def envoy_trace(randomness: random.Random, number: int) -> list[dict[str, Any]]:
    """One request through the mesh: gateway and two hops, each with its pair of spans."""
    trace_id = randomness.getrandbits(128)
    ids = [randomness.getrandbits(63) | 1 for _ in range(SPANS_OF_A_TRACE)]
    request_id = str(uuid.UUID(int=randomness.getrandbits(128)))
    began = time.time_ns()
    status = "503" if number % 50 == 0 else "200"
    spans = []
    for place, span_id in enumerate(ids):
        service = SERVICES[place % len(SERVICES)]
        side = "inbound|8080||" if place % 2 else f"outbound|80||{service}.apps.svc.cluster.local"
        meta = {
            "component": "proxy",
            "node_id": f"sidecar~10.244.0.{place}~{service}-5d8f.apps~apps.svc.cluster.local",
            "guid:x-request-id": request_id,
            "http.url": f"http://{service}.apps/books/{number}",
            "http.method": "GET",
            "http.protocol": "HTTP/1.1",
            "http.status_code": status,
            "downstream_cluster": "-",
            "user_agent": "meshproof",
            "peer.address": "10.244.0.9",
            "request_size": "0",
            "response_size": str(number % 1500),
            "upstream_cluster": side,
            "upstream_cluster.name": f"{side};",
            "upstream_address": f"10.244.0.{place}:8080",
            "response_flags": "-",
            "istio.canonical_service": service,
            "istio.canonical_revision": "v1",
            "istio.mesh_id": "cluster.local",
            "istio.namespace": "apps",
            "istio.cluster_id": "Kubernetes",
            "language": "cpp",
            "runtime-id": f"runtime-{place}",
            "_dd.p.dm": "-0",
        }
        spans.append(
            {
                "service": f"{service}.apps",
                "name": "envoy.proxy",
                "resource": f"{service}.apps.svc.cluster.local:80/*",
                "trace_id": trace_id & (2**64 - 1),
                "high": trace_id >> 64,
                "span_id": span_id,
                "parent_id": ids[place - 1] if place else 0,
                "start": began + place * 1000,
                "duration": 20_000_000 - place * 1000,
                "error": int(status == "503"),
                "type": "web",
                "meta": meta,
                "metrics": {"_sampling_priority_v1": 1.0, "process_id": 17.0},
            }
        )
    return spans


def for_the_peer(traces: list[list[dict[str, Any]]]) -> Payload:
    chunks = [[{name: value for name, value in span.items() if name != "high"} for span in trace] for trace in traces]
    headers = {"Content-Type": "application/msgpack", "X-Datadog-Trace-Count": str(len(traces))}
    return "/v0.4/traces", msgpack.packb(chunks), headers | {"Datadog-Meta-Tracer-Version": "2.0.0"}


def for_the_intake(traces: list[list[dict[str, Any]]]) -> Payload:
    strings: dict[str, int] = {"": 0}
    entry_class, span_class, chunk_class = message("IdxEntry"), message("IdxSpan"), message("IdxTraceChunk")

    def ref(text: str) -> int:
        return strings.setdefault(text, len(strings))

    def entry(name: str, value: str | float) -> bytes:
        made = entry_class(key=ref(name))
        if isinstance(value, str):
            made.value.string_ref = ref(value)
        else:
            made.value.number = value
        return bytes(made.SerializeToString())

    chunks = []
    for trace in traces:
        trace_id = trace[0]["high"].to_bytes(8, "big") + trace[0]["trace_id"].to_bytes(8, "big")
        chunk = chunk_class(priority=1, trace_id=trace_id)
        for span in trace:
            made = span_class(
                service_ref=ref(span["service"]),
                name_ref=ref(span["name"]),
                resource_ref=ref(span["resource"]),
                span_id=span["span_id"],
                parent_id=span["parent_id"],
                start=span["start"],
                duration=span["duration"],
                error=bool(span["error"]),
                type_ref=ref(span["type"]),
                kind=1,
            )
            made.attributes.extend(entry(name, value) for name, value in {**span["meta"], **span["metrics"]}.items())
            chunk.spans.append(made.SerializeToString())
        chunks.append(chunk.SerializeToString())
    tracer = message("IdxTracerPayload")(chunks=chunks, strings=list(strings))
    body = message("AgentPayload")(host_name="node", idx_tracer_payloads=[tracer.SerializeToString()])
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "zstd"}
    return "/api/v0.2/traces", zstandard.compress(body.SerializeToString(), 1), headers


def log_payload(first: int) -> Payload:
    now = int(time.time() * 1000)
    lines = []
    for number in range(first, first + LINES_OF_A_PAYLOAD):
        service = SERVICES[number % len(SERVICES)]
        text = json.dumps(
            {
                "method": "GET",
                "path": f"/books/{number}",
                "response_code": 503 if number % 50 == 0 else 200,
                "duration": number % 900,
                "upstream_cluster": f"outbound|80||{service}.apps.svc.cluster.local",
                "request_id": str(uuid.uuid4()),
            }
        )
        lines.append(
            {
                "message": text if number % 3 else f"{service}: request {number} for book {number % 977} answered",
                "status": "info",
                "timestamp": now,
                "hostname": "node",
                "service": service,
                "ddsource": "proxyv2",
                "ddtags": f"kube_namespace:apps,pod_name:{service}-5d8f,container_name:istio-proxy",
            }
        )
    headers = {"Content-Type": "application/json", "Content-Encoding": "zstd"}
    return "/api/v2/logs", zstandard.compress(json.dumps(lines).encode(), 1), headers


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Server:
    """A server in a process of its own, ended with the context."""

    def __init__(self, argv: list[str], port: int, ready: str, key: str = "") -> None:
        self.port = port
        self.key = key
        environment = {**os.environ, **({"DD_API_KEY": key} if key else {})}
        self.process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            with contextlib.suppress(OSError):
                if self.get(ready)[0] == 200:
                    return
            time.sleep(0.1)
        self.close()
        raise SystemExit(f"{argv[0]} does not answer")

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"DD-API-KEY": self.key})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def send(self, payloads: Iterable[Payload]) -> float:
        """Seconds until every payload was answered with 2xx, over a few connections."""
        todo: queue.Queue[Payload | None] = queue.Queue(CONNECTIONS * 2)
        failures: list[str] = []

        def work() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            while (payload := todo.get()) is not None:
                path, body, headers = payload
                connection.request("POST", path, body, {**headers, "DD-API-KEY": self.key})
                answer = connection.getresponse()
                answer.read()
                if not 200 <= answer.status < 300:
                    failures.append(f"{path}: {answer.status}")
            connection.close()

        workers = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
        began = time.monotonic()
        for worker in workers:
            worker.start()
        for payload in payloads:
            todo.put(payload)
        for _ in workers:
            todo.put(None)
        for worker in workers:
            worker.join()
        seconds = time.monotonic() - began
        if failures:
            raise SystemExit(f"not all was accepted: {failures[:3]}")
        return seconds

    def peak_megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def intake(folder: Path) -> Iterator[Server]:
    port = free_port()
    argv = [sys.executable, "-m", "meshproof.intake", "--port", str(port), "--data", str(folder)]
    with contextlib.closing(Server(argv, port, "/meshproof/health", secrets.token_hex(16))) as server:
        yield server


@contextlib.contextmanager
def peer(program: Path) -> Iterator[Server]:
    port = free_port()
    argv = [str(program), "--port", str(port), "--log-level", "ERROR"]
    argv += ["--otlp-http-port", str(free_port()), "--otlp-grpc-port", str(free_port())]
    with contextlib.closing(Server(argv, port, "/info")) as server:
        yield server


def installed_peer(folder: Path) -> Path:
    venv.create(folder / "peer", with_pip=True)
    subprocess.run([folder / "peer/bin/python", "-m", "pip", "install", "--quiet", PEER], check=True)
    return folder / "peer/bin/ddapm-test-agent"


def race(folder: Path, program: Path, spans: int, rounds: int) -> None:
    randomness = random.Random(1)  # noqa: S311 - reproducible payloads
    count = spans // (SPANS_OF_A_TRACE * TRACES_OF_A_PAYLOAD)
    spans = count * SPANS_OF_A_TRACE * TRACES_OF_A_PAYLOAD
    made = [[envoy_trace(randomness, number) for number in range(TRACES_OF_A_PAYLOAD)] for _ in range(count)]
    for_peer, for_intake = [for_the_peer(traces) for traces in made], [for_the_intake(traces) for traces in made]
    del made
    accepted: dict[str, list[float]] = {"peer": [], "intake": []}
    readable: dict[str, list[float]] = {"peer": [], "intake": []}
    print(f"{rounds} rounds of {spans} spans in {count} payloads over {CONNECTIONS} connections, side by side")
    for number in range(rounds):
        with peer(program) as server:
            server.send(for_peer[:2])
            server.get("/test/session/clear")
            began = time.monotonic()
            accepted["peer"].append(spans / server.send(for_peer))
            server.get("/test/session/traces")
            readable["peer"].append(spans / (time.monotonic() - began))
        with intake(folder / f"race-{number}") as server:
            server.send(for_intake[:2])
            search(server, "spans", "service:goapi.apps")
            began = time.monotonic()
            accepted["intake"].append(spans / server.send(for_intake))
            search(server, "spans", "service:goapi.apps")
            readable["intake"].append(spans / (time.monotonic() - began))
    for title, figures in (("accepted (spans per second)", accepted), ("until readable (spans per second)", readable)):
        ours, theirs = (statistics.median(figures[name]) for name in ("intake", "peer"))
        ratios = [one / other for one, other in zip(figures["intake"], figures["peer"], strict=True)]
        print(f"{title}: intake {ours:,.0f}, {PEER} {theirs:,.0f}, ratio {statistics.median(ratios):.1f}", end=" ")
        print(f"(rounds: {', '.join(f'{ratio:.1f}' for ratio in ratios)})")


def search(server: Server, kind: str, query: str) -> tuple[float, int]:
    """Seconds for one search over everything, and the number of events on its first page."""
    parameters = {"filter[query]": query, "filter[from]": "now-1d", "page[limit]": "50"}
    began = time.monotonic()
    status, body = server.get(f"/api/v2/{kind}/events?{urllib.parse.urlencode(parameters)}")
    seconds = time.monotonic() - began
    if status != 200:
        raise SystemExit(f"{query}: {status} {body[:200]!r}")
    return seconds, len(json.loads(body)["data"])


SEARCHES = (
    ("spans", "service:goapi.apps status:error"),
    ("spans", "@http.url:http\\://goapi.apps/books/77"),
    ("spans", "@http.url:*books/7?7"),
    ("spans", "@http.status_code:[500 TO 599] @istio.namespace:apps"),
    ("spans", "@response_size:>1490"),
    ("logs", "service:goapi kube_namespace:apps status:info"),
    ("logs", '"request 123456 for book"'),
    ("logs", "@response_code:503 @path:/books/*50"),
    ("logs", "@duration:>890 -service:goapi"),
    ("logs", "nowhere"),
)


def million(folder: Path, events: int) -> None:
    randomness = random.Random(2)  # noqa: S311 - reproducible payloads
    each = SPANS_OF_A_TRACE * TRACES_OF_A_PAYLOAD
    spans = (
        for_the_intake([envoy_trace(randomness, first + number) for number in range(TRACES_OF_A_PAYLOAD)])
        for first in range(0, events // SPANS_OF_A_TRACE, TRACES_OF_A_PAYLOAD)
    )
    lines = (log_payload(first) for first in range(0, events, LINES_OF_A_PAYLOAD))
    with intake(folder / "million") as server:
        began = time.monotonic()
        server.send(spans)
        server.send(lines)
        sent = time.monotonic() - began
        while json.loads(server.get("/meshproof/status")[1])["backlog_bytes"]:
            time.sleep(0.2)
        searchable = time.monotonic() - began
        peak = server.peak_megabytes()
        stored = json.loads(server.get("/meshproof/status")[1])["stored"]
        print(f"{stored['spans']:,} spans ({each} a payload) and {stored['logs']:,} log lines:", end=" ")
        print(f"accepted in {sent:.0f} s, which includes making them; searchable after {searchable:.0f} s;", end=" ")
        print(f"peak memory {peak:.0f} MB")
        for kind, query in SEARCHES:
            taken = [search(server, kind, query) for _ in range(5)]
            seconds = [one for one, _ in taken]
            print(f"  {kind}: {query}: {taken[0][1]} on the first page,", end=" ")
            print(f"first {seconds[0] * 1000:.0f} ms, median {statistics.median(seconds) * 1000:.0f} ms")
        print(f"peak memory with searches {server.peak_megabytes():.0f} MB")
        size = sum(file.stat().st_size for file in (folder / "million").iterdir()) / 2**20
        print(f"on disk {size:.0f} MB")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--spans", type=int, default=200_000, help="spans of a round of the race")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--peer", type=Path, help="ddapm-test-agent's program; else it is installed for the run")
    options.add_argument("--million", action="store_true", help="memory and searches instead of the race")
    options.add_argument("--events", type=int, default=1_000_000, help="spans, and log lines, with --million")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="intake-benchmark-") as name:
        if given.million:
            million(Path(name), given.events)
        else:
            race(Path(name), given.peer or installed_peer(Path(name)), given.spans, given.rounds)


if __name__ == "__main__":
    main()
