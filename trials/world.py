"""Where the runs live that are put to trial: folders, an engine and, if it can be had, a disk of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from meshproof.bed import engine as engines
from meshproof.bed import leftovers, namespace
from meshproof.bed.engine import OwnEngine
from meshproof.bed.ownership import Records
from meshproof.kube import Cluster
from meshproof.settings import Settings
from trials.runs import Run

__all__ = ["CLUSTER", "World"]

CLUSTER = "trials"
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class World:
    """What the runs share, and what is left of them. `disk` is where their cache is, if it is a disk of its own."""

    folder: Path
    cache: Path
    disk: Path | None

    @property
    def environment(self) -> Mapping[str, str]:
        """What tells a run to live here."""
        places = {"CACHE": self.cache, "STATE": self.folder / "state", "REPORTS": self.folder / "reports"}
        return {f"MESHPROOF_{name}": str(path) for name, path in places.items()} | {"MESHPROOF_CLUSTER_NAME": CLUSTER}

    @property
    def settings(self) -> Settings:
        """The settings of these runs."""
        return Settings(cache=self.cache, state=self.folder / "state", cluster_name=CLUSTER)

    @property
    def engine(self) -> OwnEngine | None:
        """The engine of these runs; None where Docker runs, which is not ours to end."""
        return None if engines.find_running(self.settings) else OwnEngine.of(self.settings)

    def suites(self, *files: str, keep: bool = True, environment: Mapping[str, str] | None = None) -> Run:
        """Some of the suites begin to run, with more in their environment if it is given."""
        options = ["-p", "no:cacheprovider", *(["--keep-cluster"] if keep else [])]
        return self._start("-m", "pytest", *(f"suites/{file}" for file in files), *options, environment=environment)

    def prove(self, *mutants: str) -> Run:
        """Mutants begin to be tried, side by side where they stay apart."""
        chosen = (word for mutant in mutants for word in ("--mutant", mutant))
        return self._start("-m", "meshproof.cli", "prove", "--keep-cluster", *chosen)

    def down(self) -> Run:
        """All of it begins to be removed."""
        return self._start("-m", "meshproof.cli", "down")

    def end_engine(self, *, alone: bool = False) -> None:
        """Kill the engine of these runs, and unless `alone` all that it runs; Docker that was there is left alone."""
        engine = self.engine
        if engine is None:
            return
        found = leftovers.processes_of(engine.folders, leftovers.container_ids(engine.data_root))
        leftovers.kill(process for process in found if not alone or process.name() == "dockerd")

    @contextmanager
    def cluster(self) -> Iterator[Cluster]:
        """The cluster that stands here, asked from where it can be reached."""
        kubeconfig = self.settings.state / "clusters" / CLUSTER / "kubeconfig"
        engine = self.engine
        with namespace.entered(engine.namespace if engine else None), Cluster(kubeconfig) as cluster:
            yield cluster

    def verdicts(self) -> Counter[str]:
        """How often each verdict was given by the latest run."""
        results = json.loads((self.folder / "reports" / "latest" / "results.json").read_text())
        return Counter(check["verdict"] for check in results["checks"])

    def left(self) -> list[str]:
        """What is left of all runs, in words: nothing should be, once none is kept and none is running."""
        found = [f"the record of run {record.run_id}" for record in Records(self.settings.state)]
        own = OwnEngine.of(self.settings)
        processes = leftovers.processes_of(own.folders, leftovers.container_ids(own.data_root))
        found += [f"process {process.pid}" for process in processes]
        found += [f"mount {mount}" for mount in leftovers.mounts_below(own.folders)]
        return found + ([f"network namespace {own.name}"] if own.namespace and own.namespace.exists() else [])

    def _start(self, *words: str, environment: Mapping[str, str] | None = None) -> Run:
        log = self.folder / f"{len(list(self.folder.glob('*.log'))):02}-{words[1].rpartition('.')[2]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=_ROOT,
                env={**os.environ, **self.environment, "PYTHONUNBUFFERED": "1", **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Run(process, log)
