"""The pipelines that ship, set with Datadog's client."""

from __future__ import annotations

import copy

import pytest
from intake_server import Intake

from meshproof import datadog
from meshproof.datadog import log_pipelines, own_log_pipelines
from meshproof.errors import MeshproofError
from meshproof.intake.backend import Backend
from meshproof.intake.pipeline_api import remove_pipelines, set_pipelines
from meshproof.keys import Keys
from meshproof.settings import load_settings

SHIPPED = log_pipelines()
KEYS = Keys("api", "application")


def there(intake: Intake) -> dict[str, str]:
    return {it["name"]: it["id"] for it in intake.http.get("/api/v1/logs/config/pipelines").json()}


def test_pipelines_are_set_once_changed_and_removed(own_intake: Intake) -> None:
    backend = Backend.of_intake(own_intake.url, own_intake.settings.key)
    somebody = {"name": "somebody's own", "filter": {"query": "service:theirs"}, "processors": []}
    own_intake.http.post("/api/v1/logs/config/pipelines", json=somebody)
    set_pipelines(backend, SHIPPED)
    first = there(own_intake)
    names = [definition["name"] for definition in SHIPPED]
    assert sorted(first) == sorted([*names, "somebody's own"])
    changed = copy.deepcopy(SHIPPED)
    changed[0]["filter"]["query"] = "source:changed"
    set_pipelines(backend, changed)
    assert there(own_intake) == first, "set anew instead of changed"
    read = own_intake.http.get(f"/api/v1/logs/config/pipelines/{first[names[0]]}").json()
    assert read["filter"]["query"] == "source:changed"
    remove_pipelines(backend, names)
    assert list(there(own_intake)) == ["somebody's own"]
    remove_pipelines(backend, names)
    backend.close()


def test_a_refused_pipeline_is_told(own_intake: Intake) -> None:
    backend = Backend.of_intake(own_intake.url, own_intake.settings.key)
    strange = {"name": "strange", "filter": {"query": "/re.*/"}, "processors": []}
    with pytest.raises(MeshproofError, match="refused log pipelines"):
        set_pipelines(backend, [strange])
    backend.close()


@pytest.mark.parametrize("stay", [True, False])
def test_datadog_itself_gets_them_for_as_long_as_the_mesh_stands(
    own_intake: Intake, monkeypatch: pytest.MonkeyPatch, stay: bool
) -> None:
    """Datadog itself is stood in for by the intake."""
    of_saas = lambda *_: Backend.of_intake(own_intake.url, own_intake.settings.key)  # noqa: E731
    monkeypatch.setattr(datadog.Backend, "of_saas", of_saas)
    with own_log_pipelines(load_settings(), KEYS, stay=False):
        assert there(own_intake) == {}, "the embedded intake has them already"
    with own_log_pipelines(load_settings(datadog="saas"), KEYS, stay=stay):
        assert set(there(own_intake)) == {it["name"] for it in SHIPPED}
    assert bool(there(own_intake)) is stay
