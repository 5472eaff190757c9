"""What to know about a machine before a bed is made on it: findings by category, each with a hint."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from meshproof.bed import engine as engines
from meshproof.bed import leftovers, machine, namespace
from meshproof.bed.engine import OwnEngine
from meshproof.bed.images import load_catalogue
from meshproof.bed.images.registry import reachable, registries
from meshproof.bed.ownership import Records, RunState
from meshproof.files import data_root
from meshproof.programs import ProgramFailed, run
from meshproof.settings import ImageChoice, Settings

__all__ = ["Finding", "Level", "preflight"]

_GIB = 1 << 30


class Level(StrEnum):
    """How bad a finding is: a fatal one keeps a run from working."""

    FINE = "fine"
    WARNING = "warning"
    FATAL = "fatal"


@dataclass(frozen=True)
class Finding:
    """One look at the machine. `hint` says what to do and is empty when all is well."""

    category: str
    name: str
    level: Level
    seen: str
    hint: str = ""


def preflight(settings: Settings) -> Iterator[Finding]:
    """All findings, category by category."""
    for look in (_engine, _capabilities, _limits, _capacity, _network, _leftovers, _tools, _registries):
        yield from look(settings)


def _graded(category: str, name: str, seen: str, hint: str, *, fatal: bool = False, warning: bool = False) -> Finding:
    level = Level.FATAL if fatal else Level.WARNING if warning else Level.FINE
    return Finding(category, name, level, seen, hint if fatal or warning else "")


def _engine(settings: Settings) -> Iterator[Finding]:
    if settings.borrowed:
        yield Finding("engine", "engine", Level.FINE, "not needed: the cluster is borrowed")
        return
    running = engines.find_running(settings)
    if running is not None:
        with running.client(timeout=5) as client:
            version = client.version().get("Version", "?")
        yield Finding(
            "engine", "docker", Level.FINE, f"Docker {version} answers at {running.host}; it is used as it is"
        )
        return
    possible = sys.platform.startswith("linux") and machine.is_root() and machine.distribution().has_apt
    yield _graded(
        "engine",
        "docker",
        f"no Docker answers; {machine.distribution().name}, {'root' if machine.is_root() else 'not root'}"
        + (": a daemon of our own will be started" if possible else ""),
        "start Docker, or run as root on Debian or Ubuntu Linux",
        fatal=not possible,
    )


def _capabilities(_: Settings) -> Iterator[Finding]:
    if not sys.platform.startswith("linux"):
        return
    if machine.has_capability(machine.CAP_SYS_RESOURCE):
        yield Finding("capabilities", "CAP_SYS_RESOURCE", Level.FINE, "there")
    else:
        yield Finding(
            "capabilities", "CAP_SYS_RESOURCE", Level.FINE, "missing; our engine starts containers without it"
        )
    yield _graded(
        "capabilities",
        "CAP_SYS_ADMIN",
        "there" if machine.has_capability(machine.CAP_SYS_ADMIN) else "missing",
        "nodes are privileged containers; run on a machine that allows them",
        fatal=not machine.has_capability(machine.CAP_SYS_ADMIN),
    )


def _limits(_: Settings) -> Iterator[Finding]:
    for name, enough in (("max_user_instances", 256), ("max_user_watches", 65536)):
        path = Path("/proc/sys/fs/inotify") / name
        if path.is_file():
            value = int(path.read_text())
            yield _graded(
                *("inotify", name, str(value)),
                f"sysctl fs.inotify.{name}={enough * 2}: kubelet, log tailers and proxies run out of them",
                warning=value < enough,
            )


def _capacity(settings: Settings) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    idle = 100 - psutil.cpu_percent(interval=0.3)
    yield _graded(
        "capacity", "cores", f"{cores}, {idle:.0f} % idle", "use 2 cores or more", warning=cores < 2 or idle < 30
    )
    free = psutil.virtual_memory().available / _GIB
    yield _graded(
        *("capacity", "memory", f"{free:.1f} GiB available", "a bed needs 4 GiB; a source build 6 GiB"),
        fatal=free < 3,
        warning=free < 6,
    )
    folder = next(parent for parent in (settings.cache, *settings.cache.parents) if parent.exists())
    disk = shutil.disk_usage(folder).free / _GIB
    yield _graded(
        *("capacity", "disk", f"{disk:.1f} GiB free at {folder}", "free some space, or set MESHPROOF_CACHE"),
        fatal=disk < 5,
        warning=disk < 20,
    )


def _network(settings: Settings) -> Iterator[Finding]:
    own = OwnEngine.of(settings)
    if settings.borrowed or engines.find_running(settings) is None or not sys.platform.startswith("linux"):
        yield Finding("network", "subnets", Level.FINE, f"a namespace of our own, {own.name}: nothing to clash with")
        return
    routes = run(["ip", "-4", "route", "show"], timeout=10, check=False).stdout
    foreign = [line for line in routes.splitlines() if line.startswith("172.18.") and " dev br-" not in line]
    yield _graded(
        *("network", "subnets", foreign[0] if foreign else "172.18.0.0/16 is free for Docker"),
        "kind's docker network may clash with this route; give Docker other default-address-pools",
        warning=bool(foreign),
    )


def _leftovers(settings: Settings) -> Iterator[Finding]:
    records = list(Records(settings.state))
    dead = [record.run_id for record in records if not record.alive and record.state is not RunState.KEPT]
    yield _graded(
        *("leftovers", "runs", ", ".join(dead) or "none"),
        "the next run removes them, or `meshproof down`",
        warning=bool(dead),
    )
    unreadable = Records(settings.state).unreadable()
    yield _graded(
        *("leftovers", "records", "; ".join(f"{path}: {why}" for path, why in unreadable.items()) or "all can be read"),
        "remove these files when `docker ps -a` shows no cluster of theirs",
        warning=bool(unreadable),
    )
    kept = [f"{record.cluster_name} ({record.run_id})" for record in records if record.state is RunState.KEPT]
    yield Finding("leftovers", "kept clusters", Level.FINE, ", ".join(kept) or "none")
    own = OwnEngine.of(settings)
    if not own.answers():
        processes = leftovers.processes_of(own.folders, leftovers.container_ids(own.data_root))
        stale = [f"process {process.pid}" for process in processes]
        stale += [f"mount {mount}" for mount in leftovers.mounts_below(own.folders)]
        stale += [f"namespace {own.name}"] if namespace.path_of(own.name).exists() else []
        yield _graded(
            *("leftovers", "engine", ", ".join(stale[:5]) or "none"),
            "an engine of ours was killed; the next run clears it, or `meshproof down`",
            warning=bool(stale),
        )


def _tools(_: Settings) -> Iterator[Finding]:
    yield _graded(
        *("tools", "python", sys.version.split()[0], "use Python 3.11 or newer"), fatal=sys.version_info < (3, 11)
    )
    programs: dict[str, Callable[[str], list[str]]] = {
        "docker": lambda program: [program, "--version"],
        "go": lambda program: [program, "version"],
    }
    for name, command in programs.items():
        missing = {
            "docker": "kind needs the docker client; on Debian we install it",
            "go": "we fetch our own from PyPI",
        }
        if machine.missing_programs([name]):
            yield Finding("tools", name, Level.FINE, f"not there; {missing[name]}")
            continue
        try:
            yield Finding("tools", name, Level.FINE, run(command(name), timeout=10).stdout.strip())
        except ProgramFailed as error:
            yield Finding("tools", name, Level.WARNING, error.problem, f"mend or remove {name}")


def _registries(settings: Settings) -> Iterator[Finding]:
    if settings.borrowed:
        return
    catalogue = load_catalogue(data_root()).for_settings(settings)
    hosts = registries(image.reference for image in catalogue.with_role("node", "component"))
    for host in hosts:
        there = reachable(host, timeout=settings.timeouts.registry_probe)
        forced = settings.images is ImageChoice.REGISTRY
        yield _graded(
            *("registries", host, "answers" if there else "cannot be reached; images are built from source"),
            "leave out --images registry, and images are built from source",
            fatal=forced and not there,
        )
