"""Request bodies: decompressed within a bound, so that a small body cannot become a large one."""

from __future__ import annotations

import zlib

import zstandard

from meshproof.intake.rejections import Rejected, malformed, too_large

__all__ = ["expand"]

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS
_ZSTD_WINDOW = 8 * 1024 * 1024


def expand(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding: zstd, gzip, deflate (zlib or raw), identity.

    Raises Rejected: 415 for another encoding, 400 for a damaged or truncated body, 413 for more than `limit` bytes.
    """
    match encoding.strip().lower():
        case "" | "identity":
            expanded = body
        case "gzip" | "x-gzip":
            expanded = _inflate(body, _GZIP_OR_ZLIB, limit)
        case "deflate":
            zlib_header = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
            expanded = _inflate(body, _GZIP_OR_ZLIB if zlib_header else _RAW_DEFLATE, limit)
        case "zstd":
            expanded = _unzstd(body, limit)
        case other:
            raise Rejected(415, "encoding", f"Content-Encoding {other[:40]!r}: use zstd, gzip, deflate or identity")
    if len(expanded) > limit:
        raise too_large(f"the payload has more than {limit} bytes")
    return expanded


def _inflate(body: bytes, window: int, limit: int) -> bytes:
    parts: list[bytes] = []
    room = limit + 1
    rest = body
    while True:
        inflater = zlib.decompressobj(window)
        try:
            part = inflater.decompress(rest, room)
        except zlib.error as error:
            raise malformed(f"compressed body: {error}") from error
        parts.append(part)
        room -= len(part)
        if room <= 0:
            raise too_large(f"the payload has more than {limit} bytes")
        if not inflater.eof:
            raise malformed("compressed body: it is truncated")
        rest = inflater.unused_data
        if not rest or not part:  # gzip may have several members
            return b"".join(parts)


def _unzstd(body: bytes, limit: int) -> bytes:
    try:
        declared = zstandard.frame_content_size(body)
        if declared > limit:
            raise too_large(f"the payload has more than {limit} bytes")
        inflater = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        if declared >= 0:
            return inflater.decompress(body, allow_extra_data=False)
        # The frame does not say its size: it is read up to the bound, then it has to be at its end.
        return _unzstd_of_unknown_size(inflater, body, limit)
    except zstandard.ZstdError as error:
        raise malformed(f"compressed body: {error}") from error


def _unzstd_of_unknown_size(inflater: zstandard.ZstdDecompressor, body: bytes, limit: int) -> bytes:
    with inflater.stream_reader(body) as reader:
        expanded = reader.read(limit + 1)
    if len(expanded) > limit:
        raise too_large(f"the payload has more than {limit} bytes")
    whole = inflater.decompressobj()
    # Known to be small by now; only decompressobj tells whether the frame is complete.
    whole.decompress(body)
    if not whole.eof:
        raise malformed("compressed body: it is truncated")
    return expanded
