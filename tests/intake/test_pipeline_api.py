"""The pipelines that ship, set with Datadog's client."""

from __future__ import annotations

import copy

import pytest
import yaml
from intake_server import Intake

from meshproof.errors import MeshproofError
from meshproof.files import fixtures_folder
from meshproof.intake.backend import Backend
from meshproof.intake.pipeline_api import remove_pipelines, set_pipelines

CONFIG_MAP = yaml.safe_load((fixtures_folder() / "manifests" / "datadog" / "log-pipelines.yaml").read_text())
SHIPPED = yaml.safe_load(CONFIG_MAP["data"]["log-pipelines.yaml"])


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
    with pytest.raises(MeshproofError, match="refused a question about log pipelines"):
        set_pipelines(backend, [strange])
    backend.close()
