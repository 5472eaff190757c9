"""What a check changes in the mesh is waited for, and put back whatever happens."""

from __future__ import annotations

import copy

import pytest
from envoy_dumps import listener, provider

from meshproof.errors import InvalidMeasurement
from meshproof.mend.undoing import undos
from meshproof.observability.staging import FAILING, failing_goapi, failing_request_id, sampling
from meshproof.timeouts import Timeouts

TELEMETRY = {"tracing": [{"providers": [{"name": "datadog"}], "randomSamplingPercentage": 100}]}
ROUTE = {"hosts": ["goapi"], "http": [{"name": "goapi", "route": [{"destination": {"host": "goapi"}}]}]}


class SmallMesh:
    """The two objects, and a proxy that holds what they say, or, when `deaf`, what they said at first."""

    timeouts = Timeouts(configuration_sync=0.01)
    id = "proxy.apps"

    def __init__(self, *, deaf=False):
        self.specs = {"Telemetry": copy.deepcopy(TELEMETRY), "VirtualService": copy.deepcopy(ROUTE)}
        self.deaf = deaf
        self.notes = {}

    def apply(self, manifests):
        self.notes.update({manifest["metadata"]["name"]: manifest["data"] for manifest in manifests})

    def delete_object(self, kind, name, *_, wait):
        del self.notes[name]

    def get(self, kind, *_):
        return {"spec": copy.deepcopy(self.specs[kind])} if kind in self.specs else None

    def patch(self, kind, name, patch, *_):
        self.specs[kind].update(patch["spec"])

    def config_dump(self, resource, **_):
        specs = {"Telemetry": TELEMETRY, "VirtualService": ROUTE} if self.deaf else self.specs
        if resource == "dynamic_route_configs":
            return [{"route_config": specs["VirtualService"]}]
        share = specs["Telemetry"]["tracing"][0]["randomSamplingPercentage"]
        return [listener(provider=provider(), random_sampling={"value": share} if share else {})]


def test_the_percentage_is_set_and_put_back():
    mesh = SmallMesh()
    with sampling(mesh, [mesh]) as trace:
        for percentage in (25, 0):
            trace(percentage)
            assert mesh.specs["Telemetry"]["tracing"][0]["randomSamplingPercentage"] == percentage
            assert mesh.specs["Telemetry"]["tracing"][0]["providers"] == [{"name": "datadog"}]
    assert mesh.specs["Telemetry"] == TELEMETRY


def test_a_note_tells_the_next_run_how_to_put_it_back():
    mesh = SmallMesh()
    with sampling(mesh, [mesh]):
        (note,) = mesh.notes.values()
        (step,) = undos.validate_json(note["undo"])
        assert (step.reference.kind, step.patch) == ("Telemetry", {"spec": {"tracing": TELEMETRY["tracing"]}})
    assert not mesh.notes


def test_the_percentage_is_put_back_after_a_failure():
    mesh = SmallMesh()
    with pytest.raises(ZeroDivisionError), sampling(mesh, [mesh]) as trace:
        trace(25)
        _ = 1 / 0
    assert mesh.specs["Telemetry"] == TELEMETRY


def test_proxies_that_do_not_follow_make_it_invalid():
    mesh = SmallMesh(deaf=True)
    with pytest.raises(InvalidMeasurement, match="the proxies trace 25 %"), sampling(mesh, [mesh]) as trace:
        trace(25)
    assert mesh.specs["Telemetry"] == TELEMETRY


def test_without_the_object_there_is_nothing_to_change():
    mesh = SmallMesh()
    del mesh.specs["Telemetry"]
    with pytest.raises(InvalidMeasurement, match="there is no Telemetry"), sampling(mesh, [mesh]):
        pass


def test_marked_requests_fail_for_the_length_of_the_block():
    mesh = SmallMesh()
    with failing_goapi(mesh, [mesh]):
        failing, *others = mesh.specs["VirtualService"]["http"]
        assert others == ROUTE["http"]
        assert failing["fault"]["abort"]["httpStatus"] == 503
        assert failing_request_id(3).startswith(failing["match"][0]["headers"]["x-request-id"]["prefix"])
        assert failing["route"] == ROUTE["http"][0]["route"]
    assert mesh.specs["VirtualService"] == ROUTE


def test_request_ids_are_whole_ids_of_their_own():
    assert len({failing_request_id(number) for number in range(3)}) == 3
    assert failing_request_id(1) == f"{FAILING}-0000-4000-8000-000000000001"
