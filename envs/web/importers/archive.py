"""What WARC and ARC have in common: framed records of HTTP responses.

The framing is read here rather than by a library because a build must stay within its memory and go on after a broken
record: the libraries at hand read a header line of any length into memory, and stop at the first error.
"""

import io
from base64 import b32encode
from hashlib import md5, sha1, sha256

from murk.envs.web.http import decode_body, media_type, split_response
from murk.envs.web.importers import Limits, Raw, Skip

LINE = 16_384
_READABLE = ("text/", "application/pdf", "application/xhtml+xml", "message/")


def read_block(stream: io.BufferedReader, length: int, limit: int) -> bytes | Skip:
    """The next `length` bytes; beyond `limit` they are passed over, not held."""
    if length <= limit:
        data = stream.read(length)
        return data if len(data) == length else Skip("truncated", f"{len(data)} of {length} bytes")
    left = length
    while left > 0 and (data := stream.read(min(left, 1 << 20))):
        left -= len(data)
    return Skip("oversized", f"record of {length} bytes") if not left else Skip("truncated", f"{left} bytes short")


def http_capture(url: str, date: int, block: bytes, limits: Limits) -> Raw | Skip:
    """A capture from a raw HTTP response. Only answers with status 200 to 299 and readable types count."""
    response = split_response(block)
    if response is None:
        return Skip("not-http", url[:200])
    status, headers, body = response
    if not 200 <= status < 300:
        return Skip(f"status-{status // 100}xx", f"{status} {url[:200]}")
    media, charset = media_type(headers.get("content-type", ""))
    if media and not media.startswith(_READABLE):
        return Skip("unsupported-type", f"{media[:60]} {url[:200]}")
    decoded = decode_body(headers, body, limits.record_bytes)
    return decoded if isinstance(decoded, Skip) else Raw(url, decoded, media, charset, date)


def digest_matches(declared: str, data: bytes) -> bool:
    """Whether a `sha1:BASE32` style digest is that of the data; one of an unknown kind counts as right."""
    name, _, value = declared.partition(":")
    kind = {"sha1": sha1, "sha-1": sha1, "sha256": sha256, "sha-256": sha256, "md5": md5}.get(name.strip().lower())
    if kind is None:
        return True
    actual = kind(data, usedforsecurity=False)
    value = value.strip().rstrip("=")
    return value.upper() == b32encode(actual.digest()).decode().rstrip("=") or value.lower() == actual.hexdigest()
