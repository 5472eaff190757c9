"""Who may begin what: jobs that stay apart go on side by side, all others one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Condition
from typing import Generic, TypeVar

from meshproof.parts import NOTHING, Footprint

__all__ = ["Floor"]

T = TypeVar("T")


class Floor(Generic[T]):
    """The jobs that wait, and what each lane holds of the mesh.

    Where a lane has a choice, it takes the job that stays apart from the fewest of those that wait, the first of such
    ones: those have to go one after the other, however many lanes there are, and the others fill what is left beside
    them. What needs everything for itself is taken when nothing else is left, or, if so wanted, before all else.
    """

    def __init__(
        self, jobs: Sequence[T], footprint: Callable[[T], Footprint], lanes: int, *, alone_first: bool = False
    ) -> None:
        self._alone_first = alone_first
        self._footprint = footprint
        self._waiting = [(job, footprint(job)) for job in jobs]
        self._held = [NOTHING] * lanes
        self._changed = Condition()
        self._stopped = False

    @property
    def waiting(self) -> list[T]:
        """The jobs that nobody has taken."""
        return [job for job, _ in self._waiting]

    def stop(self) -> None:
        """Nobody begins anything any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take(self, lane: int) -> T | None:
        """A job that stays apart from all that the other lanes hold; None when there is none now.

        The lane holds it from now on, beside what it held before.
        """
        with self._changed:
            place = self._place(lane)
            if place is None:
                return None
            job, footprint = self._waiting.pop(place)
            self._held[lane] |= footprint
            return job

    def put_back(self, job: T) -> None:
        """It was taken, and is left to others."""
        with self._changed:
            self._waiting.insert(0, (job, self._footprint(job)))

    def hold(self, lane: int, footprint: Footprint) -> None:
        """The lane holds this, and nothing more."""
        with self._changed:
            self._held[lane] = footprint
            self._changed.notify_all()

    def wait(self, lane: int) -> bool:
        """Wait until there may be a job for a lane that holds nothing; False when there will be none."""
        with self._changed:
            self._held[lane] = NOTHING
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._stopped or not self._waiting or self._place(lane) is not None)
            return bool(self._waiting) and not self._stopped

    def _place(self, lane: int) -> int | None:
        if self._stopped:
            return None
        others = [held for number, held in enumerate(self._held) if number != lane]
        kinds = [footprint.shares is not self._alone_first for _, footprint in self._waiting]
        places = [at for at, is_first in enumerate(kinds) if is_first] or [*range(len(kinds))]
        open_to_it = [at for at in places if all(self._waiting[at][1].is_apart_from(held) for held in others)]
        return max(open_to_it, key=self._in_the_way, default=None)

    def _in_the_way(self, place: int) -> int:
        """Of how many that wait."""
        own = self._waiting[place][1]
        return sum(not own.is_apart_from(footprint) for _, footprint in self._waiting)
