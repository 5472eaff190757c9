"""Log pipelines, set with Datadog's client, in the intake as in Datadog itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datadog_api_client.v1.api.logs_pipelines_api import LogsPipelinesApi
from datadog_api_client.v1.model.logs_pipeline import LogsPipeline

from meshproof.intake.backend import Backend

__all__ = ["remove_pipelines", "set_pipelines"]

# The client is annotated in parts only.
_Api: Any = LogsPipelinesApi
_Pipeline: Any = LogsPipeline


def set_pipelines(backend: Backend, definitions: Sequence[dict[str, Any]]) -> None:
    """Create the pipelines, or change those that have their names; all others are left alone.

    Raises MeshproofError when the backend refuses one.
    """
    api = _Api(backend.client)
    known = _known(backend, api)
    for definition in definitions:
        # A plain dict would be taken for its keyword arguments only in part: processors are a union of models.
        body = _Pipeline(**definition)
        if definition["name"] in known:
            for number in known[definition["name"]][:1]:
                backend.asked(api.update_logs_pipeline, "log pipelines", pipeline_id=number, body=body)
        else:
            backend.asked(api.create_logs_pipeline, "log pipelines", body=body)


def remove_pipelines(backend: Backend, names: Sequence[str]) -> None:
    """Delete the pipelines of these names; those that are not there are fine."""
    api = _Api(backend.client)
    for name, numbers in _known(backend, api).items():
        if name in names:
            for number in numbers:
                backend.asked(api.delete_logs_pipeline, "log pipelines", pipeline_id=number)


def _known(backend: Backend, api: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pipeline in backend.asked(api.list_logs_pipelines, "log pipelines").value:
        read = pipeline.to_dict()
        found.setdefault(str(read["name"]), []).append(str(read["id"]))
    return found
