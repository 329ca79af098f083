"""What a chat API is sent, and what it says, as an environment's conversation and turns have it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from murk.envs.actions import ToolCall, Turn, parse, render_turn
from murk.envs.budget import count_tokens
from murk.envs.context import STRUCK
from murk.envs.dialects.loose_json import read_json

SYSTEM = (
    "Research the question with the tools, over as many turns as it takes. A message without tool calls is the final "
    "answer and ends the task."
)

Talk = Sequence[Mapping[str, str]]

_TOO_LONG = re.compile(r"context|too long|longer than|too many tokens|max_new_tokens|maximum.{0,40}length", re.I | re.S)
_CLOSING = re.compile(r"</(\w+)>")


@dataclass(frozen=True, slots=True)
class Said:
    """What is kept of a reply.

    Attributes:
        content: Its text.
        reasoning: Where the server tells it apart from the text.
        tool_calls: JSON text of the calls, as they came; empty for none.
        tokens_in: Of the prompt, if the server told.
        tokens_out: Of the reply, if the server told.
        prompt_ids: Token ids of the whole prompt. This and the next two are empty unless all three are complete.
        token_ids: Those sampled.
        logprobs: One for each of them.
    """

    content: str
    reasoning: str = ""
    tool_calls: str = ""
    tokens_in: float | None = None
    tokens_out: float | None = None
    prompt_ids: tuple[int, ...] = ()
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()


def read_reply(data: Any, stop: Sequence[str]) -> Said | None:
    """Reads a chat completion; None for anything else. Parts of a wrong type are as if they were not there."""
    try:
        choice = data["choices"][0]
        message, usage = choice["message"], data.get("usage")
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        calls = message.get("tool_calls")
        return Said(
            _closed(_text(message.get("content")), choice, stop),
            _text(reasoning),
            _shallow(json.dumps(calls, ensure_ascii=False)) if isinstance(calls, list) and calls else "",
            _count(usage, "prompt_tokens"),
            _count(usage, "completion_tokens"),
            *_tokens(data, choice),
        )
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError, ValueError):
        return None


def write_turn(said: Said, dialect: str, native: bool, names: Sequence[str]) -> str:
    """A reply as a turn in a dialect; its reasoning stands where the dialect has a place for it.

    Args:
        native: Whether the reply is to be written as a whole message, in the dialect `openai`.
        names: Of the tools.
    """
    if native:
        return _message(said)
    if said.tool_calls:  # some servers take calls out of the text though they were offered no tools
        turn = parse(_message(said), "openai", names)
        if turn.calls:
            return render_turn(Turn(turn.thought, turn.calls), dialect)
    if not said.reasoning.strip():
        return said.content
    if dialect != "openai":
        return "\n".join(filter(None, [render_turn(Turn(said.reasoning.strip()), dialect), said.content]))
    try:
        written = read_json(said.content)
    except ValueError:
        written = None
    if isinstance(written, dict):
        return json.dumps(written | {"reasoning_content": said.reasoning}, ensure_ascii=False)
    # What may be a broken message has to stay one: beside a thought, it would be taken for the answer.
    return said.content if said.content.lstrip().startswith(("{", "[", "```")) else _message(said)


def plain_messages(conversation: Talk) -> list[dict[str, Any]]:
    """A conversation as texts; results are the user's, because templates know `tool` beside native calls only."""
    return [
        {"role": "user" if message["role"] == "tool" else message["role"], "content": message["content"]}
        for message in conversation
    ]


def native_messages(conversation: Talk, names: Sequence[str]) -> list[dict[str, Any]]:
    """A conversation in the dialect `openai` as messages of the API, each call answered."""
    sent: list[dict[str, Any]] = []
    for message in conversation:
        if message["role"] == "assistant":
            sent.append(_turn(message["content"], names))
        elif message["role"] == "tool":
            sent += _results(message["content"], [call["id"] for call in sent[-1].get("tool_calls", ())])
        else:
            sent.append(dict(message))
    return sent


def fitted(conversation: Talk, limit: int | None) -> tuple[Talk, int]:
    """A conversation of about so many tokens, the oldest tool results struck, and how many of them were.

    What is struck depends on nothing else, and grows by leaps of a quarter of the limit, so that the beginning of a
    prompt changes seldom. The newest result always stays.
    """
    sizes = [count_tokens(message["content"]) for message in conversation]
    over = sum(sizes) - limit if limit is not None else 0
    if limit is None or over <= 0:
        return conversation, 0
    leap = max(1, limit // 4)
    over = -(-over // leap) * leap
    sent, cut = list(conversation), 0
    for i, message in enumerate(conversation[:-1]):
        saved = sizes[i] - count_tokens(STRUCK)
        if over > 0 and message["role"] == "tool" and saved > 0:
            sent[i], cut, over = {"role": "tool", "content": STRUCK}, cut + 1, over - saved
    return sent, cut


def too_long(refusal: str) -> bool:
    """Whether a server refused a request because it does not fit the model's context, by its words."""
    return _TOO_LONG.search(refusal) is not None


def _shallow(text: str) -> str:
    """JSON text that can be read again however deep the stack is; raises ValueError for other."""
    read_json(text)
    return text


def _text(value: Any) -> str:
    """Text that may come in parts."""
    if isinstance(value, list):
        value = "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""


def _closed(content: str, choice: Mapping[str, Any], stop: Sequence[str]) -> str:
    """Puts back the closing tag that ended a reply as a stop string; servers take it away."""
    if choice.get("finish_reason") != "stop" or content.endswith(tuple(stop)):
        return content
    for name in ("stop_reason", "matched_stop"):
        if name in choice:
            told = choice[name]
            return content + told if told in stop and _CLOSING.fullmatch(told) else content
    tags = [mark[1] for tag in stop if (mark := _CLOSING.fullmatch(tag))]
    unclosed = [(at, tag) for tag in tags if (at := content.rfind(f"<{tag}>")) > content.rfind(f"</{tag}>")]
    return f"{content}</{max(unclosed)[1]}>" if unclosed else content


def _count(usage: Any, name: str) -> float | None:
    told: Any = usage.get(name) if isinstance(usage, dict) else None
    return float(told) if type(told) in (int, float) and 0 <= told < 1e12 else None


def _tokens(data: Mapping[str, Any], choice: Mapping[str, Any]) -> tuple[tuple[Any, ...], ...]:
    """Token ids of prompt and reply, and the reply's log-probabilities; all empty unless all are there."""
    prompt, ids, logprobs = data.get("prompt_token_ids"), choice.get("token_ids"), choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not (isinstance(prompt, list) and isinstance(ids, list) and isinstance(content, list)):
        return (), (), ()
    found: list[Any] = [item.get("logprob") if isinstance(item, dict) else None for item in content]
    whole = all(type(i) is int and 0 <= i < 1 << 31 for i in (*prompt, *ids))
    known = all(type(p) in (int, float) and -1e9 < p <= 1e-6 for p in found)
    if not (prompt and ids and whole and known and len(found) == len(ids)):
        return (), (), ()
    return tuple(prompt), tuple(ids), tuple(map(float, found))


def _message(said: Said) -> str:
    """A reply as an assistant message in JSON."""
    message: dict[str, Any] = {"role": "assistant", "content": said.content or None}
    if said.reasoning:
        message["reasoning_content"] = said.reasoning
    if said.tool_calls:
        message["tool_calls"] = json.loads(said.tool_calls)
    return json.dumps(message, ensure_ascii=False)


def _turn(text: str, names: Sequence[str]) -> dict[str, Any]:
    """A turn in the dialect `openai` as a message; it has the calls that ran, and no other."""
    try:
        written = read_json(text)
    except ValueError:
        written = None
    if not isinstance(written, dict):
        return {"role": "assistant", "content": text}
    own = written.get("tool_calls")
    given = {str(call.get("id")): call for call in own if isinstance(call, dict)} if isinstance(own, list) else {}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _arguments(call, given)}}
        for call in parse(text, "openai", names).calls
    ]
    content, reasoning = _text(written.get("content")), _text(written.get("reasoning_content"))
    message: dict[str, Any] = {"role": "assistant", "content": content or (None if calls else text)}
    return message | ({"reasoning_content": reasoning} if reasoning else {}) | ({"tool_calls": calls} if calls else {})


def _arguments(call: ToolCall, given: Mapping[Any, Any]) -> str:
    """Arguments as the model wrote them, so that the prompt goes on from what it sampled, or mended ones if broken."""
    try:
        written = given[call.id]["function"]["arguments"]
        return str(written) if json.loads(written) == call.values else call.arguments
    except (ValueError, TypeError, KeyError, RecursionError):
        return call.arguments


def _results(text: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The results of calls, one message for each, then the notices."""
    try:
        found = json.loads(text)
        contents = {message["tool_call_id"]: message["content"] for message in found if message["role"] == "tool"}
        notices = [message["content"] for message in found if message["role"] != "tool"]
    except (ValueError, TypeError, KeyError):  # struck, or cut in the middle
        contents, notices = dict.fromkeys(ids[:1], text), [] if ids else [text]
    answered = [{"role": "tool", "tool_call_id": id_, "content": contents.get(id_, STRUCK)} for id_ in ids]
    return answered + [{"role": "user", "content": notice} for notice in notices]
