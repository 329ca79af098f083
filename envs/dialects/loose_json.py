"""JSON as language models write it: strict first, then with the slips that leave no doubt about what was meant.

Mended are code fences around the JSON, commas before a closing bracket, and Python's quotes and constants. Control
characters within strings are accepted, and of equal keys the last counts. Everything takes time linear in the text and
is bounded in depth and digits by limits of our own, because Python's depend on the interpreter and on the caller's
stack. (`ast.literal_eval` would read Python's literals, too, but it warns about backslashes through a global switch,
and nesting can crash it.)
"""

import json
import re
from typing import Any, NoReturn

MAX_DEPTH = 64
MAX_DIGITS = 300

_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.S)
_TOKENS = re.compile(
    r"""(?P<double>"(?:[^"\\]++|\\.)*+")|'(?P<single>(?:[^'\\]++|\\.)*+)'|(?P<word>[A-Za-z_]++)"""
    r"""|(?P<comma>,(?=\s*+[}\]]))|(?P<quote>["'])|[^"'A-Za-z_,]++|,""",
    re.S,
)
_WORDS = {"True": "true", "False": "false", "None": "null"}
_SPACE = re.compile(r"\s*+")


def read_json(text: str) -> Any:
    """Reads JSON text, mending what is safe to mend.

    >>> read_json("```json\\n{'a': [True, None,],}\\n```")
    {'a': [True, None]}

    Raises:
        ValueError: it is not JSON; the message is a clause that tells what is wrong, where, and shows the place.
    """
    text = text.strip()
    if text.startswith("```"):
        text = text[3:].removesuffix("```").strip().removeprefix("json").strip()
    try:
        return _strict(text)
    except json.JSONDecodeError as error:
        mended = _mend(text)
        if mended is None or mended == text:
            raise ValueError(_describe(error)) from None
    try:
        return _strict(mended)
    except json.JSONDecodeError as error:
        raise ValueError(_describe(error)) from None


def json_end(text: str, start: int) -> int | None:
    """Where the JSON object that begins at or after white space from `start` ends; None if there is no valid one.

    Looking for the end of the object, not for what follows it, lets strings hold the dialect's own tags. A failed look
    takes time linear in the whole text (the error counts its lines), so callers limit how often they look.
    """
    start = skip_space(text, start)
    if not text.startswith("{", start):
        return None
    try:
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return None


def skip_space(text: str, start: int) -> int:
    """The first place at or after `start` that is not white space."""
    match = _SPACE.match(text, start)
    return match.end() if match else start


def shorten(value: Any, limit: int = 60) -> str:
    """A value for a message: as Python shows it, on one line, at most about `limit` characters."""
    if isinstance(value, str):
        return repr(value if len(value) <= limit else value[: limit - 1] + "…")
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _strict(text: str) -> Any:
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    value, end = (_DECODER if len(text) > MAX_DIGITS else _QUICK).raw_decode(text)
    return value if end == len(text) else _DECODER.decode(text)  # which tells what is wrong after the end


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        if match[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif match[0] in "]}":
            depth -= 1
    return deepest


def _mend(text: str) -> str | None:
    parts = []
    for match in _TOKENS.finditer(text):
        kind, token = match.lastgroup, match[0]
        if kind == "quote":
            return None  # a string without an end: whatever follows is a guess, and guessing takes quadratic time
        if kind == "single":
            token = '"' + re.sub(r'\\.|"', _requote, match["single"], flags=re.S) + '"'
        elif kind == "word":
            token = _WORDS.get(token, token)
        if kind != "comma":
            parts.append(token)
    return "".join(parts)


def _requote(match: re.Match[str]) -> str:
    return {"\\'": "'", '"': '\\"'}.get(match[0], match[0])


def _describe(error: json.JSONDecodeError) -> str:
    near = error.doc[max(0, error.pos - 20) : error.pos + 20]
    return f"{error.msg.lower()} at character {error.pos + 1}, near {near!r}"


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits; at most {MAX_DIGITS} are read")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {shorten(digits)} is too large")
    return value


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


_DECODER = json.JSONDecoder(strict=False, parse_int=_int, parse_float=_float, parse_constant=_constant)
_QUICK = json.JSONDecoder(
    strict=False, parse_float=_float, parse_constant=_constant
)  # for texts too short to be checked
