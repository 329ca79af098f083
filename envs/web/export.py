"""Writes a snapshot as WACZ 1.1.1, so that a web-archive player shows what the agent saw, and murk reads it again.

Each capture becomes a `response` record (its text rendered as plain HTML, for players) and a `conversion` record (the
text itself with title and links, which the importer takes instead, so that a round trip changes nothing). The same
snapshot gives the same bytes.
"""

import gzip
import html
import io
import json
import re
import zipfile
from base64 import b32encode
from collections.abc import Callable
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

from murk.envs.errors import UsageError
from murk.envs.web.document import Document
from murk.envs.web.importers.warc import CONVERSION
from murk.envs.web.snapshot import Snapshot
from murk.envs.web.urls import format_date

_EPOCH = (1980, 1, 1, 0, 0, 0)
_Progress = Callable[[str, int, int], None]


def export_wacz(snapshot: Snapshot, path: Path, progress: _Progress = lambda stage, done, total: None) -> int:
    """Writes all captures to a WACZ file and returns their number.

    Raises:
        UsageError: the file exists already or cannot be written.
    """
    if path.exists():
        raise UsageError(f"{path} exists already; remove it or choose another name.")
    partial = path.with_name(f".{path.name}.partial")
    index: list[str] = []
    pages: list[dict[str, str]] = []
    try:
        with zipfile.ZipFile(partial, "w") as archive:
            with archive.open(_entry("archive/data.warc.gz"), "w", force_zip64=True) as file:
                offset = 0
                for document in snapshot.documents():
                    records = _records(document, offset, index, pages)
                    file.write(records)
                    offset += len(records)
                    progress("exporting", len(pages), int(snapshot.info["captures"]))
            _write_indexes(archive, index, pages)
            _write_package(archive)
        partial.rename(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}.") from None
    finally:
        partial.unlink(missing_ok=True)
    return len(pages)


def _records(document: Document, offset: int, index: list[str], pages: list[dict[str, str]]) -> bytes:
    """The records of a capture, which begin at a byte offset; adds it to the indexes."""
    day = format_date(document.date) or "1970-01-01"
    date = day if "T" in day else f"{day}T00:00:00Z"
    body = _as_html(document).encode("utf-8", "replace")
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(body)
    identity = _identity("response", document)
    extra = [("Murk-Conversion", "follows")]
    media = "application/http; msgtype=response"
    response = _record("response", document.url, date, identity, media, block + body, extra)
    digest = f"sha1:{b32encode(sha1(body, usedforsecurity=False).digest()).decode()}"
    entry = {"url": document.url, "mime": "text/html", "status": "200", "digest": digest, "length": str(len(response))}
    entry |= {"offset": str(offset), "filename": "data.warc.gz"}
    index.append(f"{_surt(document.url)} {re.sub('[^0-9]', '', date)} {json.dumps(entry)}")
    head = {"title": document.title, "links": document.links, "pages": document.pages, "undated": not document.date}
    text = json.dumps(head).encode() + b"\n" + document.text.encode("utf-8", "replace")
    extra = [("WARC-Refers-To", identity)]
    pages.append({"id": identity[10:-1], "url": document.url, "ts": date, "title": document.title})
    own = _identity("conversion", document)
    return response + _record("conversion", document.url, date, own, CONVERSION, text, extra)


def _write_indexes(archive: zipfile.ZipFile, index: list[str], pages: list[dict[str, str]]) -> None:
    head = {"format": "json-pages-1.0", "id": "pages", "title": "All Pages"}
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [head, *pages])
    archive.writestr(_entry("pages/pages.jsonl"), lines.encode("utf-8", "replace"))
    archive.writestr(_entry("indexes/index.cdx"), "".join(line + "\n" for line in sorted(index)))


def _write_package(archive: zipfile.ZipFile) -> None:
    """The list of files with their digests, read back from the zip."""
    resources = []
    for info in archive.infolist():
        digest, size = sha256(), 0
        with archive.open(info) as file:
            while block := file.read(1 << 20):
                digest.update(block)
                size += len(block)
        name = info.filename.rsplit("/", 1)[-1]
        resources.append({"name": name, "path": info.filename, "hash": f"sha256:{digest.hexdigest()}", "bytes": size})
    package = {"profile": "data-package", "resources": resources, "wacz_version": "1.1.1", "software": "murk"}
    data = json.dumps(package, indent=1).encode()
    archive.writestr(_entry("datapackage.json"), data)
    seal = {"path": "datapackage.json", "hash": f"sha256:{sha256(data).hexdigest()}"}
    archive.writestr(_entry("datapackage-digest.json"), json.dumps(seal))


def _record(kind: str, url: str, date: str, identity: str, media: str, block: bytes, extra: Any = ()) -> bytes:
    """One WARC 1.1 record as a gzip member without a time stamp."""
    digest = b32encode(sha1(block, usedforsecurity=False).digest()).decode()
    headers = [("WARC-Type", kind), ("WARC-Record-ID", identity), ("WARC-Date", date), ("WARC-Target-URI", url)]
    headers += [*extra, ("WARC-Block-Digest", f"sha1:{digest}"), ("Content-Type", media)]
    headers += [("Content-Length", str(len(block)))]
    head = "WARC/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    target = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0, compresslevel=6) as member:
        member.write(head.encode() + block + b"\r\n\r\n")
    return target.getvalue()


def _as_html(page: Document) -> str:
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(page.text)
    title = html.escape(page.title)
    return f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title></head><body>{body}</body></html>'


def _identity(kind: str, page: Document) -> str:
    """A record's name, made from its content: a UUID in form, as players expect."""
    h = sha256(f"{kind} {page.url} {page.date}".encode("utf-8", "replace")).hexdigest()
    return f"<urn:uuid:{h[:8]}-{h[8:12]}-5{h[13:16]}-8{h[17:20]}-{h[20:32]}>"


def _surt(url: str) -> str:
    """The sort key of CDX indexes: host labels reversed, then the path."""
    rest = url.split("://", 1)[1]
    host, _, path = rest.partition("/")
    name, colon, port = host.partition(":")
    return f"{','.join(reversed(name.split('.')))}{colon}{port})/{path}".lower()


def _entry(name: str) -> zipfile.ZipInfo:
    """A stored (not compressed) entry with a fixed time, as WACZ asks for and determinism needs."""
    return zipfile.ZipInfo(name, _EPOCH)
