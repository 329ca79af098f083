"""Text framed by tags, as the dialects `step` and `hermes` have it."""

import json
import re
from collections.abc import Iterator, Sequence

import orjson

from murk.envs.dialects.draft import MAX_CALLS, RawCall
from murk.envs.dialects.loose_json import json_end, read_json, shorten, skip_space
from murk.envs.dialects.reading import FIRST_ID, Reading, Wanted

_ALLOWED = 'a call is {"name": "<tool>", "arguments": {...}}'
_CALL_KEYS = {"name", "arguments", "id"}
_USUAL_KEYS = {"name", "arguments"}
_CERTAIN = {str, int, bool, type(None)}
# What the beginning of any tag of any dialect looks like in UTF-8, however it is spelled.
_LIKE_A_TAG = re.compile(rb"<[\x00-\x20/\\]*+[TtAaFfIi\x80-\xff]")


class Tags:
    """The tags of one dialect: how to split text at them, and how to write them so that they are only text.

    A tag is quoted by a backslash after its `<`, and one that has backslashes already gets one more, so that quoting
    can be taken back: `</answer>` becomes `<\\/answer>`. Variants in case and spacing are quoted, too, since a model
    may take them for the tag.

    Args:
        call: The tag whose body is JSON.
        other: The other tags; `think` and `tool_response` are text if they are never closed, all others end with the
            text.
        foreign: Tags, as regular expressions, that are quoted as the dialect's own are, but never read.
    """

    def __init__(self, call: str, *other: str, foreign: Sequence[str] = ()) -> None:
        names = "|".join((call, *other))
        tag = rf"\s*+/?\s*+(?:{'|'.join((names, *foreign))})\s*+>"
        self._call = call
        self._mark = re.compile(rf"<(/?)({names})>")
        self._opens, self._closes = f"<{call}>", f"</{call}>"
        self._plain = re.compile(rf"<(?=\\*+{tag})", re.IGNORECASE)
        self._quoted = re.compile(rf"<\\(?=\\*+{tag})", re.IGNORECASE)

    def quote(self, text: str) -> str:
        """Makes tags in text harmless."""
        return self._plain.sub(r"<\\", text) if "<" in text else text

    def unquote(self, text: str) -> str:
        """Takes `quote` back."""
        return self._quoted.sub("<", text) if "<\\" in text else text

    def usual(self, text: str, tools: Sequence[str]) -> Reading | None:
        """A turn of at most a thought and one call, in which nothing is in doubt; None for all others.

        Plain searches in text take half the time of one regular expression here, as the step's other work has pushed
        its machine out of the processor's caches.
        """
        head, _, rest = text.partition(self._opens)
        body, closed, tail = rest.partition(self._closes)
        if not closed or "<" in body or "\\" in body or (tail and not tail.isspace()):
            return None
        thoughts, head = [], head.strip()
        if head:
            thought = head[len("<think>") : -len("</think>")]
            if "<" in thought or "\\" in thought or head != f"<think>{thought}</think>":
                return None
            thoughts.append(thought)
        call = _usual_call(body, tools)
        return None if call is None else Reading([call], None, (), thoughts)

    def blocks(self, text: str) -> Iterator[tuple[str, str]]:
        """Splits text into (tag, body), with tag "" for the text between; the first tag to open decides."""
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


def _usual_call(body: str, tools: Sequence[str]) -> Wanted | None:
    """A call whose JSON every reader takes for the same: no escapes, and no numbers but whole ones of 64 bits."""
    try:
        call = orjson.loads(body)
    except ValueError:
        return None
    if type(call) is not dict or call.keys() != _USUAL_KEYS:
        return None
    name, arguments = call["name"], call["arguments"]
    if type(arguments) is not dict or name not in tools:
        return None
    for value in arguments.values():
        kind = type(value)
        if kind not in _CERTAIN and not (kind is list and set(map(type, value)) <= _CERTAIN):
            return None
    return Wanted(name, arguments, FIRST_ID)


def write_call(call: RawCall) -> str:
    """The JSON of a call; no string in it can close the tag."""
    text = f'{{"name": {json.dumps(call.name, ensure_ascii=False)}, "arguments": {call.arguments}'
    if call.id is not None:
        text += f', "id": {json.dumps(call.id, ensure_ascii=False)}'
    return (text + "}").replace("</", "<\\/")


def frame_utf8(results: Sequence[bytes]) -> bytes | None:
    """What `frame` writes of results in UTF-8 that have nothing like a tag in them; None if one has."""
    for data in results:
        if b"<" in data and _LIKE_A_TAG.search(data):
            return None
    return b"<tool_response>\n%b\n</tool_response>" % b"\n</tool_response>\n<tool_response>\n".join(results)


def frame(tags: Tags, results: Sequence[tuple[str, str]], notices: Sequence[str], own: str) -> str:
    """One `<tool_response>` for each result, then a line for each notice; `own` is one that shows tags as they are."""
    parts = [f"<tool_response>\n{tags.quote(text)}\n</tool_response>" for _, text in results]
    parts += [f"Notice: {notice if notice == own else tags.quote(notice)}" for notice in notices]
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
