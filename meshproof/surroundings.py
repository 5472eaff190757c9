"""What went on around a check while it measured: whatever it found then may be that, and nothing else."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from meshproof.errors import MeshproofError
from meshproof.mesh import WATCHED_NAMESPACES, Mesh
from meshproof.probe.controllers import leaderless
from meshproof.probe.nodes import LITTLE_ROOM, troubled
from meshproof.probe.restarts import Period, restarted

__all__ = ["cramped", "disturbed"]

_MOST = 3
"""Happenings that a reason names."""


def disturbed(mesh: Mesh, since: float, restarting: Sequence[Period] | None) -> str:
    """What happened to the mesh since a moment (seconds since 1970), by no check; "" when nothing did.

    `restarting` are the periods in which checks restarted something on purpose; None: whatever was restarted, this
    check did it. A cluster that cannot be asked is disturbed.
    """
    try:
        found = [*troubled(mesh.cluster, since), *leaderless(mesh.cluster, since, time.time())]
        if restarting is not None:
            found += restarted(mesh.cluster, WATCHED_NAMESPACES, since, apart_from=restarting)
    except MeshproofError as error:
        found = [f"the cluster could not be asked ({error})"]
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return "; ".join(found[:_MOST]) + more


def cramped(folder: Path) -> str:
    """That a cluster which lives in a folder here has no room left, in words; its own API server may no longer be there
    to say so. "" when it has."""
    try:
        room = shutil.disk_usage(folder).free
    except OSError:  # nothing of ours is on this machine
        return ""
    return f"the disk of {folder} has {room / 1e6:.0f} MB left" if room < LITTLE_ROOM else ""
