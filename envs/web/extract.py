"""From a body to readable, Markdown-like text with headings, tables, lists and link targets.

HTML goes through html-to-markdown, PDF through PDFium. Both are native code that reads hostile input: size and depth
are limited here, time and memory by the worker process that this runs in (`pool`).
"""

import html
import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from murk.envs.web.document import Document
from murk.envs.web.http import decode_text
from murk.envs.web.importers import Raw, Skip
from murk.envs.web.text import clean
from murk.envs.web.urls import canonical_url, parse_date, resolve

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

MAX_HTML_BYTES = 4 << 20
MAX_TEXT_BYTES = 16 << 20
MAX_DEPTH = 400
MAX_PDF_PAGES = 5_000
MAX_LINKS = 5_000
LONG_TEXT = 200_000
NOMINAL_PAGE = 3_000

_HTML = {"text/html", "application/xhtml+xml"}
_TEXT = {"text/plain", "text/markdown", "text/x-rst", "text/csv"}
_NOT_CONTENT = ["nav", "footer", "script", "style", "template", "[role=navigation]", "[role=search]", ".headerlink"]
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,1000})", re.IGNORECASE)
_HEADING = re.compile(r"^#{1,2} +(.{1,200})$", re.MULTILINE)
_BASE = re.compile(r"<base\s[^>]{0,200}?href\s*=\s*[\"']?([^\"'\s>]{1,2000})", re.IGNORECASE)
_LINK_TITLE = re.compile(r'(\]\([^()\s]{1,2000}(?:\([^()\s]{0,200}\)[^()\s]{0,200})?) "[^"\n]{0,500}"\)')
_LINE_END = re.compile(r"[ \t]+$", re.MULTILINE)
_GAP = re.compile(r"\n{3,}")


def extract(raw: Raw) -> Document | Skip:
    """Makes one capture readable, or says why it cannot be. Never raises for what the capture contains."""
    try:
        url = canonical_url(raw.url)
        date = parse_date(str(raw.date).zfill(14)) if raw.date else 0
    except ValueError as error:
        return Skip("bad-url" if "URL" in str(error) else "bad-date", f"{raw.url[:120]!r}: {error}")
    found = _read(raw, url)
    if isinstance(found, Skip):
        return found
    title, text, links, pages = found
    if not text.strip():
        return Skip("no-text", url)
    title = " ".join(clean(raw.title or title or url).split())[:300]
    links = _tidy(url, links, own=False) if raw.links is None else _tidy(url, raw.links, own=True)
    return Document(url, title, text, links, date, pages)


_Found = tuple[str, str, tuple[tuple[str, str], ...], tuple[int, ...]]


def _read(raw: Raw, url: str) -> _Found | Skip:
    body = raw.body
    media = raw.media or _sniff(body)
    if media == "application/pdf" and isinstance(body, bytes):
        return _pdf(body)
    if media not in _HTML and media not in _TEXT:
        return Skip("unsupported-type", f"{media[:60]} {url}")
    if len(body) > (MAX_HTML_BYTES if media in _HTML else MAX_TEXT_BYTES):
        return Skip("oversized", f"{len(body)} bytes of {media} {url}")
    text = decode_text(body, raw.charset) if isinstance(body, bytes) else body
    if isinstance(text, Skip):
        return text
    if media in _HTML:
        return _html(text, url)
    text = _tidy_space(text)
    return "", text, (), _nominal_pages(text) if raw.pages is None else _tidy_pages(raw.pages, len(text))


def _sniff(body: bytes | str) -> str:
    head = body[:1000] if isinstance(body, str) else body[:1000].decode("latin-1")
    if head.startswith("%PDF-"):
        return "application/pdf"
    return "text/html" if re.search(r"<(!doctype html|html|head|body)\b", head, re.IGNORECASE) else "text/plain"


def _html(source: str, url: str) -> _Found | Skip:
    from html_to_markdown import ConversionOptions, PreprocessingOptions, convert

    base = _BASE.search(source)
    options = ConversionOptions(
        base_url=(resolve(url, base[1]) if base else None) or url,
        skip_images=True,
        compact_tables=True,
        autolinks=False,
        extract_metadata=True,
        max_depth=MAX_DEPTH,
        exclude_selectors=_NOT_CONTENT,
        preprocessing=PreprocessingOptions(preset="standard"),
    )
    try:
        result = convert(source, options)
    except Exception as error:  # the converter's errors share no public base class
        return Skip("broken-html", f"{type(error).__name__}: {error}"[:200])
    text = _LINK_TITLE.sub(r"\1)", _strip_front_matter(result.content or ""))
    text = _tidy_space(text)
    links = tuple((link.href, link.text) for link in result.metadata.links[: MAX_LINKS * 2])
    title = _TITLE.search(source)
    heading = _HEADING.search(text)
    return html.unescape(title[1]) if title else heading[1] if heading else "", text, links, _nominal_pages(text)


def _tidy_space(text: str) -> str:
    return _GAP.sub("\n\n", _LINE_END.sub("", clean(text))).strip("\n")


def _strip_front_matter(text: str) -> str:
    """Without the block of metadata that the converter puts in front."""
    if text.startswith("---\n"):
        end = text.find("\n---\n", 3)
        return text[end + 5 :] if end > 0 else text
    return text


def _pdf(body: bytes) -> _Found | Skip:
    import pypdfium2

    if len(body) > MAX_TEXT_BYTES:
        return Skip("oversized", f"{len(body)} bytes of PDF")
    try:
        document = pypdfium2.PdfDocument(body)
    except pypdfium2.PdfiumError as error:
        return Skip("broken-pdf", str(error)[:200])
    parts: list[str] = []
    starts: list[int] = []
    size = 0
    try:
        title = document.get_metadata_dict().get("Title", "")
        for i in range(min(len(document), MAX_PDF_PAGES)):
            text = _page_text(document, i)
            starts.append(size)
            parts.append(text + "\n\n")
            size += len(parts[-1])
            if size > MAX_TEXT_BYTES:
                return Skip("oversized", "text of PDF")
    finally:
        document.close()
    return clean(title), "".join(parts).rstrip(), (), tuple(starts)


def _page_text(document: "PdfDocument", number: int) -> str:
    """Text of a page; a page that PDFium cannot read is empty, the others still count."""
    import pypdfium2

    try:
        page = document[number]
        text = page.get_textpage().get_text_bounded()
    except pypdfium2.PdfiumError:
        return ""
    return clean(text.replace("\ufffe\r\n", "").replace("\ufffe\n", "").replace("\ufffe", ""))


def _nominal_pages(text: str) -> tuple[int, ...]:
    """A long text without pages of its own is given pages of about `NOMINAL_PAGE` characters, so that it can be cited;
    they begin after a space where there is one."""
    if len(text) <= LONG_TEXT:
        return ()
    starts = (
        text.rfind(" ", at - NOMINAL_PAGE // 2, at) + 1 or at for at in range(NOMINAL_PAGE, len(text), NOMINAL_PAGE)
    )
    return (0, *starts)


def _tidy_pages(pages: tuple[int, ...], length: int) -> tuple[int, ...]:
    """Page starts that a source gives, as they can be: ascending from 0, within the text, not too many."""
    return tuple(sorted({0, *(begin for begin in pages if 0 < begin < length)})[:MAX_PDF_PAGES]) if pages else ()


def _tidy(url: str, links: tuple[tuple[str, str], ...], own: bool) -> tuple[tuple[str, str], ...]:
    """Canonical targets, each once; `own` tells whether the page itself counts (in HTML that is a jump within it)."""
    seen: dict[str, str] = {}
    targets: dict[str, str | None] = {}  # documentation links to many places of few pages
    for href, text in links:
        bare = href.partition("#")[0]
        if bare not in targets:
            targets[bare] = resolve(url, bare) if len(bare) < 4096 else None
        target = targets[bare]
        if target and target not in seen and (own or target != url):
            seen[target] = " ".join(clean(text).split())[:200]
            if len(seen) >= MAX_LINKS:
                break
    return tuple(seen.items())


def pack(raw: Raw) -> bytes:
    """A capture as bytes, for `work`."""
    head = {"text": isinstance(raw.body, str), "url": raw.url, "media": raw.media, "charset": raw.charset}
    head |= {"date": raw.date, "title": raw.title, "links": raw.links, "pages": raw.pages}
    body = raw.body.encode("utf-8", "replace") if isinstance(raw.body, str) else raw.body
    return json.dumps(head).encode() + b"\n" + body


def work(item: bytes) -> bytes:
    """`extract` from bytes to bytes, as a worker process runs it."""
    line, _, body = item.partition(b"\n")
    head = json.loads(line)
    links, pages = head.pop("links"), head.pop("pages")
    raw = Raw(
        body=body.decode() if head.pop("text") else body,
        links=None if links is None else tuple((href, text) for href, text in links),
        pages=None if pages is None else tuple(pages),
        **head,
    )
    return json.dumps(asdict(extract(raw))).encode()


def unpack(reply: bytes) -> Document | Skip:
    """The result of `work`."""
    data = json.loads(reply)
    if "reason" in data:
        return Skip(**data)
    data["links"] = tuple((href, text) for href, text in data["links"])
    data["pages"] = tuple(data["pages"])
    return Document(**data)
