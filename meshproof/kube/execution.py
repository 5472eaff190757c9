"""Running a command in a container and getting its output, byte for byte, and its exit code."""

from __future__ import annotations

import json
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from meshproof.kube.errors import ApiError, ExecFailed, ExecTimeout, Forbidden, Unauthorized
from meshproof.kube.transport import Transport
from meshproof.kube.websocket import ChannelSocket, open_channels
from meshproof.timeouts import Timeouts

__all__ = ["ExecResult", "Executor", "execute"]

_STDIN, _STDOUT, _STDERR, _STATUS = range(4)
_CHUNK = 16 * 1024


@dataclass(frozen=True)
class ExecResult:
    """How a command in a container ended; `code` is its exit code."""

    stdout: bytes
    stderr: bytes
    code: int

    @property
    def text(self) -> str:
        """stdout as text."""
        return self.stdout.decode(errors="replace")


class Executor(Protocol):
    """What runs commands in containers: a Cluster, or what stands for it."""

    timeouts: Timeouts

    def execute(
        self,
        namespace: str,
        pod: str,
        argv: Sequence[str],
        *,
        container: str | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
    ) -> ExecResult:
        """See Cluster."""
        ...


def execute(
    transport: Transport,
    namespace: str,
    pod: str,
    argv: Sequence[str],
    *,
    container: str | None,
    stdin: bytes | None,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
) -> ExecResult:
    """Run `argv` in a container, at most `timeout` seconds. An exit code other than 0 is a result, not an error.

    Raises ExecFailed when the command did not run, ExecTimeout, ClusterUnreachable, Forbidden.
    """
    where = f"{namespace}/{pod}" + (f", container {container}" if container else "")
    about = f"run {argv[0]} in pod {where}"
    query = [("command", word) for word in argv]
    query += [("stdout", "true"), ("stderr", "true"), ("tty", "false")]
    if stdin is not None:
        query.append(("stdin", "true"))
    if container is not None:
        query.append(("container", container))
    deadline = clock() + timeout
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    try:
        channels = open_channels(transport, path, query, about=about, timeout=timeout)
    except (Forbidden, Unauthorized):
        raise
    except ApiError as error:
        raise ExecFailed(f"cannot {about}", seen=error.message) from error
    received: dict[int, list[bytes]] = {_STDOUT: [], _STDERR: [], _STATUS: []}
    try:
        if stdin is not None:
            _feed(channels, stdin, received, deadline, clock)
        while (message := channels.receive(deadline - clock())) is not None:
            received.setdefault(message[0], []).append(message[1])
    except TimeoutError as error:
        raise ExecTimeout(
            f"cannot {about}: not done after {timeout:g} s",
            stdout=b"".join(received[_STDOUT]),
            stderr=b"".join(received[_STDERR]),
        ) from error
    finally:
        channels.close()
    stdout, stderr, status = (b"".join(received[channel]) for channel in (_STDOUT, _STDERR, _STATUS))
    return ExecResult(stdout, stderr, _exit_code(status, about))


def _feed(
    channels: ChannelSocket,
    stdin: bytes,
    received: dict[int, list[bytes]],
    deadline: float,
    clock: Callable[[], float],
) -> None:
    # Output is read between the chunks: a command that answers as it reads would else fill every buffer on the way
    # and stop reading.
    for start in range(0, len(stdin), _CHUNK):
        while True:
            readable, writable, _ = select.select([channels], [channels], [], max(deadline - clock(), 0))
            if readable or channels.pending():
                message = channels.receive(deadline - clock())
                if message is None:
                    return
                received.setdefault(message[0], []).append(message[1])
            elif writable:
                break
            else:
                raise TimeoutError
        channels.send(_STDIN, stdin[start : start + _CHUNK])
    if not channels.can_close_channels:
        raise ExecFailed("the API server cannot end a command's standard input", remedy="use Kubernetes 1.30 or later")
    channels.close_channel(_STDIN)


def _exit_code(status: bytes, about: str) -> int:
    try:
        document: Any = json.loads(status)
    except ValueError:
        raise ExecFailed(f"cannot {about}: the connection ended before the exit code came") from None
    if document.get("status") == "Success":
        return 0
    if document.get("reason") == "NonZeroExitCode":
        for cause in (document.get("details") or {}).get("causes") or []:
            if cause.get("reason") == "ExitCode":
                return int(cause["message"])
    raise ExecFailed(f"cannot {about}", seen=document.get("message") or document)
