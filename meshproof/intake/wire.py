"""The protobuf messages that agents send, declared at run time: field numbers are facts, nothing is generated.

Sources: datadog/trace/*.proto and datadog/trace/idx/*.proto of DataDog/datadog-agent pkg/proto v0.85.1,
proto/metrics and proto/process of DataDog/agent-payload v5.0.215, ddsketch.proto of DataDog/sketches-go v1.4.8.

Two deliberate differences, neither visible on the wire. Repeated messages are declared as repeated bytes, so that a
hostile payload of a million empty messages costs a few bytes each before it is counted. Maps are declared as repeated
bytes too (that is what they are on the wire): the entries of spans repeat a lot, and each distinct one is decoded once.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["message"]

_PACKAGE = "meshproof.intake"
_Field = descriptor_pb2.FieldDescriptorProto

_MESSAGES: dict[str, dict[int, str]] = {
    # --- traces
    "AgentPayload": {
        1: "string host_name",
        2: "string env",
        5: "repeated bytes tracer_payloads",
        6: "repeated bytes tags",
        7: "string agent_version",
        11: "repeated bytes idx_tracer_payloads",
    },
    "TracerPayload": {
        6: "repeated bytes chunks",
        7: "repeated bytes tags",
        8: "string env",
        9: "string hostname",
        10: "string app_version",
    },
    "TraceChunk": {1: "int32 priority", 3: "repeated bytes spans", 4: "repeated bytes tags", 5: "bool dropped"},
    "Span": {
        1: "string service",
        2: "string name",
        3: "string resource",
        4: "uint64 trace_id",
        5: "uint64 span_id",
        6: "uint64 parent_id",
        7: "int64 start",
        8: "int64 duration",
        9: "int32 error",
        10: "repeated bytes meta",
        11: "repeated bytes metrics",
        12: "string type",
    },
    "TextEntry": {1: "string key", 2: "string value"},
    "NumberEntry": {1: "string key", 2: "double value"},
    "IdxTracerPayload": {
        1: "repeated string strings",
        7: "uint32 env_ref",
        8: "uint32 hostname_ref",
        9: "uint32 app_version_ref",
        10: "repeated bytes attributes",
        11: "repeated bytes chunks",
    },
    "IdxTraceChunk": {
        1: "int32 priority",
        3: "repeated bytes attributes",
        4: "repeated bytes spans",
        5: "bool dropped",
        6: "bytes trace_id",
    },
    "IdxSpan": {
        1: "uint32 service_ref",
        2: "uint32 name_ref",
        3: "uint32 resource_ref",
        4: "fixed64 span_id",
        5: "uint64 parent_id",
        6: "fixed64 start",
        7: "uint64 duration",
        8: "bool error",
        9: "repeated bytes attributes",
        10: "uint32 type_ref",
        13: "uint32 env_ref",
        16: "uint32 kind",
    },
    "IdxEntry": {1: "uint32 key", 2: "AnyValue value"},
    "AnyValue": {
        1: "oneof uint32 string_ref",
        2: "oneof bool truth",
        3: "oneof double number",
        4: "oneof int64 integer",
        5: "oneof bytes data",
        6: "oneof bytes array",
        7: "oneof bytes mapping",
    },
    # --- metrics
    "MetricPayload": {1: "repeated bytes series"},
    "MetricSeries": {
        1: "repeated bytes resources",
        2: "string metric",
        3: "repeated string tags",
        4: "repeated bytes points",
        5: "int32 type",
        6: "string unit",
        8: "int64 interval",
    },
    "Resource": {1: "string type", 2: "string name"},
    "MetricPoint": {1: "double value", 2: "int64 timestamp"},
    "SketchPayload": {1: "repeated bytes sketches"},
    "Sketch": {1: "string metric", 2: "string host", 4: "repeated string tags", 7: "repeated bytes dogsketches"},
    "Dogsketch": {
        1: "int64 timestamp",
        2: "int64 count",
        3: "double min",
        4: "double max",
        5: "double avg",
        6: "double sum",
        7: "repeated sint32 keys",
        8: "repeated uint32 counts",
    },
    "DDSketch": {1: "IndexMapping mapping", 2: "BinStore positive", 3: "BinStore negative", 4: "double zero_count"},
    "IndexMapping": {1: "double gamma", 2: "double index_offset", 3: "uint32 interpolation"},
    "BinStore": {1: "repeated bytes bins", 2: "repeated double contiguous", 3: "sint32 contiguous_offset"},
    "Bin": {1: "sint32 index", 2: "double count"},
    # --- processes, containers, connections, orchestrator
    "Wrapped": {1: "bytes inner"},
    "ProcessReply": {1: "ReplyHeader header", 3: "ReplyStatus status"},
    "ReplyHeader": {4: "int32 type"},
    "ReplyStatus": {1: "int32 active_clients", 2: "int32 interval"},
    "Items3": {1: "string host_name", 2: "string other_host_name", 3: "repeated bytes items"},
    "Items5": {1: "string cluster_name", 5: "repeated bytes items"},
    "Items6": {1: "string host_name", 2: "string cluster_name", 6: "repeated bytes items"},
    "Connections": {2: "string host_name", 3: "repeated bytes items"},
    "Manifest": {
        3: "string uid",
        4: "bytes content",
        5: "string content_type",
        7: "repeated string tags",
        8: "bool is_terminated",
        9: "string api_version",
        10: "string node_name",
        11: "string kind",
    },
    "Metadata": {1: "string name", 2: "string namespace", 3: "string uid", 6: "repeated string labels"},
    "Phase": {1: "string phase"},
    "Pod": {
        1: "Metadata metadata",
        4: "string node_name",
        5: "string phase",
        9: "string status",
        11: "repeated string tags",
    },
    "Node": {1: "Metadata metadata", 6: "NodeStatus status", 9: "repeated string tags"},
    "NodeStatus": {4: "string status", 5: "string kubelet_version"},
    "Namespace": {1: "Metadata metadata", 2: "string status", 5: "repeated string tags"},
    "Service": {
        1: "Metadata metadata",
        2: "ServiceSpec spec",
        3: "ServiceStatus status",
        5: "repeated string tags",
    },
    "ServiceSpec": {3: "string cluster_ip", 4: "string type"},
    "ServiceStatus": {17: "repeated string load_balancer"},
    "Deployment": {
        1: "Metadata metadata",
        2: "int32 desired",
        8: "int32 replicas",
        10: "int32 ready",
        15: "repeated string tags",
    },
    "ReplicaSet": {
        1: "Metadata metadata",
        2: "int32 desired",
        4: "int32 replicas",
        6: "int32 ready",
        9: "repeated string tags",
    },
    "DaemonSet": {1: "Metadata metadata", 3: "DaemonSetStatus status", 5: "repeated string tags"},
    "DaemonSetStatus": {3: "int32 desired", 4: "int32 ready"},
    "StatefulSet": {
        1: "Metadata metadata",
        2: "StatefulSetSpec spec",
        3: "StatefulSetStatus status",
        5: "repeated string tags",
    },
    "StatefulSetSpec": {1: "int32 desired"},
    "StatefulSetStatus": {1: "int32 replicas", 2: "int32 ready"},
    "Volume": {1: "Metadata metadata", 2: "VolumeSpec spec", 3: "Phase status", 5: "repeated string tags"},
    "VolumeSpec": {4: "ClaimReference claim", 6: "string storage_class"},
    "ClaimReference": {2: "string namespace", 3: "string name"},
    "Claim": {1: "Metadata metadata", 2: "ClaimSpec spec", 3: "Phase status", 5: "repeated string tags"},
    "ClaimSpec": {3: "string volume", 5: "string storage_class"},
    "Object": {1: "Metadata metadata"},
    "Container": {1: "string type", 2: "string id", 3: "string name", 4: "string image", 26: "repeated string tags"},
    "Process": {2: "int32 pid", 4: "Command command", 14: "string container_id"},
    "Command": {1: "repeated string args", 8: "string exe"},
    "Connection": {
        1: "int32 pid",
        5: "Address local",
        6: "Address remote",
        16: "uint64 bytes_sent",
        17: "uint64 bytes_received",
    },
    "Address": {2: "string ip", 3: "int32 port", 5: "string container_id"},
}


def _declare() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="meshproof/intake.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        declared = file.message_type.add(name=name)
        for number, text in fields.items():
            *qualifiers, kind, field_name = text.split()
            field = declared.field.add(name=field_name, number=number)
            field.label = _Field.LABEL_REPEATED if "repeated" in qualifiers else _Field.LABEL_OPTIONAL
            if kind in _MESSAGES:
                field.type = _Field.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{kind}"
            else:
                field.type = _Field.Type.Value(f"TYPE_{kind.upper()}")
            if "oneof" in qualifiers:
                if not declared.oneof_decl:
                    declared.oneof_decl.add(name="value")
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


_POOL = _declare()
_CLASSES: dict[str, Any] = {
    name: message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
}


def message(name: str) -> Any:
    """The class of the message `name`, for parsing (FromString) and, in tests and benchmarks, for making payloads."""
    return _CLASSES[name]
