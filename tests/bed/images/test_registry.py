"""Where images come from, when the choice is left to the machine."""

from __future__ import annotations

import pytest

from meshproof.bed.images.registry import choose_source, reachable, registries
from meshproof.settings import ImageChoice

REFERENCES = ["docker.io/istio/pilot:1", "quay.io/metallb/speaker:1", "docker.io/istio/proxyv2:1"]


def test_registries_are_the_hosts_of_the_references() -> None:
    assert registries(REFERENCES) == ["docker.io", "quay.io"]


@pytest.mark.parametrize(
    ("answering", "source"),
    [
        ({"docker.io", "quay.io"}, ImageChoice.REGISTRY),
        ({"docker.io"}, ImageChoice.SOURCE),
        (set(), ImageChoice.SOURCE),
    ],
)
def test_auto_pulls_only_when_every_registry_answers(answering: set[str], source: ImageChoice) -> None:
    chosen = choose_source(ImageChoice.AUTO, REFERENCES, timeout=1, ask=lambda host, timeout: host in answering)
    assert chosen is source


@pytest.mark.parametrize("choice", [ImageChoice.REGISTRY, ImageChoice.SOURCE])
def test_choice_that_was_made_is_not_questioned(choice: ImageChoice) -> None:
    assert choose_source(choice, REFERENCES, timeout=1, ask=lambda host, timeout: pytest.fail("asked")) is choice


def test_closed_port_is_not_reachable() -> None:
    assert not reachable("127.0.0.1:1", timeout=2)
