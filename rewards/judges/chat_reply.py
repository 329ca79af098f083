"""What a language model replied as a judge: its verdict and quotes, or none that can be read without guessing."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from murk.envs.dialects.loose_json import read_json
from murk.rewards.judges.report import plain

MOST_CHARS = 100_000
_MOST_OBJECTS = 20
_MOST_QUOTES = 10
_THOUGHT = "</think>"
_BRACE = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}]', re.S)
_GAP = re.compile(r"\.{3,}|…")


@dataclass(frozen=True, slots=True)
class Said:
    """A model's verdict.

    Attributes:
        word: `met`, `partial` or `unmet`.
        quotes: What it says that the report says.
        reason: Its reason.
    """

    word: str
    quotes: tuple[str, ...] = ()
    reason: str = ""


def read_reply(reply: str, words: Mapping[str, str]) -> Said | None:
    """The verdict in a reply; None where there is none, or several that differ.

    Mended are code fences, prose around the object, commas before a closing bracket, and Python's quotes. Thoughts up
    to `</think>` are passed over.

    Args:
        reply: What the model wrote.
        words: Allowed verdicts, and what they mean.

    >>> read_reply("Sure: ```json\\n{'verdict': 'Met', 'quotes': ['lit in 1874'],}\\n```", {"met": "met"})
    Said(word='met', quotes=('lit in 1874',), reason='')
    """
    text = reply[:MOST_CHARS].rpartition(_THOUGHT)[2]
    found = [said for data in objects(text) if (said := _said(data, words)) is not None]
    return found[-1] if found and len({said.word for said in found}) == 1 else None


def supported(said: Said, text: str) -> Said:
    """The verdict on a positive criterion as far as its quotes bear it out.

    Where no quote occurs in the text it is `unmet`, and where one does not occur it is `partial` at most. Case,
    accents, punctuation and spaces do not count, and `...` leaves words out.

    Args:
        said: The verdict.
        text: What the model was shown of the report.
    """
    if said.word == "unmet":
        return said
    shown = f" {plain(text)} "
    held = [_occurs(quote, shown) for quote in said.quotes]
    if not any(held):
        return Said("unmet", said.quotes, f"{said.word}, but no quote of it is in the report. {said.reason}".strip())
    if not all(held):
        return Said("partial", said.quotes, f"{said.word}, but one quote is not in the report. {said.reason}".strip())
    return said


def _occurs(quote: str, shown: str) -> bool:
    parts = [plain(part) for part in _GAP.split(html.unescape(quote))]
    return any(parts) and all(f" {part} " in shown or (not part.isascii() and part in shown) for part in parts if part)


def objects(text: str) -> Iterator[Any]:
    """The outermost JSON objects of a text, at most 20, with their slips mended."""
    depth = start = count = 0
    for match in _BRACE.finditer(text):
        if match[0] == "{":
            start = match.start() if not depth else start
            depth += 1
        elif match[0] == "}" and depth:
            depth -= 1
            if not depth and count < _MOST_OBJECTS:
                count += 1
                try:
                    yield read_json(text[start : match.end()])
                except (ValueError, RecursionError):
                    continue


def _said(data: Any, words: Mapping[str, str]) -> Said | None:
    if not isinstance(data, dict) or not isinstance(data.get("verdict"), str):
        return None
    word = words.get(plain(data["verdict"]))
    if word is None:
        return None
    quotes = data.get("quotes")
    quotes = [quotes] if isinstance(quotes, str) else quotes if isinstance(quotes, list) else []
    reason = data.get("reason")
    kept = tuple(quote for quote in quotes[:_MOST_QUOTES] if isinstance(quote, str) and plain(html.unescape(quote)))
    return Said(word, kept, reason if isinstance(reason, str) else "")
