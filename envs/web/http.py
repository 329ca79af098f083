"""HTTP payloads from archives: headers, transfer and content encodings, character sets. All bounded, none trusted."""

import re
import zlib
from collections.abc import Mapping
from email.message import Message

import webencodings

from murk.envs.web.importers import Skip

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"\s*([0-9A-Fa-f]{1,8})[^\r\n]{0,200}\r?\n")
_BAD = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]")
_BAD_SHARE = 0.05


def media_type(header: str) -> tuple[str, str]:
    """Media type and character set of a Content-Type header.

    >>> media_type('Text/HTML; charset="UTF-8"')
    ('text/html', 'UTF-8')
    """
    message = Message()
    message["content-type"] = re.sub(r"[\x00-\x1f]", " ", header[:200])
    charset = message.get_param("charset")
    media = header.split(";", 1)[0].strip().lower()
    return (media if "/" in media else ""), charset if isinstance(charset, str) else ""


def split_response(block: bytes) -> tuple[int, dict[str, str], bytes] | None:
    """Status, headers (lower-case names) and body of a raw HTTP response; None where it is not one."""
    match = re.match(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})[^\r\n]*\r?\n", block[:1000])
    if not match:
        return None
    end = re.compile(rb"\r?\n\r?\n").search(block, match.end() - 2, match.end() + 65_536)
    head = block[match.end() : end.start() if end else match.end() + 65_536].decode("latin-1")
    headers: dict[str, str] = {}
    for line in head.splitlines()[:500]:
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers.setdefault(name.strip().lower(), value.strip())
    return int(match[1]), headers, block[end.end() :] if end else b""


def decode_body(headers: Mapping[str, str], body: bytes, limit: int) -> bytes | Skip:
    """Undoes chunks and compression, within `limit` bytes."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _dechunk(body)
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity") or (coding in ("gzip", "x-gzip") and body[:2] != b"\x1f\x8b"):
        return body if len(body) <= limit else Skip("oversized", f"more than {limit} bytes")
    if coding in ("gzip", "x-gzip", "deflate"):
        return _inflate(body, limit)
    return _unbrotli(body, limit) if coding == "br" else Skip("unsupported-encoding", coding[:40])


def _dechunk(body: bytes) -> bytes:
    """The data of a chunked body; a body that is not chunked, as some crawlers leave it, is returned as it is."""
    out, at = [], 0
    while match := _CHUNK_SIZE.match(body, at):
        size = int(match[1], 16)
        if not size:
            break
        out.append(body[match.end() : match.end() + size])
        at = match.end() + size
        at += 2 if body[at : at + 2] == b"\r\n" else 1 if body[at : at + 1] == b"\n" else 0
    return b"".join(out) if out else body


def _inflate(body: bytes, limit: int) -> bytes | Skip:
    for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):  # gzip or zlib by their header, then raw deflate
        stream = zlib.decompressobj(window)
        try:
            data = stream.decompress(body, limit + 1)
        except zlib.error:
            continue
        if len(data) > limit:
            return Skip("zip-bomb", f"{len(body)} bytes grow beyond {limit}")
        return data if stream.eof or data else Skip("truncated", "compressed body")
    return Skip("corrupt-encoding", "body is not what its content-encoding says")


def _unbrotli(body: bytes, limit: int) -> bytes | Skip:
    import brotli

    try:
        stream = brotli.Decompressor()
        data = stream.process(body, output_buffer_limit=limit + 1)
        while len(data) <= limit and not stream.can_accept_more_data() and not stream.is_finished():
            data += stream.process(b"", output_buffer_limit=limit + 1 - len(data))
    except brotli.error:
        return Skip("corrupt-encoding", "brotli")
    return bytes(data) if len(data) <= limit else Skip("zip-bomb", f"{len(body)} bytes grow beyond {limit}")


def decode_text(body: bytes, declared: str = "") -> str | Skip:
    """Text of a body: by byte-order mark, declared character set, `<meta charset>`, UTF-8, then windows-1252, as
    browsers do (WHATWG encoding labels). A text that is more than 5 % undecodable is refused."""
    labels = [declared]
    if match := _META_CHARSET.search(body, 0, 4096):
        labels.append(match[1].decode("ascii"))
    for label in labels:
        encoding = webencodings.lookup(label) if label else None
        if encoding is not None:
            text, _ = webencodings.decode(body, encoding, errors="replace")
            if not _is_bad(text):
                return str(text)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text, _ = webencodings.decode(body, webencodings.lookup("windows-1252"), errors="replace")
    return Skip("mis-encoded", f"as {declared or 'windows-1252'}") if _is_bad(text) else str(text)


def _is_bad(text: str) -> bool:
    """Undecodable or binary: more than a small share are replacement or control characters."""
    return len(_BAD.findall(text)) > _BAD_SHARE * len(text)
