"""The one table of timeouts: every wait in the project takes its limit from here."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Timeouts"]

Seconds = Annotated[float, Field(gt=0, le=7200)]


class Timeouts(BaseModel):
    """Seconds, each overridable from `[timeouts]` in meshproof.toml or MESHPROOF_TIMEOUTS__NAME."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    apt_install: Seconds = 600
    engine_start: Seconds = 60
    engine_stop: Seconds = 60
    registry_probe: Seconds = 5
    image_pull: Seconds = 900
    compile: Seconds = 3000
    image_build: Seconds = 900
    cluster_create: Seconds = 300
    cluster_delete: Seconds = 120
    component_ready: Seconds = 240
    api_request: Seconds = 30
    kind_served: Seconds = 30
    object_gone: Seconds = 60
    rollout: Seconds = 120
    load_balancer_address: Seconds = 30
    configuration_sync: Seconds = 60
    drain: Seconds = 90
    request: Seconds = 10
    exec: Seconds = 30
    log_line: Seconds = 15
    profile: Seconds = 60
    searchable: Seconds = 30
    searchable_saas: Seconds = 300
    counted: Seconds = 75
    stays: Seconds = 5
