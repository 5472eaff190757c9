"""Creates and deletes kind clusters through pytest-kind's `KindCluster`: `python -m meshproof.bed.kind_program`.

A program of its own, for three reasons: KindCluster writes to the terminal and to the working folder, it cannot be
given a time limit, and pytest-kind is GPL while meshproof is Apache-2.0. Its fixture and its port forward are not used.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from pytest_kind.cluster import KindCluster

from meshproof.parent import end_with_parent


def main() -> None:
    """Create or delete, as the first argument says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["create", "delete"])
    parser.add_argument("--name", required=True)
    parser.add_argument("--kind", required=True, type=Path)
    parser.add_argument("--kubeconfig", required=True, type=Path)
    parser.add_argument("--image")
    parser.add_argument("--config", type=Path)
    words = parser.parse_args()
    end_with_parent()  # a cluster half made, or taken back, would be in the way of the run that cleans up
    cluster = KindCluster(
        words.name,
        kubeconfig=words.kubeconfig,
        image=words.image,
        kind_path=words.kind,
        kubectl_path=words.kind,  # never called; a path that exists keeps it from being downloaded
    )
    try:
        if words.action == "create":
            cluster.create(words.config)
        else:
            cluster.delete()  # type: ignore[no-untyped-call]
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)  # kind has said why


if __name__ == "__main__":
    main()
