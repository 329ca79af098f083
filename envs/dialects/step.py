"""The dialect of Step-DeepResearch: `<think>`, `<toolcall>`, `<tool_response>`, `<answer>`."""

from collections.abc import Sequence

from murk.envs.dialects import tags
from murk.envs.dialects.draft import Draft, RawCall

REMINDER = (
    "A turn may begin with <think>...</think>. Then it either calls tools, each call as "
    '<toolcall>{"name": "<tool>", "arguments": {...}}</toolcall>, up to 16 calls in a turn, or ends the task with '
    "<answer>...</answer>, never both. Each call is answered by one <tool_response>, in the same order. Tags within "
    "<think> do not count; to write a tag as plain text, put a backslash after its <, as in <\\answer>."
)
EMPTY = "The turn has neither a <toolcall> nor an <answer> outside <think>; it must have one of them."

_TAGS = tags.Tags("toolcall", "think", "answer", "tool_response")
usual = _TAGS.usual


def read(text: str) -> Draft:
    """Takes a turn apart; text outside all tags counts as thought."""
    draft = Draft()
    for tag, body in _TAGS.blocks(text):
        if tag == "toolcall":
            draft.offer(tags.read_call, body)
        elif tag == "answer":
            draft.answers.append(_TAGS.unquote(body))
        elif tag == "tool_response":
            draft.ignore("tool_response")
        else:
            draft.thoughts.append(_TAGS.unquote(body))
    return draft


def write(thought: str, calls: Sequence[RawCall], answer: str | None) -> str:
    """Writes a turn, one tag a line."""
    parts = [f"<think>{_TAGS.quote(thought)}</think>"] if thought else []
    parts += [f"<toolcall>{tags.write_call(call)}</toolcall>" for call in calls]
    if answer is not None:
        parts.append(f"<answer>{_TAGS.quote(answer)}</answer>")
    return "\n".join(parts)


frame_utf8 = tags.frame_utf8


def frame(results: Sequence[tuple[str, str]], notices: Sequence[str]) -> str:
    """Frames each result in `<tool_response>`."""
    return tags.frame(_TAGS, results, notices, EMPTY)
