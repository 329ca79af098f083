"""Text framed by tags, as the dialects `step` and `hermes` have it."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from murk.envs.dialects.draft import MAX_CALLS, RawCall
from murk.envs.dialects.loose_json import json_end, read_json, shorten, skip_space

_ALLOWED = 'a call is {"name": "<tool>", "arguments": {...}}'
_CALL_KEYS = {"name", "arguments", "id"}
# A body whose end is beyond doubt, as most are: no other tag in it, no backslash, and quotation marks that pair up.
_SIMPLE = r'(?:[^<"\\]++|"[^<"\\]*+")*+'


class Tags:
    """The tags of one dialect: how to split text at them, and how to write them so that they are only text.

    A tag is quoted by a backslash after its `<`, and one that has backslashes already gets one more, so that quoting
    can be taken back: `</answer>` becomes `<\\/answer>`. Variants in case and spacing are quoted, too, since a model
    may take them for the tag.

    Args:
        call: The tag whose body is JSON.
        other: The other tags; `think` and `tool_response` are text if they are never closed, all others end with the
            text.
    """

    def __init__(self, call: str, *other: str) -> None:
        names = "|".join((call, *other))
        tag = rf"\s*+/?\s*+(?:{names})\s*+>"
        self._call = call
        self._mark = re.compile(rf"<(/?)({names})>")
        thought = rf"(?:<think>({_SIMPLE})</think>\s*+)?"
        self._usual = re.compile(rf"\s*+{thought}<{call}>({_SIMPLE})</{call}>\s*+")
        self._plain = re.compile(rf"<(?=\\*+{tag})", re.IGNORECASE)
        self._quoted = re.compile(rf"<\\(?=\\*+{tag})", re.IGNORECASE)

    def quote(self, text: str) -> str:
        """Makes tags in text harmless."""
        return self._plain.sub(r"<\\", text) if "<" in text else text

    def unquote(self, text: str) -> str:
        """Takes `quote` back."""
        return self._quoted.sub("<", text) if "<\\" in text else text

    def blocks(self, text: str) -> Iterable[tuple[str, str]]:
        """Splits text into (tag, body), with tag "" for the text between; the first tag to open decides.

        White space around the one call of a usual turn is left out.
        """
        if usual := self._usual.fullmatch(text):
            thought, body = usual.groups()
            call = (self._call, body)
            return [call] if thought is None else [("think", thought), call]
        return self._split(text)

    def _split(self, text: str) -> Iterator[tuple[str, str]]:
        start = pos = calls = 0
        unclosed: set[str] = set()
        while mark := self._mark.search(text, pos):
            closing, tag = mark.groups()
            pos = mark.end()
            if closing:
                # Chat templates often open the thought in the prompt, so that the turn only closes it.
                if tag == "think" and start == 0:
                    yield tag, text[: mark.start()]
                    start = pos
                continue
            calls += tag == self._call
            end = None if tag in unclosed else self._end(text, tag, pos, tag == self._call and calls <= MAX_CALLS)
            if end is None:
                unclosed.add(tag)
                continue
            if start < mark.start():
                yield "", text[start : mark.start()]
            yield tag, text[pos : end[0]]
            start = pos = end[1]
        if start < len(text):
            yield "", text[start:]

    def _end(self, text: str, tag: str, start: int, is_json: bool) -> tuple[int, int] | None:
        """Where the body of a tag, which begins at `start`, ends and the text goes on; None if the tag is only text."""
        close = f"</{tag}>"
        end = text.find(close, start)
        # A tag ends the JSON, and is no part of a string, where the quotation marks in front of it pair up.
        paired = end >= 0 and text.find("\\", start, end) < 0 and text.count('"', start, end) % 2 == 0
        if is_json and not paired and (last := json_end(text, start)) is not None:
            rest = skip_space(text, last)
            if text.startswith(close, rest):
                return last, rest + len(close)
            if close.startswith(text[rest : rest + len(close)]):  # the text ends before or within the closing tag
                return last, len(text)
        if end >= 0:
            return end, end + len(close)
        opens_turn = tag == "think" and not text[: start - len("<think>")].strip()
        if tag in ("think", "tool_response") and not opens_turn:
            return None
        return len(text), len(text)


def write_call(call: RawCall) -> str:
    """The JSON of a call; no string in it can close the tag."""
    text = f'{{"name": {json.dumps(call.name, ensure_ascii=False)}, "arguments": {call.arguments}'
    if call.id is not None:
        text += f', "id": {json.dumps(call.id, ensure_ascii=False)}'
    return (text + "}").replace("</", "<\\/")


def frame_utf8(results: Sequence[bytes]) -> bytes | None:
    """What `frame` writes of results in UTF-8 that have nothing like a tag in them; None if one has."""
    parts = []
    for data in results:
        if b"<" in data:
            return None
        parts.append(b"<tool_response>\n%b\n</tool_response>" % data)
    return b"\n".join(parts)


def frame(tags: Tags, results: Sequence[tuple[str, str]], notices: Sequence[str]) -> str:
    """One `<tool_response>` for each result, then a line for each notice."""
    parts = [f"<tool_response>\n{tags.quote(text)}\n</tool_response>" for _, text in results]
    parts += [f"Notice: {tags.quote(notice)}" for notice in notices] if notices else ()
    return "\n".join(parts)


def read_call(body: str) -> RawCall | str:
    """Reads the JSON of a call, or says what is wrong with it."""
    try:
        value = read_json(body)
    except ValueError as error:
        return f"A call is not valid JSON: {error}; {_ALLOWED}."
    if not isinstance(value, dict):
        return f"A call is not a JSON object but {shorten(value)}; {_ALLOWED}."
    if not value.keys() <= _CALL_KEYS:
        unknown = next(key for key in value if key not in _CALL_KEYS)
        return f"A call has the unknown key {shorten(unknown)}; {_ALLOWED}."
    return RawCall(value.get("name"), value.get("arguments"), value.get("id"))
