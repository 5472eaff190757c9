"""What a part of the stack has to be able to do."""

from __future__ import annotations

from collections.abc import Sequence

from meshproof.errors import MeshproofError
from meshproof.manifests import Manifest
from meshproof.stack.context import StackContext
from meshproof.stack.evidence import namespace_evidence
from meshproof.timeline import Step

__all__ = ["Component", "Hopeless", "NotYet"]


class NotYet(MeshproofError):
    """A component is not ready; the message is what is still missing."""


class Hopeless(Exception):
    """A component will not get ready however long one waits; the message says why."""


class Component:
    """Something installed; the base of all components, which define what differs."""

    name: str
    after: frozenset[str] = frozenset()
    """The components that have to be ready before its installation begins."""
    files: tuple[str, ...] = ()
    """Files and folders of fixtures/manifests."""
    _objects: Sequence[Manifest] | None = None

    def manifests(self, context: StackContext) -> Sequence[Manifest]:
        """The objects that it creates, as far as they are known beforehand. Reads files, never the cluster."""
        return context.load(*self.files)

    def objects(self, context: StackContext) -> Sequence[Manifest]:
        """The same, read once and kept: `ready` looks at them several times a second. Not to be changed."""
        if self._objects is None:
            self._objects = self.manifests(context)
        return self._objects

    def check(self, context: StackContext) -> None:
        """Look at the cluster before anything is applied to it.

        Raises UsageError when the cluster, as it is, does not fit.
        """

    def limit(self, context: StackContext) -> float:
        """Seconds from the end of `install` within which it has to be ready."""
        return context.settings.timeouts.component_ready

    def install(self, context: StackContext, step: Step) -> None:
        """Bring it into the cluster, without waiting for it to work."""
        manifests = self.manifests(context)
        step.note(f"applying {len(manifests)} objects")
        context.apply(manifests)

    def ready(self, context: StackContext) -> None:
        """One look, without waiting: returns when it works.

        Raises NotYet, or any other MeshproofError, while it does not; Hopeless when it never will; UsageError when a
        person has to act first.
        """

    def summary(self, context: StackContext) -> str:
        """A few words about what is there, once it is ready."""
        return f"{len(self.objects(context))} objects"

    def diagnose(self, context: StackContext) -> dict[str, str]:
        """What explains why it is not ready, title to text; asked once, when it failed."""
        evidence: dict[str, str] = {}
        for namespace in sorted({manifest["metadata"].get("namespace") or "" for manifest in self.objects(context)}):
            if namespace:
                evidence |= namespace_evidence(context.cluster, namespace)
        return evidence

    def remove(self, context: StackContext) -> None:
        """Delete from a borrowed cluster what this run created there."""
        context.delete_own(self.objects(context))
