"""Which part of the conformance a check belongs to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

__all__ = ["Profile", "profile_of"]


class Profile(StrEnum):
    """A part that can conform on its own."""

    CORE = "core"
    """What every mesh stood up here has to keep."""
    EXTENDED = "extended"
    """What depends on the machine, or is about the sample apps more than about the mesh."""
    OBSERVABILITY = "observability"
    """Traces, logs and metrics reach the backend."""
    CANARY = "canary"
    """Traffic is split as promised, and the canary is as good as the stable version."""


_OF_FILE = {
    Profile.OBSERVABILITY: (
        *("agent", "apm", "datadog", "flame", "inventory", "log", "metric"),
        *("observ", "parity", "sampling", "services", "span", "trac"),
    ),
    Profile.CANARY: ("canary", "split", "weight", "rollout", "drift"),
}
_OF_TEST = {
    "test_bad_input_is_a_4xx_with_a_reason": Profile.EXTENDED,
    "test_concurrent_clients_lose_nothing": Profile.EXTENDED,
    "test_gateway_answers_on_the_mapped_ports_of_the_host": Profile.EXTENDED,
}


def profile_of(check: str) -> Profile:
    """The profile of a check by its node id: by its test, else by its file, else core."""
    file, _, rest = check.partition("::")
    test = rest.rpartition("::")[2].partition("[")[0]
    if test in _OF_TEST:
        return _OF_TEST[test]
    stem = Path(file).stem
    return next((profile for profile, words in _OF_FILE.items() if any(word in stem for word in words)), Profile.CORE)
