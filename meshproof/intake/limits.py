"""What the intake holds at most: every bound in one place, reported by the status page."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Limits"]

_MIB = 1024 * 1024


class Limits(BaseModel):
    """Bytes and counts. What is over a bound is refused (413, 503) or, in the index, pushes out the oldest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body: int = Field(default=16 * _MIB, description="bytes of one request body as it is sent")
    expanded: int = Field(default=32 * _MIB, description="bytes of one request body after decompression")
    items: int = Field(default=100_000, description="spans, lines, points or documents in one payload")
    in_flight: int = Field(
        default=64 * _MIB, description="bytes that are received and not yet on disk, of all requests"
    )
    backlog: int = Field(default=512 * _MIB, description="bytes on disk that are not yet searchable")
    index: int = Field(default=4096 * _MIB, description="bytes of the searchable store on disk")
    index_memory: int = Field(default=192 * _MIB, description="bytes of memory that the searchable store may use")
    attributes: int = Field(default=256, description="attribute names that are searchable, for each kind of event")
    kept_body: int = Field(default=64 * 1024, description="bytes kept of a payload that nobody here can read")
