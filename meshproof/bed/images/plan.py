"""What has to be built for what: products, and the order that their inputs allow."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import BoundedSemaphore, Event

import psutil

from meshproof.timeline import Step, Timeline

__all__ = ["GROUP", "Made", "Means", "Plan", "Product", "carry_out"]

GROUP = "images"


class Means(StrEnum):
    """What a product is made with, where that cannot be done any number of times at once."""

    CORES = "cores"
    APT = "apt"
    ENGINE = "engine"


AT_ONCE = {
    Means.CORES: 2,  # one compilation uses all cores most of the time, two also while one downloads or links
    Means.APT: 1,  # runs share what apt has downloaded, and apt locks it
    Means.ENGINE: 2,
}

Made = Path | str
"""What a product is once it is there: a folder of the cache, or the name of an image in the engine."""


@dataclass(frozen=True)
class Product:
    """One thing to have. `find` returns it when it is there already; `make` makes it from its inputs by name."""

    name: str
    after: tuple[str, ...]
    find: Callable[[], Made | None]
    make: Callable[[Mapping[str, Made], Step], Made]
    means: Means | None = None


@dataclass
class Plan:
    """All products by name; `missing` tells which of them have to be made."""

    products: dict[str, Product] = field(default_factory=dict)

    def add(self, product: Product) -> str:
        """Take the product in, once, and return its name."""
        self.products.setdefault(product.name, product)
        return product.name

    def missing(self, targets: Iterable[str]) -> tuple[list[Product], dict[str, Made]]:
        """The products to make for these targets, inputs first, and what was found.

        The inputs of a product that is there are not looked at: they may be gone.
        """
        found: dict[str, Made] = {}
        order: list[Product] = []
        seen: set[str] = set()

        def visit(name: str) -> None:
            if name in seen:
                return
            seen.add(name)
            product = self.products[name]
            there = product.find()
            if there is not None:
                found[name] = there
                return
            for source in product.after:
                visit(source)
            order.append(product)

        for target in targets:
            visit(target)
        return order, found


def carry_out(order: list[Product], found: Mapping[str, Made], timeline: Timeline) -> dict[str, Made]:
    """Make the products, each as soon as its inputs are there, each a step on the timeline.

    When one fails, and on Ctrl-C, no other is begun and the programs that run for others are ended. The first error is
    raised.
    """
    made: dict[str, Made] = dict(found)
    for product in order:
        waits = tuple(name for name in product.after if name not in made)
        timeline.announce(product.name, group=GROUP, after=waits)
    free = {means: BoundedSemaphore(number) for means, number in AT_ONCE.items()}
    waiting = list(order)
    running: dict[Future[Made], Product] = {}
    older = {child.pid for child in psutil.Process().children()}
    stopping = Event()

    def make(product: Product, inputs: Mapping[str, Made]) -> Made:
        with free[product.means] if product.means else nullcontext():
            if stopping.is_set():
                raise CancelledError
            with timeline.step(product.name, group=GROUP) as step:
                return product.make(inputs, step)

    with ThreadPoolExecutor(len(order) or 1, thread_name_prefix="images") as pool:
        try:
            while waiting or running:
                for product in [product for product in waiting if all(name in made for name in product.after)]:
                    waiting.remove(product)
                    inputs = {name: made[name] for name in product.after}
                    running[pool.submit(make, product, inputs)] = product
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    made[running.pop(future).name] = future.result()
        except BaseException:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            while wait(running, timeout=0.2).not_done:
                _end_children(older)
            raise
    return made


def _end_children(older: set[int]) -> None:
    """End the programs that this process has begun since: each leads a process group of its own."""
    for child in psutil.Process().children():
        if child.pid not in older:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGTERM)
