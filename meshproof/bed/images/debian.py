"""A minimal Debian root, and layers of packages on top of it, made outside any container."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from meshproof.bed.images.cache import Cache, key_of
from meshproof.bed.images.catalogue import Debian
from meshproof.bed.machine import install_missing, is_root, missing_programs
from meshproof.errors import UsageError
from meshproof.programs import run

__all__ = ["DebianRoots", "root_key", "without_changes"]

_LEFT_OUT = [
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/bug/*",
]
_REMEDY = "see whether this machine's Debian mirror can be reached and serves the packages"
_MERGED_USR = Path("/usr/share/mmdebstrap/hooks/merged-usr")
# Mounts and processes of its own: whatever ends it, nothing of them stays.
_APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_NOT_IN_LAYERS = ("var/cache/", "var/lib/apt/", "var/log/", "run/", "tmp/", "proc/", "sys/", "dev/", "etc/resolv.conf")
_NOT_IN_LAYERS_NAMES = (
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "usr/sbin/policy-rc.d",
)


def root_key(debian: Debian, packages: Sequence[Sequence[str]] = ()) -> str:
    """A key of the root with layers of packages on it, in this order."""
    return key_of("debian 3", debian.suite, _LEFT_OUT, [sorted(layer) for layer in packages])


class DebianRoots:
    """Makes the root and layers of packages as folders of the cache. Layers have to be made one at a time."""

    def __init__(self, debian: Debian, cache: Cache, *, timeout: float) -> None:
        self._debian = debian
        self._cache = cache
        self._timeout = timeout

    def check(self) -> None:
        """Install what makes a Debian root. Raises UsageError when this machine cannot make one."""
        if not is_root():
            raise UsageError(
                "only root can make the Debian root that images are built on",
                seen=f"user id {os.geteuid()}",
                remedy="run as root, or use --images registry",
            )
        if len(missing_programs(["mmdebstrap", "debootstrap"])) == 2:
            install_missing(["mmdebstrap"], timeout=self._timeout)

    def make_root(self, out: Path, note: Callable[[str], None]) -> None:
        """Write `out`/root: the unpacked root, and `out`/layer.tar: the same as a layer."""
        root, suite = out / "root", self._debian.suite
        program = "mmdebstrap" if not missing_programs(["mmdebstrap"]) else "debootstrap"
        note(f"{program} {suite}")
        if program == "mmdebstrap":
            options = ["--mode=root", "--variant=apt", '--aptopt=APT::Install-Recommends "false"']
            if _MERGED_USR.is_dir():  # else a package that merges /usr afterwards comes in, with all of Perl
                options += [f"--hook-dir={_MERGED_USR}", "--include=usr-is-merged"]
            options += [f"--dpkgopt={line}" for line in _LEFT_OUT]
            run([*_APART, program, *options, suite, root, *_mirrors(suite)], timeout=self._timeout, remedy=_REMEDY)
        else:
            run([*_APART, program, "--variant=minbase", suite, root], timeout=self._timeout, remedy=_REMEDY)
            (root / "etc/dpkg/dpkg.cfg.d/left-out").write_text("\n".join(_LEFT_OUT) + "\n")
            for folder in ("man", "info", "locale"):
                shutil.rmtree(root / "usr/share" / folder, ignore_errors=True)
        for folder in ("var/lib/apt/lists", "var/cache/apt"):
            shutil.rmtree(root / folder, ignore_errors=True)
            (root / folder).mkdir()
        _pack(root, out / "layer.tar")

    def make_layer(
        self, lower: Sequence[Path], packages: Sequence[str], out: Path, note: Callable[[str], None]
    ) -> None:
        """Install the packages on top of the roots or layers `lower` (the innermost first).

        Writes `out`/root, the files that the installation changed, and `out`/layer.tar, the same as a layer.
        """
        with self._cache.scratch("chroot") as scratch:
            for name in ("upper", "work", "merged"):
                (scratch / name).mkdir()
            script = scratch / "install.sh"
            script.write_text(_INSTALL)
            below = ":".join(str(path / "root") for path in reversed(lower))
            lists, debs = self._cache.shared("apt-lists"), self._cache.shared("apt-debs")
            run(
                [*_APART, "sh", script, below, lists, debs, *packages],
                timeout=self._timeout,
                cwd=scratch,
                env={"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
                on_line=lambda line: note(line[:80]) if line else None,
                remedy=_REMEDY,
            )
            without_changes(scratch / "upper")
            (scratch / "upper").rename(out / "root")
        _pack(out / "root", out / "layer.tar")
        note(f"{len(packages)} packages and what they need")


_INSTALL = """\
set -e
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
below=$1 lists=$2 debs=$3
shift 3
mount -t overlay -o "lowerdir=$below,upperdir=upper,workdir=work" overlay merged
mount -t proc proc merged/proc
mount -t tmpfs tmpfs merged/tmp
mount -t tmpfs tmpfs merged/run
mount --bind "$lists" merged/var/lib/apt/lists
mount --bind "$debs" merged/var/cache/apt
for device in null zero random urandom; do
    touch merged/dev/$device
    mount --bind /dev/$device merged/dev/$device
done
rm -f merged/etc/resolv.conf
cp -L /etc/resolv.conf merged/etc/resolv.conf
printf '#!/bin/sh\nexit 101\n' > merged/usr/sbin/policy-rc.d
chmod 755 merged/usr/sbin/policy-rc.d
authorities=/etc/ssl/certs/ca-certificates.crt # for mirrors with https, of which the root may know nothing
if [ -e $authorities ]; then cp -L $authorities merged/tmp/; fi
apt="chroot merged apt-get -q -o Acquire::https::CAInfo=/tmp/ca-certificates.crt"
$apt update
$apt install --yes --no-install-recommends "$@"
"""


def without_changes(upper: Path) -> None:
    """Take out of an overlay's upper folder what is not part of a layer: caches, logs, locks, and whiteouts there.

    Raises UsageError when a package removed a file of the root below, which a layer added to an image cannot say.
    """
    for folder, folders, files in os.walk(upper, topdown=False):
        for name in [*files, *folders]:
            path = Path(folder) / name
            inside = str(path.relative_to(upper))
            entry = path.lstat()
            whiteout = stat.S_ISCHR(entry.st_mode) and entry.st_rdev == 0
            if inside in _NOT_IN_LAYERS_NAMES or (inside + "/").startswith(_NOT_IN_LAYERS):
                if not stat.S_ISDIR(entry.st_mode):
                    path.unlink()
                elif not any(path.iterdir()) and inside + "/" not in _NOT_IN_LAYERS:
                    path.rmdir()
            elif whiteout:
                raise UsageError(
                    f"installing the packages removed /{inside} of the root below",
                    remedy="put these packages into a layer of their own in another order",
                )


def _pack(root: Path, layer: Path) -> None:
    """The folder as a tar that docker's ADD unpacks, with owners, and with times that do not change its digest."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if entry.ischr() or entry.isblk():
            return None
        entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(layer, "w", format=tarfile.PAX_FORMAT) as tar:
        for child in sorted(root.iterdir()):
            tar.add(child, arcname=child.name, filter=plain)


def _mirrors(suite: str) -> list[str]:
    """The sources that this machine itself uses for the suite; none: take the tool's own."""
    if missing_programs(["apt-get"]):
        return []
    words = ["--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    targets = run(["apt-get", "indextargets", *words], timeout=30, check=False).stdout
    lines = []
    for target in targets.splitlines():
        uri, release, component = target.split()
        if component == "main" and release in (suite, f"{suite}-updates", f"{suite}-security"):
            lines.append(f"deb {uri} {release} main")
    has_base = any(line.split()[2] == suite for line in lines)
    return list(dict.fromkeys(lines)) if has_base else []
