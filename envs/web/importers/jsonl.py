"""JSONL of pages: one JSON object a line, plain or gzip.

Fields: `url`, and `text` or `html`; optional `title`, `date`, `links` (URLs, or objects with `url` and `text`). Others
are ignored.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from murk.envs.web.importers import Limits, Raw, Skip
from murk.envs.web.importers.streams import lines, open_stream
from murk.envs.web.urls import parse_date


class JsonlImporter:
    """Reads `.jsonl` and `.jsonl.gz`."""

    def accepts(self, path: Path, head: bytes) -> bool:
        return path.is_file() and path.name.endswith((".jsonl", ".jsonl.gz"))

    def read(self, path: Path, limits: Limits) -> Iterator[Raw | Skip]:
        stream, problems = open_stream(path, limits)
        with stream:
            for number, line in enumerate(lines(stream, limits.record_bytes), 1):
                if isinstance(line, Skip):
                    yield line
                elif line.strip():
                    yield _page(line, f"line {number}")
        yield from problems


def _page(line: bytes, where: str) -> Raw | Skip:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Skip("bad-json", f"{where}: {str(error)[:100]}")
    if not isinstance(data, dict) or not isinstance(data.get("url"), str):
        return Skip("no-url", where)
    body = data.get("text", data.get("html"))
    if not isinstance(body, str):
        return Skip("no-body", where)
    try:
        date = parse_date(str(data.get("date") or ""))
        links = _links(data.get("links"))
    except ValueError as error:
        return Skip("bad-date" if "date" in str(error) else "bad-links", f"{where}: {error}")
    title = data.get("title")
    media = "text/plain" if "text" in data else "text/html"
    return Raw(data["url"], body, media, "", date, title if isinstance(title, str) else "", links)


def _links(value: Any) -> tuple[tuple[str, str], ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError("links are not a list")
    found = []
    for item in value:
        href = item.get("url") if isinstance(item, dict) else item
        text = item.get("text", "") if isinstance(item, dict) else ""
        if not isinstance(href, str) or not isinstance(text, str):
            raise ValueError(f"not a link: {str(item)[:80]}")
        found.append((href, text))
    return tuple(found)
