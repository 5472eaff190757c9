"""How busy a generator was."""

from __future__ import annotations

import pytest

from meshproof.load.cpu import busiest


def samples(*parts: tuple[float, float]) -> list[tuple[float, float]]:
    """A sample each half a second, from (seconds, part of a CPU)."""
    found, now, used = [(0.0, 0.0)], 0.0, 0.0
    for seconds, part in parts:
        for _ in range(int(seconds / 0.5)):
            now, used = now + 0.5, used + 0.5 * part
            found.append((now, used))
    return found


def test_a_busy_time_is_found_in_a_long_run() -> None:
    assert busiest(samples((20, 0.2), (5, 0.95), (20, 0.2))) == pytest.approx(0.95)


def test_a_busy_second_is_not_saturation() -> None:
    assert busiest(samples((10, 0.2), (1, 1.0), (10, 0.2))) == pytest.approx(0.36)


def test_a_short_run_is_taken_as_a_whole() -> None:
    assert busiest(samples((2, 0.5))) == pytest.approx(0.5)
    assert busiest([]) == 0.0
