"""`links`: the hyperlinks of a page, to walk from one page to the next."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from murk.envs.citations import cite_key
from murk.envs.desk import Desk, named
from murk.envs.records import Failure, LinkList, Links
from murk.envs.settings import check_range
from murk.envs.web.urls import dated


@dataclass(frozen=True, slots=True)
class LinksTool:
    """Lists links. `inline` is the number of characters shown, from 0; the whole list is kept as a file."""

    inline: int = 4_096

    def __post_init__(self) -> None:
        check_range("inline", self.inline, 0)

    instant = True
    description = "List the hyperlinks of a page with their texts, in the order of the page."

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {
            "type": "object",
            "properties": {
                "url": {"type": "string", "description": "the page"},
                "at": {"type": "string", "description": "as it was at this date, YYYY-MM-DD"},
            },
            "required": ["url"],
        }

    def capability(self, arguments: Mapping[str, Any]) -> str:
        return "seek"

    def run(self, arguments: Mapping[str, Any], desk: Desk) -> str:
        answer = desk.ask(Links(arguments["url"], arguments.get("at")))
        if isinstance(answer, Failure):
            return f"Error: {answer.status or answer.kind} {answer.message}"
        assert isinstance(answer, LinkList)
        rows = [json.dumps({"url": link.url, "text": link.text}, ensure_ascii=False) for link in answer.links]
        text = f"{len(rows)} links of {answer.url}\n" + "\n".join(rows)
        at = arguments.get("at") or dated(arguments["url"])[1] or ""
        return desk.short(text, self.inline, f"links/{cite_key(answer.url)}{named(at[:40])}.txt")
