"""curl as a client that can be started anywhere: its command line, and what its output says."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from meshproof.errors import MeshproofError
from meshproof.probe.outcome import Answered, Outcome, Reason, Refused, folded
from meshproof.probe.request import Request

__all__ = ["CurlFailed", "batches", "outcomes", "script"]

# Exit codes: https://curl.se/libcurl/c/libcurl-errors.html
_REASONS = {
    5: Reason.DNS,
    6: Reason.DNS,
    8: Reason.PROTOCOL,
    16: Reason.PROTOCOL,
    18: Reason.TRUNCATED,
    28: Reason.TIMEOUT,
    35: Reason.TLS,
    52: Reason.EMPTY_REPLY,
    53: Reason.TLS,
    54: Reason.TLS,
    60: Reason.TLS,
    66: Reason.TLS,
    80: Reason.TLS,
    83: Reason.TLS,
    90: Reason.TLS,
    91: Reason.TLS,
    92: Reason.PROTOCOL,
    95: Reason.PROTOCOL,
    98: Reason.TLS,
}
# Ours, not the other side's: bad options, files that cannot be read or written, no memory, an unknown feature.
_OWN_FAULTS = {2, 3, 4, 23, 26, 27, 37, 41, 43, 45, 48, 58, 59, 77, 82}
_TRACE_LINES = 40
# Linux takes at most 128 KiB in one word of a command line; the rest is room for the options.
_SCRIPT_SIZE = 100_000


class CurlFailed(MeshproofError):
    """curl was not started, or could not send for reasons of its own: no outcome."""


def script(
    requests: Sequence[Request], boundary: str, *, prefix: Sequence[str] = (), options: Sequence[str] = ()
) -> str:
    """A POSIX shell script that sends the requests one after the other, each with a connection of its own.

    On stdout each gives the answer's headers and body, the boundary, curl's JSON and the boundary; on stderr its trace
    and the boundary. `boundary` has to be a word that no answer contains. Needs curl 7.76.
    """
    common = [
        *prefix,
        *("curl", "-q", "-sS", "-v", "-i", "--globoff", "--path-as-is", "--noproxy", "*"),
        *("-w", f"{boundary}%{{json}}{boundary}%{{stderr}}{boundary}", *options),
    ]
    lines = [f'send() {{ {shlex.join(common)} "$@"; }}']
    for request in requests:
        arguments = shlex.join(_arguments(request))
        if request.body is None:
            lines.append(f"send {arguments} </dev/null")
        else:
            body = base64.b64encode(request.body).decode()
            lines.append(f"printf %s {shlex.quote(body)} | base64 -d | send --data-binary @- {arguments}")
    return "\n".join([*lines, "exit 0"])


def batches(requests: Sequence[Request], size: int = _SCRIPT_SIZE) -> Iterator[list[Request]]:
    """The requests in order, in batches whose scripts stay below `size` characters as far as single requests do."""
    batch: list[Request] = []
    length = 0
    for request in requests:
        # Quoting a quote makes five characters of one.
        needed = 5 * sum(map(len, _arguments(request))) + 2 * len(request.body or b"") + 100
        if batch and length + needed > size:
            yield batch
            batch, length = [], 0
        batch.append(request)
        length += needed
    if batch:
        yield batch


def _arguments(request: Request) -> list[str]:
    if request.method == "HEAD":
        words = ["--head"]
    elif request.method == ("GET" if request.body is None else "POST"):
        words = []
    else:
        words = ["-X", request.method]
    headers = request.sent_headers()
    if request.body is not None:
        headers.setdefault("content-type", "")  # or else curl says application/x-www-form-urlencoded
    for name, value in headers.items():
        words += ["-H", f"{name}: {value}" if value or name == "content-type" else f"{name};"]
    if request.connect_to is not None:
        address, port = request.target()
        words += ["--connect-to", f"::{f'[{address}]' if ':' in address else address}:{port}"]
    return [*words, "-m", f"{request.timeout:g}", request.url]


def outcomes(requests: Sequence[Request], boundary: str, stdout: bytes, stderr: bytes) -> list[Outcome]:
    """What became of the requests of a `script`.

    Raises CurlFailed when curl did not run for each of them, or refused its own command line.
    """
    mark = boundary.encode()
    parts, traces = stdout.split(mark), stderr.split(mark)
    if len(parts) != 2 * len(requests) + 1:
        seen = stderr.decode(errors="replace").strip()[-500:] or stdout[-500:].decode(errors="replace")
        raise CurlFailed("curl did not run for every request", seen=seen or "no output")
    found = []
    for number, request in enumerate(requests):
        trace = traces[number].decode(errors="replace") if number < len(traces) else ""
        found.append(_outcome(request, parts[2 * number], json.loads(parts[2 * number + 1]), trace))
    return found


def _outcome(request: Request, answer: bytes, facts: dict[str, Any], trace: str) -> Outcome:
    code = int(facts["exitcode"])
    seconds = float(facts["time_total"])
    peer = _address(facts.get("remote_ip"), facts.get("remote_port"))
    local = _address(facts.get("local_ip"), facts.get("local_port"))
    if code == 0:
        size = int(facts["size_header"])
        raw_headers = _headers(answer[:size])
        return Answered(
            int(facts["response_code"]),
            folded(raw_headers),
            answer[size:],
            seconds,
            raw_headers=raw_headers,
            http_version=f"HTTP/{facts['http_version']}",
            peer=peer,
            local=local,
            request_id=request.request_id,
        )
    message = str(facts.get("errormsg") or "")
    notes = tuple(line[2:] for line in trace.splitlines() if line.startswith("* "))[-_TRACE_LINES:]
    reason, detail = _diagnosed(code, message, notes)
    return Refused(
        reason,
        detail,
        seconds,
        peer=peer,
        local=local,
        status=int(facts["response_code"]) or None,
        request_id=request.request_id,
        trace=notes,
    )


def _diagnosed(code: int, message: str, notes: Sequence[str]) -> tuple[Reason, str]:
    detail = f"curl ({code}): {message}"
    if code in _OWN_FAULTS or (code == 1 and "HTTP/0.9" not in message):
        raise CurlFailed("curl could not send the request", seen=detail)
    if code == 1:
        return Reason.PROTOCOL, detail
    if code == 7:
        # The message says no more than "Couldn't connect to server"; the trace has the system's word for each address.
        why = "; ".join(
            match[1]
            for note in notes
            if (match := re.search(r"^(?:connect to|Immediate connect fail for) .*: (.*)$", note))
        )
        return _not_connected(why), f"{detail} ({why})" if why else detail
    lowered = " ".join([message, *notes[-3:]]).lower()
    if code == 35 and "reset by peer" in lowered:
        return Reason.RESET_IN_HANDSHAKE, detail
    if code in (55, 56):
        # TLS 1.3 tells a client only after its handshake that its certificate is missing or not good.
        if "alert" in lowered:
            return Reason.TLS, detail
        return (Reason.RESET if re.search(r"reset by peer|broken pipe", lowered) else Reason.OTHER), detail
    return _REASONS.get(code, Reason.OTHER), detail


def _not_connected(why: str) -> Reason:
    lowered = why.lower()
    if "refused" in lowered:
        return Reason.CONNECTION_REFUSED
    if "timed out" in lowered:
        return Reason.TIMEOUT
    if re.search(r"unreachable|no route|cannot assign", lowered):
        return Reason.UNREACHABLE
    return Reason.OTHER


def _headers(block: bytes) -> tuple[tuple[str, str], ...]:
    # Interim answers (100, 103) come as blocks of their own before the last one.
    final = [part for part in block.decode("latin-1").split("\r\n\r\n") if part.startswith("HTTP/")][-1]
    pairs = (line.partition(":") for line in final.split("\r\n")[1:] if ":" in line)
    return tuple((name, value.strip()) for name, _, value in pairs)


def _address(host: str | None, port: int | None) -> str | None:
    if not host or not port or int(port) < 0:
        return None
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
