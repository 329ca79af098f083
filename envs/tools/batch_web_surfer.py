"""`batch_web_surfer`: several searches or several pages in one call (Step-DeepResearch, open tool of that name)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from murk.envs.citations import cite_key
from murk.envs.desk import Desk, named
from murk.envs.records import Failure, Hit, Hits, Open, Page, Response, Search
from murk.envs.settings import check_range

MAX_BATCH, MAX_TOPK = 20, 200
SHELVES = ("web", "authority", "library")


@dataclass(frozen=True, slots=True)
class BatchWebSurfer:
    """Searches and opens pages.

    Attributes:
        topk: Hits of one call over all its queries, where the agent does not say.
        inline: Characters of an opened page that are shown; the whole text is kept as a file.
        content: Characters of a hit's text that are shown beside its snippet, at most 1,024; 0 leaves it out.

    Raises:
        UsageError: a number is out of its range.
    """

    topk: int = 50
    inline: int = 4_096
    content: int = 1_024

    def __post_init__(self) -> None:
        check_range("topk", self.topk, 1, MAX_TOPK)
        check_range("inline", self.inline, 0)
        check_range("content", self.content, 0, 1_024)

    instant = True
    description = (
        "Search the web or open pages, several at once. action=batch_search takes queries; each may hold words, "
        '"a phrase", site:host and -word, and topk hits are shared out over them. action=batch_open takes urls. '
        "Cite a page as \\cite{its cite key} or as a Markdown link to its url."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {
            "type": "object",
            "properties": {
                "action": {"type": "string", "enum": ["batch_search", "batch_open"], "description": "what to do"},
                "queries": {"type": "array", "items": {"type": "string"}, "description": "what to search for"},
                "urls": {"type": "array", "items": {"type": "string"}, "description": "pages to open"},
                "topk": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_TOPK,
                    "default": self.topk,
                    "description": "hits over all queries",
                },
                "shelf": {"type": "string", "enum": list(SHELVES), "default": "web", "description": "where to search"},
                "at": {"type": "string", "description": "open pages as they were at this date, YYYY-MM-DD"},
            },
            "required": ["action"],
        }

    def capability(self, arguments: Mapping[str, Any]) -> str:
        return "seek"

    def run(self, arguments: Mapping[str, Any], desk: Desk) -> str:
        said = self.run_utf8(arguments, desk)
        return said.decode() if isinstance(said, bytes) else said

    def run_utf8(self, arguments: Mapping[str, Any], desk: Desk) -> str | bytes:
        name = "queries" if arguments["action"] == "batch_search" else "urls"
        items = list(filter(None, dict.fromkeys(map(str.strip, arguments.get(name, ())))))
        if not items:
            return f"Error: {arguments['action']} needs {name}, a list of at least one text."
        if len(items) > MAX_BATCH:
            return f"Error: {len(items)} {name}; allowed are at most {MAX_BATCH} a call."
        if name == "queries":
            return self._search(items, arguments["topk"], arguments["shelf"], desk)
        return self._open(items, arguments.get("at"), desk)

    def _search(self, queries: Sequence[str], topk: int, shelf: str, desk: Desk) -> str | bytes:
        answers = desk.ask_all([Search(query, topk, shelf) for query in queries])
        blocks = []
        for query, answer, hits in zip(queries, answers, _shared_out(answers, topk), strict=True):
            block: dict[str, Any] = {"query": query, "results": self._rows(hits)}
            if not isinstance(answer, Hits):
                block["error"] = _failed(answer)
            blocks.append(block)
        return _json(blocks)

    def _rows(self, hits: Sequence[Hit]) -> list[dict[str, Any]]:
        rows, limit = [], self.content
        for hit in hits:
            row: dict[str, Any] = {
                "title": hit.title,
                "url": hit.url,
                "cite": cite_key(hit.url),
                "snippet": hit.snippet,
            }
            if content := hit.content[:limit]:
                row["content"] = content
            if hit.date:
                row["date"] = hit.date
            if hit.page is not None:
                row["page"] = hit.page
            rows.append(row)
        return rows

    def _open(self, urls: Sequence[str], at: str | None, desk: Desk) -> str:
        answers = desk.ask_all([Open(url, at) for url in urls])
        return "\n\n".join(self._page(url, answer, desk) for url, answer in zip(urls, answers, strict=True))

    def _page(self, url: str, answer: Response, desk: Desk) -> str:
        if not isinstance(answer, Page):
            return f"[{url[:300]}] {_failed(answer)}"
        key = cite_key(answer.url)
        name = f"pages/{key}{named(answer.date)}.md"
        head = f"[{answer.url}] {answer.title}\ncite: {key}"
        if answer.date:
            others = [date for date in answer.captures if date != answer.date]
            head += f"  captured: {answer.date}" + (f"  other captures: {', '.join(others[:12])}" if others else "")
        return f"{head}\n\n{desk.short(answer.text, self.inline, name, answer)}"


def _shared_out(answers: Sequence[Response], topk: int) -> Sequence[Sequence[Hit]]:
    """Each query gets topk // n hits, at least one while there are any left; what one leaves unused, and the remainder,
    go to those with more to give. A page is listed under the first query that found it."""
    found = [answer.hits if isinstance(answer, Hits) else () for answer in answers]
    if len(found) == 1:
        return [found[0][:topk]]
    quota, left = max(1, topk // len(found)), topk
    seen: set[str] = set()
    chosen: list[list[Hit]] = []
    spare: list[tuple[int, Hit]] = []
    for i, hits in enumerate(found):
        fresh = [hit for hit in hits if hit.url not in seen]
        chosen.append(fresh[: min(quota, left)])
        left -= len(chosen[i])
        seen.update(hit.url for hit in chosen[i])
        spare += [(i, hit) for hit in fresh[quota:]]
    for i, hit in spare:
        if not left:
            break
        if hit.url not in seen:
            left -= 1
            seen.add(hit.url)
            chosen[i].append(hit)
    return chosen


def _failed(answer: Response) -> str:
    if not isinstance(answer, Failure):
        return "error -1: no usable answer"
    after = f"; retry after {answer.retry_after:g} s" if answer.retry_after is not None else ""
    return f"error -1: {answer.status or answer.kind} {answer.message}{after}"


def _json(value: object) -> str | bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a world has given text that cannot be encoded: lone surrogates
        return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
