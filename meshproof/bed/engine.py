"""The Docker that kind uses: the running one, untouched; or one of our own in a network namespace without uplink."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
import psutil
from docker.errors import DockerException

from meshproof.bed import capability_wrapper, leftovers, machine, namespace
from meshproof.errors import MeshproofError, UsageError
from meshproof.settings import Settings
from meshproof.timeline import Step

__all__ = ["Engine", "OwnEngine", "RunningEngine", "find_running", "obtain"]

_FORK_SECONDS = 3.0
"""Within this time a daemon that was started is a process of its own, unless it has ended already."""

_NEEDED = ("dockerd", "docker", "runc", "iptables", "ip", "nsenter")


@dataclass(frozen=True)
class Engine:
    """A Docker daemon. `host` is the value for DOCKER_HOST; `namespace` where its containers can be reached from."""

    host: str
    namespace: Path | None

    @property
    def environment(self) -> dict[str, str]:
        """What programs that talk to this engine need in their environment."""
        return {"DOCKER_HOST": self.host}

    @contextmanager
    def client(self, timeout: float = 600) -> Iterator[docker.DockerClient]:
        """Docker's own client for this engine; requests end after `timeout` seconds."""
        client = docker.DockerClient(base_url=self.host, timeout=int(timeout))
        try:
            yield client
        finally:
            client.close()

    def answers(self) -> bool:
        """Whether the daemon is there."""
        try:
            with self.client(timeout=5) as client:
                return bool(client.ping())
        except (DockerException, OSError):
            return False


class RunningEngine(Engine):
    """Somebody's Docker: used as it is, never stopped."""


@dataclass(frozen=True)
class OwnEngine(Engine):
    """Our own daemon, with its folders."""

    name: str
    home: Path
    data_root: Path

    @property
    def exec_root(self) -> Path:
        """Where the daemon keeps what does not outlive it."""
        return Path("/run") / self.name

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder by which processes and mounts of this engine are known."""
        return (self.data_root, self.exec_root, self.home)

    @classmethod
    def of(cls, settings: Settings) -> OwnEngine:
        """The one engine that belongs to this state folder, running or not."""
        home = settings.state / "engine"
        name = "meshproof-" + hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]
        return cls(
            host=f"unix:///run/{name}.sock",
            namespace=namespace.path_of(name),
            name=name,
            home=home,
            data_root=settings.cache / "engine",
        )

    def start(self, *, timeout: float, step: Step) -> None:
        """Clear what a dead daemon left, then start one. Safe to call when it runs already."""
        if self.answers():
            return
        if cleared := self.clear():
            step.note(f"cleared {cleared} leftovers of an engine that was killed")
        for folder in (self.home, self.data_root, self.exec_root):
            folder.mkdir(parents=True, exist_ok=True)
        inside = namespace.create(self.name)
        log = self.home / "dockerd.log"
        with log.open("w") as output:
            # setsid --fork: the daemon is nobody's child, outlives this process and is waited for by init.
            subprocess.run(
                ["setsid", "--fork", "nsenter", f"--net={inside}", "--", *self._command()],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"},
            )
        began = time.monotonic()
        while not self.answers():
            waited = time.monotonic() - began
            if waited > timeout or (waited > _FORK_SECONDS and not leftovers.processes_of(self.folders, ())):
                last = "\n        ".join(log.read_text(errors="replace").splitlines()[-8:])
                self.clear()
                raise MeshproofError("our own dockerd did not start", seen=last, remedy=f"read {log}")
            time.sleep(0.1)

    def stop(self, *, timeout: float) -> None:
        """End the daemon and everything that it ran, and remove the namespace. Images stay on disk."""
        daemon = self._daemon()
        if daemon is not None:
            daemon.send_signal(signal.SIGTERM)
            psutil.wait_procs([daemon], timeout=timeout)
        self.clear()

    def clear(self) -> int:
        """Remove processes, mounts and namespace of a daemon that is no more."""
        cleared = leftovers.clear(self.folders, leftovers.container_ids(self.data_root))
        for leftover in (self._pid_file, Path(self.host.removeprefix("unix://"))):
            leftover.unlink(missing_ok=True)
        cleared += namespace.path_of(self.name).exists()
        namespace.delete(self.name)
        shutil.rmtree(self.exec_root, ignore_errors=True)
        return cleared

    @property
    def _pid_file(self) -> Path:
        return self.home / "dockerd.pid"

    def _daemon(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int(self._pid_file.read_text()))
            return process if any(str(self.data_root) in word for word in process.cmdline()) else None
        except (FileNotFoundError, ValueError, psutil.Error):
            return None

    def _command(self) -> list[str]:
        command = [
            "dockerd",
            f"--host={self.host}",
            f"--data-root={self.data_root}",
            f"--exec-root={self.exec_root}",
            f"--pidfile={self._pid_file}",
            "--storage-driver=overlay2",
        ]
        if not machine.has_capability(machine.CAP_SYS_RESOURCE):
            wrapper = self.home / "runc-without-cap-sys-resource"
            source = Path(capability_wrapper.__file__).read_text()
            wrapper.write_text(source.replace("#!/usr/bin/env python3", f"#!{sys.executable} -ISE", 1))
            wrapper.chmod(0o755)
            command += [f"--add-runtime=wrapped={wrapper}", "--default-runtime=wrapped"]
        return command


def find_running(settings: Settings) -> RunningEngine | None:
    """The Docker daemon that DOCKER_HOST or the current Docker context names, if it answers."""
    hosts = [os.environ["DOCKER_HOST"]] if os.environ.get("DOCKER_HOST") else _context_hosts()
    for host in hosts:
        if host == OwnEngine.of(settings).host:
            continue
        engine = RunningEngine(host, None)
        if engine.answers():
            return engine
    return None


def obtain(settings: Settings, step: Step) -> Engine:
    """The engine for this run, running. Call it while holding the lock of the beds: two must not start one daemon.

    Raises UsageError where there is no Docker and none can be started.
    """
    running = find_running(settings)
    if running is not None:
        step.note(f"the Docker that answers at {running.host}, untouched")
        return running
    if not sys.platform.startswith("linux") or not machine.is_root() or not machine.distribution().has_apt:
        raise UsageError(
            "no Docker daemon answers, and none can be started here",
            seen=f"{machine.distribution().name}, {'root' if machine.is_root() else 'not root'}, "
            f"DOCKER_HOST {os.environ.get('DOCKER_HOST') or 'not set'}",
            remedy="start Docker (Docker Desktop, colima or dockerd), or run as root on Debian or Ubuntu Linux, "
            "where meshproof starts a daemon of its own",
        )
    engine = OwnEngine.of(settings)
    if installed := machine.install_missing(_NEEDED, timeout=settings.timeouts.apt_install):
        step.note(f"installed {', '.join(installed)}")
    engine.start(timeout=settings.timeouts.engine_start, step=step)
    return engine


def _context_hosts() -> list[str]:
    try:
        context = docker.ContextAPI.get_current_context()
        hosts = [context.Host] if context is not None and context.Host else []
    except (DockerException, OSError, AttributeError):
        hosts = []
    return [host.replace("http+unix://", "unix://") for host in hosts] or ["unix:///var/run/docker.sock"]
