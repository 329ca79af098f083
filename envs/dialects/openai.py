"""The dialect of OpenAI's chat messages, as JSON: an assistant message in, a list of `tool` messages out.

Reasoning stands in `reasoning_content`, as most servers of open models have it, or in `<think>` within the content.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from murk.envs.dialects import tags
from murk.envs.dialects.draft import Draft, RawCall
from murk.envs.dialects.lookalikes import TAGS, like_a_call
from murk.envs.dialects.loose_json import read_json, shorten

REMINDER = (
    'A turn is an assistant message as JSON: {"role": "assistant", "content": ..., "tool_calls": [{"id": "...", '
    '"type": "function", "function": {"name": "<tool>", "arguments": "<JSON object>"}}]}, with up to 16 calls; each is '
    "answered by one message of role tool, in the same order. A message without tool_calls, or plain text in place of "
    "JSON, is the final answer and ends the task."
)
EMPTY = "The message is empty; it must have tool_calls or the text of the final answer as content."

_TAGS = tags.Tags("think", foreign=TAGS)
_MESSAGE = 'a turn is {"role": "assistant", "content": ..., "tool_calls": [...]} or the plain text of the final answer'
_LIKE = f"The turn looks like a call but is none; {_MESSAGE}."
_CALLS = re.compile(r'\{[^{}]*?"tool_calls"\s*+:')
_MESSAGE_KEYS = {"role", "content", "tool_calls", "reasoning_content"}
_CALL = 'a call is {"id": "...", "type": "function", "function": {"name": "<tool>", "arguments": "<JSON object>"}}'


def usual(text: str, tools: Sequence[str]) -> None:
    """Knows no such turns."""


def read(text: str) -> Draft:
    """Takes a message apart, or takes plain text for the answer."""
    draft = Draft()
    message = _message(text)
    if message is None:
        if _CALLS.search(text):
            draft.calls.append(_LIKE)
        _read_content(text, draft)
    elif isinstance(message, str):
        draft.calls.append(message)  # broken, but certainly not the answer
    else:
        _read_message(message, draft)
    return draft


def _message(text: str) -> dict[str, Any] | str | None:
    """The message that text holds; or what is wrong with it; or None if the text is no message at all."""
    if not text.lstrip().startswith(("{", "[", "```")):
        return None
    try:
        value = read_json(text)
    except ValueError as error:
        # An answer may begin with a bracket. Only what looks like a message must not end the episode by mistake.
        return f"The message is not valid JSON: {error}; {_MESSAGE}." if _meant(text) else None
    if isinstance(value, list) and any(isinstance(item, dict) and "role" in item for item in value):
        return f"The turn is a list of messages: {shorten(value)}; {_MESSAGE}."
    if not isinstance(value, dict):
        return None
    if not value.keys() & {"role", "tool_calls"} and not ("content" in value and value.keys() <= _MESSAGE_KEYS):
        return None
    if value.get("role", "assistant") != "assistant":
        return f"The message has the role {shorten(value['role'])}; {_MESSAGE}."
    return value


def _meant(text: str) -> bool:
    return "tool_calls" in text or '"role"' in text or "'role'" in text


def _read_message(message: dict[str, Any], draft: Draft) -> None:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        draft.calls.append(f"tool_calls is not a list but {shorten(calls)}; {_MESSAGE}.")
        calls = []
    for call in calls:
        draft.offer(lambda item=call: _read_call(item))
    reasoning = message.get("reasoning_content")
    if isinstance(reasoning, str):
        draft.thoughts.append(reasoning)
    content = _content(message.get("content"))
    if content is None:
        draft.calls.append(f"content is not text but {shorten(message['content'])}; {_MESSAGE}.")
    else:
        _read_content(content, draft)


def _content(value: Any) -> str | None:
    """The text of a message's content, which may come in parts; None if it is anything else."""
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list):
        return None
    parts = [part.get("text") if isinstance(part, dict) else None for part in value]
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if len(texts) == len(parts) else None


def _read_content(content: str, draft: Draft) -> None:
    rest: list[str] = []
    for tag, body in _TAGS.blocks(content):
        if tag:
            draft.thoughts.append(_TAGS.unquote(body))
        else:
            rest.append(body)
    if not draft.calls and any(map(like_a_call, rest)):
        draft.calls.append(_LIKE)
    texts = [*map(_TAGS.unquote, rest)]
    if draft.calls:
        draft.thoughts += texts
    elif answer := "".join(texts).strip():
        draft.answers.append(answer)


def _read_call(call: Any) -> RawCall | str:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return f"A tool call has no function: {shorten(call)}; {_CALL}."
    return RawCall(function.get("name"), function.get("arguments"), call.get("id"))


def write(thought: str, calls: Sequence[RawCall], answer: str | None) -> str:
    """Writes an assistant message."""
    message: dict[str, Any] = {"role": "assistant", "content": None if answer is None else _TAGS.quote(answer)}
    if thought:
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    return json.dumps(message, ensure_ascii=False)


def frame_utf8(results: Sequence[bytes]) -> None:
    """Frames nothing in UTF-8."""


def frame(results: Sequence[tuple[str, str]], notices: Sequence[str]) -> str:
    """A JSON list of messages: one of role tool for each result, one of role user for all notices."""
    messages = [{"role": "tool", "tool_call_id": call_id, "content": text} for call_id, text in results]
    if notices:
        messages.append({"role": "user", "content": "\n".join(f"Notice: {notice}" for notice in notices)})
    return json.dumps(messages, ensure_ascii=False)
