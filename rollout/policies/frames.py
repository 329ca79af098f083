"""What an observation holds: the inverse of `murk.envs.actions.render_results`."""

import json
import re
from collections.abc import Iterator

from murk.envs.dialects import react
from murk.envs.dialects.tags import Tags

_TAGS = {
    "step": Tags("toolcall", "think", "answer", "tool_response"),
    "hermes": Tags("tool_call", "think", "tool_response"),
}
_OPEN, _CLOSE = "<tool_response>", "</tool_response>"
_OBSERVATION = re.compile(r"(?:\A|(?<=\n))(Observation|Notice): ")


def read_results(text: str, dialect: str) -> list[str]:
    """The results in an observation, in their order; none where there are none to be seen. Never raises.

    >>> read_results("<tool_response>\\n3 <\\\\/answer>\\n</tool_response>", "step")
    ['3 </answer>']
    """
    if dialect == "openai":
        return _messages(text)
    if dialect == "react":
        parts = _OBSERVATION.split(text)[1:]
        framed = zip(parts[::2], parts[1::2], strict=True)
        return [react.unquote(body.removesuffix("\n")) for label, body in framed if label == "Observation"]
    tags = _TAGS.get(dialect, _TAGS["step"])
    return [tags.unquote(body) for body in _framed(text)]


def _framed(text: str) -> Iterator[str]:
    """What stands between the tags; found by plain search, which is many times faster than a pattern."""
    start = text.find(_OPEN)
    while start >= 0 and (end := text.find(_CLOSE, start)) >= 0:
        yield text[start + len(_OPEN) : end].removeprefix("\n").removesuffix("\n")
        start = text.find(_OPEN, end)


def _messages(text: str) -> list[str]:
    try:
        messages = json.loads(text)
    except (ValueError, RecursionError):
        return []
    rows = messages if isinstance(messages, list) else []
    return [str(row.get("content") or "") for row in rows if isinstance(row, dict) and row.get("role") == "tool"]
