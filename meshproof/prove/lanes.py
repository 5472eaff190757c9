"""The same work in several threads, one a lane; when one of them fails, the others come to an end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Protocol, TypeVar

__all__ = ["Worker", "in_lanes"]

T = TypeVar("T")


class Worker(Protocol):
    """What a lane works with."""

    def leave(self) -> None:
        """End what goes on, however it stands: nobody waits for it any more."""
        ...


W = TypeVar("W", bound=Worker)


def in_lanes(workers: Sequence[W], work: Callable[[int, W], T], stop: Callable[[], None]) -> list[T]:
    """What `work` gives for each lane's number and worker. `stop` tells the lanes to begin nothing more.

    Raises what the first lane raised that failed, when all have ended. An interrupt leaves all workers.
    """

    def lane(number: int, worker: W) -> T:
        try:
            return work(number, worker)
        except BaseException:
            stop()
            raise

    with ThreadPoolExecutor(max_workers=len(workers), thread_name_prefix="lane") as pool:
        futures = [pool.submit(lane, number, worker) for number, worker in enumerate(workers)]
        try:
            wait(futures)
        except BaseException:
            stop()
            for worker in workers:
                worker.leave()
            raise
    return [future.result() for future in futures]
