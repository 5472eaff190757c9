"""Facts about the machine that the run is on."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meshproof.errors import UsageError
from meshproof.programs import run

__all__ = [
    "PROGRAM_PACKAGES",
    "demand_disk",
    "distribution",
    "has_capability",
    "install_missing",
    "is_root",
    "missing_programs",
]

CAP_SYS_ADMIN = 21  # numbers from include/uapi/linux/capability.h
CAP_SYS_RESOURCE = 24

PROGRAM_PACKAGES = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mmdebstrap": "mmdebstrap",
}


@dataclass(frozen=True)
class Distribution:
    """What /etc/os-release says."""

    name: str
    like: frozenset[str]

    @property
    def has_apt(self) -> bool:
        """Whether it is Debian, Ubuntu or one of their kin."""
        return bool(self.like & {"debian", "ubuntu"}) and shutil.which("apt-get") is not None


def distribution() -> Distribution:
    """The operating system that this process runs on."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return Distribution(platform.system(), frozenset())
    like = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    return Distribution(release.get("PRETTY_NAME", "Linux"), frozenset(like))


def demand_disk(folder: Path, gib: float) -> None:
    """Refuse to begin what would fill the disk.

    Raises UsageError when fewer than `gib` GiB are free where the folder is, or will be.
    """
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free / (1 << 30)
    if free < gib:
        raise UsageError(
            "there is not enough disk space for a cluster and its images",
            seen=f"{free:.1f} GiB free at {there}, {gib:g} are needed",
            remedy="free some space, or set MESHPROOF_CACHE to a folder on a larger disk",
        )


def is_root() -> bool:
    """Whether the process may make namespaces and start daemons."""
    return os.geteuid() == 0


def has_capability(number: int, status: Path = Path("/proc/self/status")) -> bool:
    """Whether the capability is in the bounding set, so that a container could be given it."""
    for line in status.read_text().splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return True


def missing_programs(programs: Sequence[str]) -> list[str]:
    """Those of the programs that are not on PATH, /usr/sbin and /sbin included."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return [program for program in programs if shutil.which(program, path=path) is None]


def install_missing(programs: Sequence[str], *, timeout: float) -> list[str]:
    """Install with apt what is not there; services of the packages are not started. Returns the packages installed."""
    packages = sorted({PROGRAM_PACKAGES[program] for program in missing_programs(programs)})
    if not packages:
        return []
    if not is_root() or not distribution().has_apt:
        raise UsageError(
            "programs are missing that only root on Debian or Ubuntu can have installed here",
            seen=", ".join(packages),
            remedy="install these packages, or start Docker",
        )
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    with _no_services():
        install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        if run(install, timeout=timeout, env=environment, check=False).returncode != 0:
            run(["apt-get", "update"], timeout=timeout, env=environment)
            run(install, timeout=timeout, env=environment)
    return packages


class _no_services:  # noqa: N801
    """Debian's own way to install a package without starting its daemon: a policy-rc.d that says no."""

    policy = Path("/usr/sbin/policy-rc.d")

    def __enter__(self) -> None:
        self._ours = not self.policy.exists()
        if self._ours:
            self.policy.write_text("#!/bin/sh\nexit 101\n")
            self.policy.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self.policy.unlink(missing_ok=True)
