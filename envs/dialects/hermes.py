"""The dialect of Hermes and Qwen: `<tool_call>` and `<tool_response>`; a turn without calls is the answer."""

from collections.abc import Sequence

from murk.envs.dialects import tags
from murk.envs.dialects.draft import Draft, RawCall
from murk.envs.dialects.lookalikes import TAGS, like_a_call

REMINDER = (
    "A turn may begin with <think>...</think>. To call tools, write each call as "
    '<tool_call>{"name": "<tool>", "arguments": {...}}</tool_call>, up to 16 calls in a turn; each is answered by one '
    "<tool_response>, in the same order. A turn without calls is the final answer and ends the task. Tags within "
    "<think> do not count; to write a tag as plain text, put a backslash after its <, as in <\\tool_call>."
)
_LIKE = (
    'The turn looks like a call but is none: a call is {"name": "<tool>", "arguments": {...}} between an opening and a '
    "closing tool_call tag. In an answer, put a backslash after the < of a tag."
)
EMPTY = "The turn is empty outside <think>; it must have a <tool_call> or the text of the final answer."

_TAGS = tags.Tags("tool_call", "think", "tool_response", foreign=TAGS)
usual = _TAGS.usual


def read(text: str) -> Draft:
    """Takes a turn apart; text outside all tags is the answer, or thought where there are calls."""
    draft = Draft()
    rest: list[str] = []
    for tag, body in _TAGS.blocks(text):
        if tag == "tool_call":
            draft.offer(tags.read_call, body)
        elif tag == "tool_response":
            draft.ignore("tool_response")
        elif tag:
            draft.thoughts.append(_TAGS.unquote(body))
        else:
            rest.append(body)
    if draft.calls:
        draft.thoughts += map(_TAGS.unquote, rest)
    elif any(map(like_a_call, rest)):
        draft.calls.append(_LIKE)
    elif answer := "".join(map(_TAGS.unquote, rest)).strip():
        draft.answers.append(answer)
    return draft


def write(thought: str, calls: Sequence[RawCall], answer: str | None) -> str:
    """Writes a turn, one tag a line."""
    parts = [f"<think>{_TAGS.quote(thought)}</think>"] if thought else []
    parts += [f"<tool_call>{tags.write_call(call)}</tool_call>" for call in calls]
    if answer is not None:
        parts.append(_TAGS.quote(answer))
    return "\n".join(parts)


frame_utf8 = tags.frame_utf8


def frame(results: Sequence[tuple[str, str]], notices: Sequence[str]) -> str:
    """Frames each result in `<tool_response>`."""
    return tags.frame(_TAGS, results, notices, EMPTY)
