"""The dialect of Hermes and Qwen: `<tool_call>` and `<tool_response>`; a turn without calls is the answer."""

from collections.abc import Sequence

from murk.envs.dialects import tags
from murk.envs.dialects.draft import Draft, RawCall

REMINDER = (
    "A turn may begin with <think>...</think>. To call tools, write each call as "
    '<tool_call>{"name": "<tool>", "arguments": {...}}</tool_call>, up to 16 calls in a turn; each is answered by one '
    "<tool_response>, in the same order. A turn without calls is the final answer and ends the task. Tags within "
    "<think> do not count; to write a tag as plain text, put a backslash after its <, as in <\\tool_call>."
)
EMPTY = "The turn is empty outside <think>; it must have a <tool_call> or the text of the final answer."

_TAGS = tags.Tags("tool_call", "think", "tool_response")
usual = _TAGS.usual


def read(text: str) -> Draft:
    """Takes a turn apart; text outside all tags is the answer, or thought where there are calls."""
    draft = Draft()
    rest: list[str] = []
    for tag, body in _TAGS.blocks(text):
        if tag == "tool_call":
            draft.offer(tags.read_call, body)
        elif tag == "tool_response":
            draft.ignore("<tool_response>")
        else:
            (draft.thoughts if tag else rest).append(_TAGS.unquote(body))
    if draft.calls:
        draft.thoughts += rest
    elif answer := "".join(rest).strip():
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
    return tags.frame(_TAGS, results, notices)
