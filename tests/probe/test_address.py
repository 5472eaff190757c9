"""Who gave an address, who announces it, and for how long that must have been told in events."""

from __future__ import annotations

import time
from typing import Any

import pytest

from meshproof.moments import instant
from meshproof.probe.address import LoadBalancer, load_balancer
from tests.probe.listing import Listing

BALANCED: dict[str, Any] = {
    "metadata": {"name": "gw", "uid": "u"},
    "spec": {"ports": [{"port": 80, "nodePort": 30080}]},
    "status": {"loadBalancer": {"ingress": [{"ip": "172.18.255.247"}]}},
}
STATUS = {"metadata": {"name": "l2-x"}, "status": {"serviceName": "gw", "serviceNamespace": "n", "node": "node-1"}}


def told(service: dict[str, Any], *statuses: dict[str, Any], events: tuple[dict[str, Any], ...] = ()) -> LoadBalancer:
    cluster = Listing(Service=[service], Event=list(events), ServiceL2Status=list(statuses))
    found = load_balancer(cluster, "n", "gw")  # type: ignore[arg-type]
    assert found is not None
    return found


def written(thing: dict[str, Any], at: float, subresource: str | None = "status") -> dict[str, Any]:
    """The same with a note of the API server on who wrote a part of it, and when."""
    fields = {"manager": "controller", "time": instant(at), **({"subresource": subresource} if subresource else {})}
    mine = [*thing["metadata"].get("managedFields", []), fields]
    return {**thing, "metadata": {**thing["metadata"], "managedFields": mine}}


def test_load_balancer_is_told_with_who_announces_it() -> None:
    about, other = {"uid": "u"}, {"uid": "x"}
    events = [
        {"involvedObject": about, "reason": "IPAllocated", "source": {"component": "metallb-controller"}},
        {"involvedObject": other, "reason": "IPAllocated", "source": {"component": "metallb-controller"}},
    ]
    found = told(BALANCED, STATUS, events=(*events,))
    assert (found.address, found.pending, found.announced_by) == ("172.18.255.247", False, ("node-1",))
    assert found.reasons("metallb-controller") == ["IPAllocated"]
    assert found.node_ports == {80: 30080}


def test_load_balancer_without_an_address_is_pending() -> None:
    waiting = {"metadata": {"name": "gw", "uid": "u"}, "spec": {"ports": []}, "status": {"loadBalancer": {}}}
    failed = {
        "involvedObject": {"uid": "u"},
        "reason": "AllocationFailed",
        "message": "no available IPs",
        "source": {"component": "metallb-controller"},
    }
    found = told(waiting, events=(failed,))
    assert found.pending
    assert found.messages("AllocationFailed") == ["no available IPs"]


@pytest.mark.parametrize("prefix", ["metallb.io", "metallb.universe.tf"])
def test_the_pool_is_the_one_that_metallb_notes(prefix: str) -> None:
    noted = {**BALANCED["metadata"], "annotations": {f"{prefix}/ip-allocated-from-pool": "ip-pool", "other": "x"}}
    assert told({**BALANCED, "metadata": noted}).pool == "ip-pool"
    assert told(BALANCED).pool is None


def test_statuses_of_other_services_do_not_count() -> None:
    other = {**STATUS, "status": {**STATUS["status"], "serviceNamespace": "m", "node": "node-2"}}
    begun = {"metadata": {"name": "l2-y"}}  # a speaker has made it, and not yet written into it
    assert told(BALANCED, other, STATUS, begun).announced_by == ("node-1",)
    assert told(BALANCED, other).announced_by == ()


def test_what_was_written_lately_must_be_told_in_an_event() -> None:
    now = time.time()
    found = told(written(written(BALANCED, now - 9000), now - 60), written(STATUS, now - 9000))
    assert found.given == pytest.approx(now - 60, abs=1) and found.announced == pytest.approx(now - 9000, abs=1)
    assert found.is_silent("metallb-controller", "IPAllocated", found.given)
    assert not found.is_silent("metallb-speaker", "nodeAssigned", found.announced), "events are gone in an hour"


def test_an_event_that_is_there_was_told() -> None:
    event = {"involvedObject": {"uid": "u"}, "reason": "IPAllocated", "source": {"component": "metallb-controller"}}
    found = told(written(BALANCED, time.time()), events=(event,))
    assert not found.is_silent("metallb-controller", "IPAllocated", found.given)
    assert found.is_silent("metallb-speaker", "IPAllocated", found.given), "somebody else told it"


def test_an_event_is_asked_for_where_nothing_tells_when_it_happened() -> None:
    found = told(written(BALANCED, 0, subresource=None), STATUS)
    assert (found.given, found.announced) == (None, None)
    assert found.is_silent("metallb-controller", "IPAllocated", found.given)
