"""The components as a dependency graph: each installed as soon as what it needs is ready, several at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from threading import Event

from meshproof.errors import MeshproofError, UsageError
from meshproof.stack.component import Component, Hopeless, NotYet
from meshproof.stack.context import StackContext
from meshproof.timeline import Timeline
from meshproof.waiting import StateNotReached, eventually

__all__ = ["GROUP", "ComponentFailed", "Graph"]

GROUP = "stack"
_LOOK_EVERY = 0.2


class ComponentFailed(MeshproofError):
    """A component did not get ready. `evidence` is what its diagnosis found, title to text."""

    def __init__(self, component: str, waited_for: str, evidence: dict[str, str], others: Sequence[str] = ()) -> None:
        self.component = component
        self.waited_for = waited_for
        self.evidence = evidence
        self.others = tuple(others)
        seen = [line for title, text in evidence.items() for line in (f"{title}:", *_indented(text))]
        if self.others:
            seen.append(f"failed as well: {', '.join(self.others)}")
        super().__init__(
            f"component {component} failed: {waited_for}",
            seen="\n        ".join(seen) or None,
            remedy="mend what this shows; for a slow machine set MESHPROOF_TIMEOUTS__COMPONENT_READY (seconds) higher",
        )


class _Stopped(BaseException):
    """Another component failed; not an Exception, so that no retry takes it for an answer."""


@dataclass(frozen=True)
class _Failure:
    component: Component
    error: Exception
    evidence: dict[str, str]


class Graph:
    """Components by name, with their dependencies."""

    def __init__(self, components: Sequence[Component]) -> None:
        """Raises UsageError for two of one name, a dependency that is not there, or a cycle."""
        self._components = {component.name: component for component in components}
        names = [component.name for component in components]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError("two components have the same name", seen=", ".join(twice), remedy="rename one")
        for component in components:
            if unknown := sorted(component.after - self._components.keys()):
                raise UsageError(
                    f"component {component.name} depends on something that is not in the stack",
                    seen=", ".join(unknown),
                    remedy=f"use one of {', '.join(names)}",
                )
        try:
            self.order = tuple(self._components[name] for name in self._sorter().static_order())
        except CycleError as error:
            raise UsageError("components depend on each other in a circle", seen=" -> ".join(error.args[1])) from error

    def install(self, context: StackContext, timeline: Timeline) -> None:
        """Install everything; returns when all is ready.

        After a failure nothing new begins, waiting ones stop, running installations come to their end.

        Raises ComponentFailed for the first that failed, or its UsageError as it is.
        """
        for component in self.order:
            timeline.announce(component.name, group=GROUP, after=tuple(sorted(component.after)))
        stop = Event()
        sorter = self._sorter()
        sorter.prepare()
        failures: list[_Failure] = []
        begun: set[str] = set()
        running: dict[Future[bool], Component] = {}
        with ThreadPoolExecutor(len(self.order) or 1, thread_name_prefix="stack") as pool:
            try:
                while True:
                    for name in sorter.get_ready() if not failures else ():
                        component = self._components[name]
                        begun.add(name)
                        running[pool.submit(_bring_up, component, context, timeline, stop)] = component
                    if not running:
                        break
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        component = running.pop(future)
                        error = future.exception()
                        if isinstance(error, Exception):
                            stop.set()
                            evidence = {} if failures else _evidence(component, error, context)
                            failures.append(_Failure(component, error, evidence))
                        elif error is not None:
                            raise error
                        elif future.result():
                            sorter.done(component.name)
            except BaseException:
                stop.set()
                raise
        if failures:
            for component in self.order:
                if component.name not in begun:
                    with timeline.step(component.name, group=GROUP) as step:
                        step.skip(f"not begun: {failures[0].component.name} failed")
            raise _told(failures)

    def _sorter(self) -> TopologicalSorter[str]:
        return TopologicalSorter({component.name: component.after for component in self._components.values()})


def _bring_up(component: Component, context: StackContext, timeline: Timeline, stop: Event) -> bool:
    """Install and await one component; False when it was stopped because of another."""
    with timeline.step(component.name, group=GROUP) as step:
        component.install(context, step)

        def look() -> bool:
            if stop.is_set():
                raise _Stopped
            try:
                component.ready(context)
            except MeshproofError as missing:
                step.note(missing.problem)
                raise
            return True

        try:
            eventually(
                look,
                timeout=component.limit(context),
                what=f"{component.name} is ready",
                every=_LOOK_EVERY,
                sleep=stop.wait,  # type: ignore[arg-type]  # what it returns is not used
            )
        except _Stopped:
            step.skip("stopped: another component failed")
            return False
        step.note(component.summary(context))
    return True


def _evidence(component: Component, error: Exception, context: StackContext) -> dict[str, str]:
    if isinstance(error, UsageError):
        return {}
    try:
        return component.diagnose(context)
    except MeshproofError as unknown:
        return {"no diagnosis": str(unknown)}


def _told(failures: Sequence[_Failure]) -> MeshproofError:
    first, *rest = failures
    if isinstance(first.error, UsageError):
        return first.error
    others = [failure.component.name for failure in rest]
    failed = ComponentFailed(first.component.name, _waited_for(first.error), first.evidence, others)
    failed.__cause__ = first.error
    return failed


def _waited_for(error: Exception) -> str:
    if isinstance(error, StateNotReached):
        last = error.last
        missing = last.problem if isinstance(last, NotYet) else str(last)
        return f"not ready after {error.elapsed:.0f} s, still waiting for {missing}"
    if isinstance(error, Hopeless | MeshproofError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.rstrip().splitlines()]
