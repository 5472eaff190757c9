"""What is neither span, log nor metric, kept as documents: inventory, check runs, events, metadata, profiles.

Processes, containers, connections and the orchestrator's objects come in frames of their own (DataDog/agent-payload
v5.0.215, process/message.go): a header with version, encoding and message type, then protobuf, mostly zstd.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError

from meshproof.intake.bodies import expand
from meshproof.intake.rejections import at_most, malformed
from meshproof.intake.rows import tag_text
from meshproof.intake.wire import message

__all__ = ["Document", "frame_documents", "json_documents", "process_reply", "profile_document", "raw_document"]

# kind, host, name, tags, content
Document = tuple[str, str, str, str, str]

_HEADER_SIZES = {1: 4, 2: 8, 3: 16}
_ENCODINGS = {0: "", 2: "zstd", 4: "zstd", 5: "zstd"}
_REPLY = 23
_MANIFESTS = {80: "Items5", 81: "Wrapped", 82: "Wrapped"}
# Message type: kind of document, message that holds the items, message of an item.
_COLLECTORS = {
    12: ("process", "Items3", "Process"),
    22: ("connection", "Connections", "Connection"),
    39: ("container", "Items3", "Container"),
    41: ("pod", "Items6", "Pod"),
    42: ("replica-set", "Items5", "ReplicaSet"),
    43: ("deployment", "Items5", "Deployment"),
    44: ("service", "Items5", "Service"),
    45: ("node", "Items5", "Node"),
    48: ("cron-job", "Items5", "Object"),
    47: ("job", "Items5", "Object"),
    49: ("daemon-set", "Items5", "DaemonSet"),
    50: ("stateful-set", "Items5", "StatefulSet"),
    51: ("persistent-volume", "Items5", "Volume"),
    52: ("persistent-volume-claim", "Items5", "Claim"),
    61: ("namespace", "Items5", "Namespace"),
}


def frame_documents(body: bytes, limit: int, most: int) -> list[Document]:
    """One document for each item of a framed message; a message type that is not known gives one without items."""
    if body.strip() == b"{}":
        return []
    if len(body) < 4 or body[0] not in _HEADER_SIZES or len(body) < _HEADER_SIZES[body[0]]:
        raise malformed("no process frame: the header is missing or of an unknown version")
    encoding, kind_number = body[1], body[2]
    if encoding not in _ENCODINGS:
        raise malformed(f"process frame: encoding {encoding} is not protobuf")
    content = expand(body[_HEADER_SIZES[body[0]] :], _ENCODINGS[encoding], limit)
    try:
        if kind_number in _MANIFESTS:
            return _manifests(content, _MANIFESTS[kind_number], most)
        if kind_number in _COLLECTORS:
            return _items(content, *_COLLECTORS[kind_number], most)
        message("Wrapped").FromString(content)
    except DecodeError as error:
        raise malformed(error) from error
    return [(f"frame-{kind_number}", "", "", "", json.dumps({"bytes": len(content)}))]


def _manifests(content: bytes, holder: str, most: int) -> list[Document]:
    if holder == "Wrapped":
        content = message("Wrapped").FromString(content).inner
    packed = message("Items5").FromString(content).items
    at_most(most, len(packed), "items")
    documents = []
    for item in packed:
        manifest = message("Manifest").FromString(item)
        text = manifest.content.decode(errors="replace")
        name = _manifest_name(text)
        documents.append(("manifest", manifest.node_name, f"{manifest.kind}/{name}", tag_text(manifest.tags), text))
    return documents


def _manifest_name(text: str) -> str:
    try:
        metadata = json.loads(text)["metadata"]
        return "/".join(filter(None, (metadata.get("namespace"), metadata.get("name"))))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def _items(content: bytes, kind: str, holder: str, item_type: str, most: int) -> list[Document]:
    held = message(holder).FromString(content)
    at_most(most, len(held.items), "items")
    host = getattr(held, "host_name", "") or getattr(held, "other_host_name", "")
    return [_item(kind, host, message(item_type).FromString(packed)) for packed in held.items]


def _item(kind: str, host: str, item: Any) -> Document:
    tags: Sequence[str] = getattr(item, "tags", ())
    content: dict[str, object]
    if kind == "process":
        name = item.command.exe or " ".join(item.command.args[:1])
        content = {"pid": item.pid, "args": list(item.command.args), "container_id": item.container_id}
    elif kind == "connection":
        ends = (item.local, item.remote)
        name = "->".join(f"{end.ip}:{end.port}" for end in ends)
        content = {"pid": item.pid, "bytes_sent": item.bytes_sent, "bytes_received": item.bytes_received}
        content |= {"local": name.split("->")[0], "remote": name.split("->")[1]}
    elif kind == "container":
        name = item.name or item.id
        content = {"id": item.id, "image": item.image, "type": item.type}
    else:
        metadata = item.metadata
        name = "/".join(filter(None, (metadata.namespace, metadata.name)))
        content = {"name": metadata.name, "namespace": metadata.namespace, "uid": metadata.uid}
        content |= {"labels": list(metadata.labels), **_state(kind, item)}
        host = host or (item.node_name if kind == "pod" else metadata.name if kind == "node" else "")
        tags = [*tags, *(f"{tag}:{content[tag]}" for tag in ("phase", "status") if content.get(tag))]
    return kind, host, name, tag_text(tags), json.dumps(content)


def _state(kind: str, item: Any) -> dict[str, object]:
    """What is told of an object of the orchestrator beside its metadata."""
    match kind:
        case "pod":
            return {"phase": item.phase, "status": item.status, "node": item.node_name}
        case "node":
            return {"status": item.status.status, "kubelet": item.status.kubelet_version}
        case "namespace":
            return {"status": item.status}
        case "service":
            addresses = list(item.status.load_balancer)
            return {"type": item.spec.type, "cluster_ip": item.spec.cluster_ip, "load_balancer": addresses}
        case "deployment" | "replica-set":
            return {"desired": item.desired, "replicas": item.replicas, "ready": item.ready}
        case "daemon-set":
            return {"desired": item.status.desired, "ready": item.status.ready}
        case "stateful-set":
            return {"desired": item.spec.desired, "replicas": item.status.replicas, "ready": item.status.ready}
        case "persistent-volume":
            claim = "/".join(filter(None, (item.spec.claim.namespace, item.spec.claim.name)))
            return {"phase": item.status.phase, "claim": claim, "storage_class": item.spec.storage_class}
        case "persistent-volume-claim":
            volume, storage_class = item.spec.volume, item.spec.storage_class
            return {"phase": item.status.phase, "volume": volume, "storage_class": storage_class}
        case _:
            return {}


def process_reply(interval: int = 2) -> bytes:
    """The framed ResCollector that collectors want as an answer."""
    reply = message("ProcessReply")()
    reply.header.type = _REPLY
    reply.status.active_clients = 0
    reply.status.interval = interval
    return bytes([3, 0, _REPLY]) + bytes(13) + bytes(reply.SerializeToString())


def json_documents(kind: str, parsed: Any, most: int) -> list[Document]:
    """One document for each object of a JSON array, or one for an object; an empty object, a probe, gives none."""
    items = parsed if isinstance(parsed, list) else [parsed] if parsed else []
    at_most(most, len(items), "items")
    documents: list[Document] = []
    for item in items:
        if not isinstance(item, dict):
            raise malformed(f"{kind}: an item that is not an object")
        named = (item.get(key) for key in ("host_name", "hostname", "internalHostname", "host"))
        host = next(filter(None, named), "")
        name = next(filter(None, (item.get(key) for key in ("check", "title", "msg_title", "uuid"))), "")
        tags = item.get("tags")
        text = tag_text([str(tag) for tag in tags]) if isinstance(tags, list) else ""
        documents.append((kind, str(host), str(name), text, json.dumps(item)))
    return documents


def profile_document(event: dict[str, Any], attachments: list[str]) -> Document:
    profiled = str(event.get("tags_profiler") or "").split(",")
    service = next((tag.partition(":")[2] for tag in profiled if tag.startswith("service:")), "")
    host = next((tag.partition(":")[2] for tag in profiled if tag.startswith("host:")), "")
    return "profile", host, service, tag_text(profiled), json.dumps({"event": event, "attachments": attachments})


def raw_document(kind: str, body: bytes, content_type: str, kept: int) -> Document:
    """A payload that is kept as it is, at most `kept` bytes of it."""
    content = {"bytes": len(body), "content_type": content_type, "body": body[:kept].decode(errors="backslashreplace")}
    return kind, "", "", "", json.dumps(content)
