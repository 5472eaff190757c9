"""The intake endpoints, one by one: what is answered, and where it can be read."""

from __future__ import annotations

import json
import time
import zlib

import msgpack
import pytest
import zstandard
from datadog_api_client.v1.api.metrics_api import MetricsApi as MetricsApiV1
from intake_payloads import frame, log_line

from meshproof.intake.wire import message
from meshproof.intake.write_face import KINDS


def documents(intake, query):
    return intake.http.get("/meshproof/documents", params={"query": query}).json()["data"]


def points(intake, query):
    now = int(time.time())
    with intake.api() as client:
        answer = MetricsApiV1(client).query_metrics(now - 600, now + 60, query)
    return [[point.value[1] for point in series.pointlist] for series in answer.series]


def test_a_protobuf_series_is_queried(intake, mark):
    now = int(time.time())
    series = message("MetricSeries")(metric=mark, tags=["kube_namespace:apps"], type=3)
    series.resources.append(message("Resource")(type="host", name="node-1").SerializeToString())
    series.points.append(message("MetricPoint")(value=4.5, timestamp=now).SerializeToString())
    body = message("MetricPayload")(series=[series.SerializeToString()]).SerializeToString()
    for encoded, encoding in ((zstandard.compress(body), "zstd"), (zlib.compress(body), "deflate")):
        answer = intake.http.post("/api/v2/series", content=encoded, headers={"Content-Encoding": encoding})
        assert answer.status_code == 202
    assert points(intake, f"avg:{mark}{{kube_namespace:apps,host:node-1}}.rollup(avg, 3600)") == [[4.5]]


def test_the_old_json_series_is_queried(intake, mark):
    now = int(time.time())
    body = {"series": [{"metric": mark, "points": [[now, 2]], "type": "count", "host": "h", "tags": ["a:b"]}]}
    for _ in range(3):
        assert intake.http.post("/api/v1/series", json=body).status_code == 202
    assert points(intake, f"sum:{mark}{{a:b}}.rollup(sum, 3600)") == [[6]]


def test_a_sketch_gives_quantiles(intake, mark):
    # Keys of 1.0 and 100.0 in the agent's sketch: gamma 1.015625, bias 1338.
    part = message("Dogsketch")(timestamp=int(time.time()), count=100, min=1, max=100, avg=10.9, sum=1090)
    part.keys.extend([1338, 1338 + 297])
    part.counts.extend([90, 10])
    sketch = message("Sketch")(metric=mark, host="h", tags=["a:b"], dogsketches=[part.SerializeToString()])
    body = message("SketchPayload")(sketches=[sketch.SerializeToString()]).SerializeToString()
    assert intake.http.post("/api/beta/sketches", content=body).status_code == 202
    ((median,),) = points(intake, f"p50:{mark}{{*}}.rollup(avg, 3600)")
    ((high,),) = points(intake, f"p99:{mark}{{*}}.rollup(avg, 3600)")
    assert median == pytest.approx(1, rel=0.02)
    assert high == pytest.approx(100, rel=0.02)
    assert points(intake, f"max:{mark}{{*}}.rollup(max, 3600)") == [[100]]


def test_stats_give_counts_errors_and_quantiles_for_a_service(intake, mark):
    sketch = message("DDSketch")(positive=message("BinStore")(contiguous=[40.0], contiguous_offset=800))
    sketch.mapping.gamma = 1.02
    group = {"Service": "goapi", "Name": mark, "Resource": "GET /", "HTTPStatusCode": 200, "Hits": 40, "Errors": 3}
    group |= {"Duration": 5_000_000_000, "TopLevelHits": 40, "OkSummary": sketch.SerializeToString()}
    bucket = {"Start": time.time_ns(), "Duration": 10_000_000_000, "Stats": [group]}
    body = {"AgentHostname": "node-1", "AgentEnv": "test", "Stats": [{"Env": "test", "Stats": [bucket]}]}
    assert intake.http.post("/api/v0.2/stats", content=msgpack.packb(body)).status_code == 202
    by_service = "{service:goapi} by {service}.rollup(sum, 3600)"
    assert points(intake, f"sum:trace.{mark}.hits{by_service}") == [[40]]
    assert points(intake, f"sum:trace.{mark}.errors{by_service}") == [[3]]
    assert points(intake, f"sum:trace.{mark}.duration{by_service}") == [[5]]
    ((p99,),) = points(intake, f"p99:trace.{mark}{{service:goapi}}.rollup(avg, 3600)")
    assert p99 == pytest.approx(1.02**800.5 / 1e9, rel=0.01)


@pytest.mark.parametrize("path", ["/api/v2/logs", "/v1/input"])
def test_logs_are_taken_on_the_new_and_the_old_path(intake, mark, path):
    assert intake.http.post(path, json=[log_line(mark)]).status_code == 202
    found = intake.http.get("/api/v2/logs/events", params={"filter[query]": mark}).json()["data"]
    assert [log["attributes"]["message"] for log in found] == [mark]


def test_a_key_in_the_path_is_taken_and_never_shown(intake, mark):
    key = intake.settings.key
    answer = intake.http.post(f"/v1/input/{key}", json=[log_line(mark)], headers={"DD-API-KEY": key})
    assert answer.status_code == 202
    assert key not in intake.http.get("/meshproof/status").text


def test_lines_of_text_are_logs(intake, mark):
    headers = {"Content-Type": "text/plain"}
    assert intake.http.post("/api/v2/logs", content=f"{mark} one\n{mark} two\n", headers=headers).status_code == 202
    found = intake.http.get("/api/v2/logs/events", params={"filter[query]": mark}).json()["data"]
    assert len(found) == 2


def test_check_runs_are_documents(intake, mark):
    body = [{"check": mark, "host_name": "node-1", "status": 0, "tags": ["a:b"], "timestamp": 1}]
    assert intake.http.post("/api/v1/check_run", json=body).status_code == 202
    (run,) = documents(intake, f"kind:check_run name:{mark}")
    assert (run["host"], run["tags"], run["content"]["status"]) == ("node-1", ["a:b"], 0)


def test_posted_events_are_documents_without_the_key(intake, mark):
    body = {"title": mark, "text": "what came of it", "tags": ["a:b"], "api_key": "secret"}
    assert intake.http.post("/api/v1/events", json=body).json()["status"] == "ok"
    (event,) = documents(intake, f"kind:event name:{mark}")
    assert (event["tags"], event["content"]["text"]) == (["a:b"], "what came of it")
    assert "secret" not in str(event)


def test_events_and_metadata_are_told_apart_and_the_key_is_removed(intake, mark):
    events = {"apiKey": "secret", "events": {"kubernetes": [{"title": mark, "host": "n"}]}, "internalHostname": "n"}
    metadata = {"apiKey": "secret", "internalHostname": "n", "uuid": mark}
    for body in (events, metadata):
        assert intake.http.post("/intake/", json=body).status_code == 202
    assert len(documents(intake, f"kind:event name:{mark}")) == 1
    (read,) = documents(intake, f"kind:metadata name:{mark}")
    assert "apiKey" not in read["content"]


def test_processes_containers_and_connections_are_documents(intake, mark):
    process = message("Process")(pid=12, container_id="c1")
    process.command.exe = mark
    container = message("Container")(id="c1", name=mark, image="goapi:v1", tags=["kube_namespace:apps"])
    connection = message("Connection")(pid=12)
    connection.local.ip, connection.local.port, connection.remote.ip, connection.remote.port = mark, 1, "10.0.0.2", 80
    for path, kind, holder, item in (
        ("/api/v1/collector", 12, "Items3", process),
        ("/api/v1/container", 39, "Items3", container),
        ("/api/v1/connections", 22, "Connections", connection),
    ):
        body = message(holder)(items=[item.SerializeToString()]).SerializeToString()
        answer = intake.http.post(path, content=frame(kind, zstandard.compress(body), encoding=2))
        assert answer.status_code == 200
        assert answer.content[:3] == bytes([3, 0, 23]), "collectors want a framed reply"
    assert documents(intake, f"kind:process name:{mark}")[0]["content"]["pid"] == 12
    assert documents(intake, f"kind:container name:{mark}")[0]["content"]["image"] == "goapi:v1"
    assert documents(intake, f"kind:connection name:{mark}*")[0]["content"]["remote"] == "10.0.0.2:80"


def test_orchestrator_objects_are_documents(intake, mark):
    claim = message("Claim")(metadata=message("Metadata")(name=mark, namespace="apps", uid="u"))
    claim.status.phase, claim.spec.volume = "Bound", "pvc-1"
    body = message("Items5")(items=[claim.SerializeToString()]).SerializeToString()
    assert intake.http.post("/api/v2/orch", content=frame(52, body)).status_code == 202
    manifest = message("Manifest")(kind="Pod", content=json.dumps({"metadata": {"name": mark}}).encode())
    body = message("Items5")(items=[manifest.SerializeToString()]).SerializeToString()
    assert intake.http.post("/api/v2/orchmanif", content=frame(80, body)).status_code == 202
    (read,) = documents(intake, f"kind:persistent-volume-claim name:apps/{mark} phase:Bound")
    assert read["content"]["volume"] == "pvc-1"
    assert not documents(intake, f"kind:persistent-volume-claim name:apps/{mark} phase:Pending")
    assert documents(intake, f"kind:manifest name:Pod/{mark}")[0]["content"]["metadata"]["name"] == mark


def test_workloads_are_documents_with_their_replicas(intake, mark):
    for kind, name, item in (
        (43, "deployment", message("Deployment")(desired=2, ready=1)),
        (42, "replica-set", message("ReplicaSet")(desired=2, ready=1)),
        (49, "daemon-set", message("DaemonSet")(status=message("DaemonSetStatus")(desired=2, ready=1))),
    ):
        item.metadata.name, item.metadata.namespace = mark, "apps"
        body = message("Items5")(items=[item.SerializeToString()]).SerializeToString()
        assert intake.http.post("/api/v2/orch", content=frame(kind, body)).status_code == 202
        content = documents(intake, f"kind:{name} name:apps/{mark}")[0]["content"]
        assert (content["desired"], content["ready"]) == (2, 1)


def test_kubernetes_events_are_named_by_their_title(intake, mark):
    event = {"msg_title": f"Events from the Pod {mark}", "host": "node-1", "tags": [f"pod_name:{mark}"]}
    assert intake.http.post("/intake/", json={"apiKey": "k", "events": {"kubernetes": [event]}}).is_success
    (read,) = documents(intake, f"kind:event pod_name:{mark}")
    assert read["name"] == event["msg_title"]
    assert read["host"] == "node-1"


def test_profiles_are_documents_of_their_service(intake, mark):
    event = {"attachments": ["cpu.pprof"], "tags_profiler": f"service:{mark},host:node-1", "family": "go"}
    files = {"event": ("event.json", json.dumps(event)), "cpu.pprof": ("cpu.pprof", b"\x1f\x8b\x00")}
    assert intake.http.post("/api/v2/profile", files=files).status_code == 202
    (profile,) = documents(intake, f"kind:profile name:{mark}")
    assert profile["content"]["attachments"] == ["event.json", "cpu.pprof"]


def test_an_unknown_path_is_answered_counted_and_kept(intake, mark):
    assert intake.http.post(f"/api/v9/{mark}", content=b"something").status_code == 202
    assert intake.status()[f"unknown:/api/v9/{mark}"] == 1
    (kept,) = documents(intake, f"kind:unknown path:/api/v9/{mark}")
    assert kept["content"]["body"] == "something"


@pytest.mark.parametrize("path", sorted(KINDS))
def test_connectivity_probes_are_answered(intake, path):
    assert intake.http.post(path, json={}).is_success
    assert intake.http.head(path).status_code == 200


def test_a_collector_of_an_unknown_type_is_kept(intake):
    before = len(documents(intake, "kind:frame-99"))
    assert intake.http.post("/api/v1/collector", content=frame(99, b"")).is_success
    assert len(documents(intake, "kind:frame-99")) == before + 1


@pytest.mark.parametrize("given", [{"DD-API-KEY": "f" * 32}, {"DD-API-KEY": ""}])
def test_another_key_is_refused_and_counted_as_foreign(intake, given):
    before = intake.status().get("foreign:/api/v2/logs", 0)
    assert intake.http.post("/api/v2/logs", json=[log_line("x")], headers=given).status_code == 403
    assert intake.status()["foreign:/api/v2/logs"] == before + 1


def test_validate_takes_the_key_as_parameter_and_as_header(intake):
    key = intake.settings.key
    intake.http.headers.pop("DD-API-KEY")
    try:
        assert intake.http.get("/api/v1/validate", params={"api_key": key}).json() == {"valid": True}
        assert intake.http.get("/api/v1/validate", params={"api_key": "0" * 32}).status_code == 403
        assert intake.http.get("/api/v1/validate", headers={"DD-API-KEY": key}).status_code == 200
        assert intake.http.get("/api/v1/validate").status_code == 403
    finally:
        intake.http.headers["DD-API-KEY"] = key
