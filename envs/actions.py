"""An agent's text as calls or an answer, and results as text, in a named dialect.

Nothing an agent writes raises here: what is wrong with a turn is told in its `problems`, which are for the agent to
read. What may be mended without doubt is mended silently (see `dialects.loose_json`); the rest is refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from murk.envs.arguments import canonical_text, values_of
from murk.envs.dialects import hermes, openai, react, step
from murk.envs.dialects.calls import MAX_ID, answer_of, calls_of, clean
from murk.envs.dialects.draft import MAX_CALLS, Form, RawCall
from murk.envs.dialects.reading import Reading, Wanted
from murk.envs.errors import UnknownName
from murk.envs.utf8 import encodable

__all__ = [
    "DIALECTS",
    "MAX_ACTION",
    "MAX_CALLS",
    "MAX_ID",
    "NOTHING",
    "REMINDER",
    "Reading",
    "Rendered",
    "ToolCall",
    "Turn",
    "Wanted",
    "parse",
    "read",
    "render_results",
    "render_sized",
    "render_turn",
    "system_prompt",
]

MAX_ACTION = 200_000

_FORMS: dict[str, Form] = {"step": step, "hermes": hermes, "openai": openai, "react": react}
DIALECTS = tuple(_FORMS)
REMINDER: Mapping[str, str] = MappingProxyType({name: form.REMINDER for name, form in _FORMS.items()})


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that exists, with arguments that are a JSON object.

    Attributes:
        name: The tool.
        arguments: Canonical JSON text, so that the record is plain data; `values` is the object itself.
        id: Unique within the turn: as the agent gave it, else `call_<position among the calls>`.
    """

    name: str
    arguments: str = "{}"
    id: str = "call_1"

    @property
    def values(self) -> dict[str, Any]:
        """The arguments; a new dict each time."""
        return values_of(self.arguments)


@dataclass(frozen=True, slots=True)
class Turn:
    """What an agent's text says.

    Attributes:
        thought: Its reasoning, and whatever stands outside the calls and the answer.
        calls: In the order to run them; at most `MAX_CALLS`.
        answer: The final answer; None if there is none, or calls beside it.
        problems: One sentence for each thing that was wrong: what, the value shortened, and what is allowed.
    """

    thought: str = ""
    calls: tuple[ToolCall, ...] = ()
    answer: str | None = None
    problems: tuple[str, ...] = ()


def parse(text: str, dialect: str, tools: Sequence[str]) -> Turn:
    """Reads a turn; any text gives one.

    >>> parse('<toolcall>{"name": "find", "arguments": {"text": "1890"}}</toolcall>', "step", ["find"]).calls
    (ToolCall(name='find', arguments='{"text":"1890"}', id='call_1'),)
    >>> parse('<toolcall>{"name": "fnd"}</toolcall>', "step", ["find", "links"]).problems
    ("Unknown tool 'fnd'. Did you mean 'find'? Known: find, links.",)

    Raises:
        UnknownName: there is no such dialect.
    """
    turn = read(text, dialect, tools)
    calls = tuple([ToolCall(call.name, canonical_text(call.arguments), call.id) for call in turn.calls])
    return Turn(clean("\n".join(filter(None, map(str.strip, turn.thoughts)))), calls, turn.answer, turn.problems)


def read(text: str, dialect: str, tools: Sequence[str]) -> Reading:
    """Reads a turn as `parse` does, without what only a record needs.

    Raises:
        UnknownName: there is no such dialect.
    """
    form = _form(dialect)
    if len(text) > MAX_ACTION:
        problem = f"The turn has {len(text)} characters and was not read; at most {MAX_ACTION} are."
        return Reading([], None, (problem,), [])
    return form.usual(text, tools) or _read_closely(text, form, tools)


def render_turn(turn: Turn, dialect: str) -> str:
    """Writes a turn as its agent would; the problems have no place in it.

    `parse` gives the same turn back if it is well-formed: calls or a non-empty answer but not both; thought and answer
    without white space around them or lone surrogates; canonical arguments; ids that are unique and of 1 to `MAX_ID`
    characters, in `react` those that `parse` gives.

    Raises:
        UnknownName: there is no such dialect.
    """
    form = _form(dialect)
    # Ids are written only where they are not those that `parse` gives, but in `openai` always: results refer to them.
    calls = [
        RawCall(call.name, call.arguments, None if call.id == f"call_{n}" and dialect != "openai" else call.id)
        for n, call in enumerate(turn.calls, 1)
    ]
    return form.write(turn.thought, calls, turn.answer)


def render_results(results: Sequence[tuple[ToolCall, str]], notices: Sequence[str], dialect: str) -> str:
    """Writes what the agent reads next: each result in a frame that its text cannot leave, then the notices.

    A tag or label of the dialect within a result is quoted by a backslash, as in `<\\/tool_response>`.

    Raises:
        UnknownName: there is no such dialect.
    """
    return render_sized(results, notices, dialect).text


@dataclass(slots=True)
class Rendered:
    """Results as an agent reads them.

    Attributes:
        text: What it reads.
        size: Bytes of it as UTF-8.
        compact: The text, or its UTF-8 where that is at hand and smaller.
    """

    text: str
    size: int
    compact: str | bytes


NOTHING = Rendered("", 0, "")


def render_sized(
    results: Sequence[tuple[ToolCall | Wanted, str | bytes]], notices: Sequence[str], dialect: str
) -> Rendered:
    """What `render_results` writes of results as text or as UTF-8."""
    form = _form(dialect)
    data = [result for _, result in results if isinstance(result, bytes)]
    if data and not notices and len(data) == len(results) and (framed := form.frame_utf8(data)) is not None:
        text = framed.decode()  # long texts are the bulk of a step: this looks at them but once
        return Rendered(text, len(framed), text if text.isascii() else framed)
    texts = [(call.id, result.decode() if isinstance(result, bytes) else result) for call, result in results]
    text, size = encodable(form.frame(texts, notices))
    return Rendered(text, size, text)


def system_prompt(tools: Sequence[Mapping[str, Any]], dialect: str) -> str:
    """Explains the dialect and lists the tools' JSON schemas, one a line.

    Raises:
        UnknownName: there is no such dialect.
    """
    schemas = "\n".join(json.dumps(dict(tool), ensure_ascii=False) for tool in tools)
    return f"{_form(dialect).REMINDER}\n\nThe tools, each as a JSON schema:\n{schemas}"


def _form(dialect: str) -> Form:
    if dialect not in _FORMS:
        raise UnknownName("dialect", dialect, DIALECTS)
    return _FORMS[dialect]


def _read_closely(text: str, form: Form, tools: Sequence[str]) -> Reading:
    """Reads any turn; those that `Form.usual` knows say the same here."""
    draft = form.read(text)
    calls, problems = calls_of(draft, tools)
    answer = answer_of(draft, form, problems) if draft.answers or not draft.calls else None
    return Reading(calls, answer, tuple(map(clean, problems)) if problems else (), draft.thoughts)
