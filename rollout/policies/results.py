"""What tools answer, read from their text: search hits, opened pages, links, errors. Nothing here raises.

Fields are read by their names; `loose` reading goes by what values look like, for a tool whose fields were renamed or
whose answer was cut off.
"""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_KEY = re.compile(r"web_[0-9a-f]{8}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_HEAD = re.compile(r"^\[(\S{1,2000}?)\] (.*)\ncite: (web_[0-9a-f]{8})(.*)$", re.MULTILINE)
_ERROR = re.compile(r"^\[(\S{1,2000}?)\] (error -1: .*)$", re.MULTILINE)
_CUT = re.compile(r"\n?\[cut at \d+ of \d+ characters; the whole text is the file ([^\]\n]+)\]\s*\Z")
_AFTER = re.compile(r"retry.after:?\s+(\d+(?:\.\d+)?)", re.IGNORECASE)
_OBJECT = re.compile(r"\{[^{}]*\}")
_UNKNOWN = re.compile(r"\bunknown argument\b.*Known: ([^.]*)\.")


@dataclass(frozen=True, slots=True)
class Found:
    """A search hit as an agent reads it."""

    url: str
    title: str = ""
    snippet: str = ""
    cite: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened page.

    Attributes:
        captures: Dates of its other captures.
        file: Where the whole text lies, if it was cut.
    """

    url: str
    title: str = ""
    cite: str = ""
    date: str = ""
    captures: tuple[str, ...] = ()
    text: str = ""
    file: str = ""

    @property
    def host(self) -> str:
        return host(self.url)

    @property
    def name(self) -> str:
        """What the page is about, by its title without the site's name."""
        return re.split(r"\s+[-–—|·]\s+|\s*\|\s*", self.title, maxsplit=1)[0].strip() or self.title

    def whole(self, text: str) -> "Opened":
        """The page with its whole text."""
        return replace(self, text=text, file="")


def host(url: str) -> str:
    """Host of a URL; empty for what is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


class Block(NamedTuple):
    """What one query got: its hits, and what went wrong."""

    hits: list[Found]
    error: str = ""


def read_hits(text: str, loose: bool = False) -> list[Block]:
    """Hits by query, in the order of the result."""
    try:
        blocks = json.loads(text)
    except (ValueError, RecursionError):
        rows = [_parsed(piece) for piece in _OBJECT.findall(text)] if loose else []
        hits = [found for row in rows if (found := _by_shape(row))]
        return [Block(hits, "" if hits else text[:2_000])]
    if not isinstance(blocks, list):
        blocks = [blocks]
    return [Block(_hits(block, loose), str(block.get("error") or "")) for block in blocks if isinstance(block, dict)]


def _hits(block: dict[str, Any], loose: bool) -> list[Found]:
    rows = block.get("results")
    if loose and not isinstance(rows, list):
        rows = next((value for value in block.values() if isinstance(value, list)), [])
    hits = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            continue
        found = _by_name(row)
        hits.append(_by_shape(row) if loose and not found.url.startswith("http") else found)
    return [found for found in hits if found is not None and found.url]


def _by_name(row: dict[str, Any]) -> Found:
    url, title, snippet, cite, date, content = (
        str(row.get(name) or "") for name in ("url", "title", "snippet", "cite", "date", "content")
    )
    return Found(url, title, max(snippet, content, key=len), cite, date)


def _by_shape(row: Any) -> Found | None:
    """A hit by what its values look like: an address, a key, a date, and of the rest the longest is the snippet."""
    values = [value for value in row.values() if isinstance(value, str)] if isinstance(row, dict) else []
    url = next((value for value in values if re.match(r"https?://\S+$", value)), "")
    if not url:
        return None
    rest = [value for value in values if value != url and not _KEY.fullmatch(value) and not _DATE.match(value)]
    snippet = max(rest, key=len, default="")
    title = next((value for value in rest if value != snippet), "")
    cite = next((value for value in values if _KEY.fullmatch(value)), "")
    return Found(url, title, snippet, cite, next((value for value in values if _DATE.match(value)), ""))


def _parsed(piece: str) -> Any:
    try:
        return json.loads(piece)
    except (ValueError, RecursionError):
        return None


def read_pages(text: str) -> list[Opened]:
    """The pages in the result of opening some; those that failed are left out."""
    marks = sorted([*_HEAD.finditer(text), *_ERROR.finditer(text)], key=lambda mark: mark.start())
    pages = []
    for mark, after in zip(marks, [*marks[1:], None], strict=False):
        if mark.re is _ERROR:
            continue
        body = text[mark.end() : after.start() if after else len(text)].strip("\n")
        cut = _CUT.search(body)
        dates = _DATE.findall(mark[4])
        captured = dates[0] if "captured:" in mark[4] and dates else ""
        others = tuple(dates[1:])
        pages.append(
            Opened(
                mark[1],
                mark[2].strip(),
                mark[3],
                captured,
                others,
                body[: cut.start()] if cut else body,
                cut[1] if cut else "",
            )
        )
    return pages


def failures(text: str) -> dict[str, str]:
    """What went wrong, by URL for pages that did not come in the end, and under "" for a search or a whole call."""
    had = {mark[1] for mark in _HEAD.finditer(text)}
    bad = {mark[1]: mark[2] for mark in _ERROR.finditer(text) if mark[1] not in had}
    if not bad and not had and (text.startswith("Error") or '"error"' in text[:200_000] or "error -1:" in text):
        bad[""] = text[:2_000]
    return bad


def retry_after(text: str) -> float | None:
    """The longest of the waits in seconds that a text asks for."""
    waits = [float(seconds) for seconds in _AFTER.findall(text)]
    return max(waits) if waits else None


def known_arguments(text: str) -> list[str] | None:
    """Arguments that a tool knows, if a result says that it does not know another."""
    match = _UNKNOWN.search(text[:2_000])
    return [name.strip() for name in match[1].split(",")] if match else None


def read_links(text: str) -> list[tuple[str, str]]:
    """Links as (url, text)."""
    rows = [_parsed(line) for line in text.splitlines() if line.startswith("{")]
    return [(str(row["url"]), str(row.get("text") or "")) for row in rows if isinstance(row, dict) and row.get("url")]
