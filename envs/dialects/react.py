"""The dialect of ReAct: lines that begin with `Thought:`, `Action:`, `Action Input:`, `Final Answer:`."""

import re
from collections.abc import Sequence

from murk.envs.dialects.draft import MAX_CALLS, Draft, RawCall
from murk.envs.dialects.loose_json import json_end, shorten

REMINDER = (
    "A turn is made of labels, each at the beginning of a line. It may begin with Thought: ... Then it either calls "
    "tools, each call as the line Action: <tool> and below it Action Input: {JSON object of arguments}, up to 16 calls "
    "in a turn, or ends the task with Final Answer: ..., never both. Each call is answered by one Observation:, in the "
    "same order. To write a label as plain text at the beginning of a line, put a backslash before it."
)
EMPTY = "The turn has neither an Action: nor a Final Answer: at the beginning of a line; it must have one of them."

# Whatever may pass for the beginning of a line, so that a result cannot hide a label behind a rare line separator.
_LINE = r"(?<![^\n\r\v\f\x1c-\x1e\x85\u2028\u2029])[ \t\xa0\u2000-\u200b\u202f\u205f\u3000\ufeff]*+"
_LABEL = re.compile(rf"{_LINE}(Thought|Action Input|Action|Final Answer|Observation)[ \t]*+:", re.IGNORECASE)
_QUOTABLE = r"\\*+(?:Thought|Action|Action Input|Final Answer|Observation|Notice)[ \t]*+:"
_PLAIN = re.compile(rf"({_LINE})(?={_QUOTABLE})", re.IGNORECASE)
_QUOTED = re.compile(rf"({_LINE})\\(?={_QUOTABLE})", re.IGNORECASE)
_PAIR = ["action", "action input"]


def quote(text: str) -> str:
    """Makes labels at the beginning of lines harmless, by a backslash before each."""
    return _PLAIN.sub(r"\1\\", text)


def unquote(text: str) -> str:
    """Takes `quote` back."""
    return _QUOTED.sub(r"\1", text)


def usual(text: str, tools: Sequence[str]) -> None:
    """Knows no such turns."""


def read(text: str) -> Draft:
    """Takes a turn apart; text before the first label counts as thought.

    A final answer goes on to the end of the turn, labels and all, unless a call follows it.
    """
    draft = Draft()
    labels = [*_labels(text), ("", len(text), len(text))]
    names = [name for name, _, _ in labels]
    draft.thoughts.append(unquote(text[: labels[0][1]]))
    at = 0
    while at < len(labels) - 1:
        name, begin = names[at], labels[at][2]
        is_call = names[at : at + 2] == _PAIR
        after = at + 1 + is_call
        if name == "final answer":
            while names[after] and names[after : after + 2] != _PAIR:
                after += 1
        body = text[begin : labels[at + 1 if is_call else after][1]]
        if is_call:
            draft.offer(RawCall, body, text[labels[at + 1][2] : labels[after][1]])
        elif name == "final answer":
            draft.answers.append(unquote(body))
        elif name == "thought":
            draft.thoughts.append(unquote(body))
        elif name == "observation":
            draft.ignore("Observation:")
        else:
            draft.offer(_half, name, body)
        at = after
    return draft


def _labels(text: str) -> list[tuple[str, int, int]]:
    """Name, beginning and end of each label that is not within the JSON of an action's input."""
    found = []
    pos = inputs = 0
    while match := _LABEL.search(text, pos):
        name = match[1].lower()
        pos = match.end()
        found.append((name, match.start(), pos))
        inputs += name == "action input"
        if name == "action input" and inputs <= MAX_CALLS:
            pos = json_end(text, pos) or pos
    return found


def _half(name: str, body: str) -> str:
    have, lack = ("Action:", "Action Input:") if name == "action" else ("Action Input:", "Action:")
    where = "after" if name == "action" else "before"
    return f"The line {have} {shorten(body.strip())} has no {lack} {where} it; a call is both lines, in this order."


def write(thought: str, calls: Sequence[RawCall], answer: str | None) -> str:
    """Writes a turn; the ids of calls have no place in this dialect."""
    parts = [f"Thought: {quote(thought)}"] if thought else []
    parts += [f"Action: {call.name}\nAction Input: {call.arguments}" for call in calls]
    if answer is not None:
        parts.append(f"Final Answer: {quote(answer)}")
    return "\n".join(parts)


def frame_utf8(results: Sequence[bytes]) -> None:
    """Frames nothing in UTF-8."""


def frame(results: Sequence[tuple[str, str]], notices: Sequence[str]) -> str:
    """One `Observation:` for each result, one `Notice:` for each notice."""
    parts = [f"Observation: {quote(text)}" for _, text in results]
    return "\n".join(parts + [f"Notice: {quote(notice)}" for notice in notices])
