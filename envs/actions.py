"""An agent's text as calls or an answer, and results as text, in a named dialect.

Nothing an agent writes raises here: what is wrong with a turn is told in its `problems`, which are for the agent to
read. What may be mended without doubt is mended silently (see `dialects.loose_json`); the rest is refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from murk.envs.arguments import canonical_text, values_of
from murk.envs.dialects import hermes, openai, react, step
from murk.envs.dialects.draft import MAX_CALLS, Draft, Form, RawCall
from murk.envs.dialects.loose_json import read_json, shorten
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
MAX_ID = 128

_FORMS: dict[str, Form] = {"step": step, "hermes": hermes, "openai": openai, "react": react}
DIALECTS = tuple(_FORMS)
REMINDER: Mapping[str, str] = MappingProxyType({name: form.REMINDER for name, form in _FORMS.items()})

_FREE_IDS = [f"call_{n}" for n in range(1, MAX_CALLS + 1)]


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


class Wanted(NamedTuple):
    """A call before it is written down.

    Attributes:
        name: The tool, which exists.
        arguments: As the agent gave them; `canonical_text` of them is what a `ToolCall` has.
        id: As a `ToolCall` has it.
    """

    name: str
    arguments: dict[str, Any]
    id: str


class Reading(NamedTuple):
    """A turn as far as the environment needs it: as `Turn`, but calls are not written down, and thoughts in pieces."""

    calls: list[Wanted]
    answer: str | None
    problems: tuple[str, ...]
    thoughts: list[str]


def parse(text: str, dialect: str, tools: Sequence[str]) -> Turn:
    """Reads a turn; any text gives one.

    >>> parse('<toolcall>{"name": "find", "arguments": {"text": "1890"}}</toolcall>', "step", ["find"]).calls
    (ToolCall(name='find', arguments='{"text":"1890"}', id='call_1'),)
    >>> parse('<toolcall>{"name": "fnd"}</toolcall>', "step", ["find", "links"]).problems
    ("Unknown tool 'fnd'. Did you mean 'find'? Known: find, links.",)

    Raises:
        UnknownName: there is no such dialect.
    """
    wanted, answer, problems, thoughts = read(text, dialect, tools)
    calls = tuple([ToolCall(call.name, canonical_text(call.arguments), call.id) for call in wanted])
    return Turn(_clean("\n".join(filter(None, map(str.strip, thoughts)))), calls, answer, problems)


def read(text: str, dialect: str, tools: Sequence[str]) -> Reading:
    """Reads a turn as `parse` does, without what only a record needs.

    Raises:
        UnknownName: there is no such dialect.
    """
    form = _form(dialect)
    if len(text) > MAX_ACTION:
        problem = f"The turn has {len(text)} characters and was not read; at most {MAX_ACTION} are."
        return Reading([], None, (problem,), [])
    draft = form.read(text)
    calls, problems = _calls(draft, tools)
    answer = _answer(draft, form, problems) if draft.answers or not draft.calls else None
    return Reading(calls, answer, tuple(map(_clean, problems)) if problems else (), draft.thoughts)


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


class Rendered(NamedTuple):
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


def _answer(draft: Draft, form: Form, problems: list[str]) -> str | None:
    """The answer that counts, if there is one; why there is none goes to the problems."""
    answers = [_clean(answer.strip()) for answer in draft.answers]
    if draft.calls:
        if answers:
            problems.append("The answer is set aside because the turn calls tools; give it in a turn without calls.")
    elif not answers:
        problems.append(form.EMPTY)
    elif len(answers) > 1:
        problems.append(f"The turn has {len(answers)} answers; exactly one is allowed.")
    elif not answers[0]:
        problems.append("The answer is empty; it must have text.")
    else:
        return answers[0]
    return None


def _calls(draft: Draft, tools: Sequence[str]) -> tuple[list[Wanted], list[str]]:
    """The calls that can run, and the problems of the others."""
    good: list[RawCall] = []
    problems: list[str] = []
    for raw in draft.calls:
        try:
            good.append(_check(raw, tools))
        except ValueError as error:
            problems.append(str(error))
    if draft.dropped:
        problems.append(f"{draft.dropped} calls beyond the first {MAX_CALLS} of the turn are dropped.")
    problems += draft.problems
    ids = _ids([call.id for call in good], problems)
    return [Wanted(call.name, call.arguments, id_) for call, id_ in zip(good, ids, strict=True)], problems


def _check(raw: RawCall | str, tools: Sequence[str]) -> RawCall:
    """A call with the name of a tool and an object of arguments; what keeps it from running is a ValueError."""
    if isinstance(raw, str):
        raise ValueError(raw)
    if not isinstance(raw.name, str) or not raw.name.strip():
        raise ValueError(f"A call's name is {shorten(raw.name)}; it must be one of {', '.join(sorted(tools))}.")
    name = raw.name.strip()
    if name not in tools:
        message = str(UnknownName("tool", name[:80], tools))
        raise ValueError(message[0].upper() + message[1:])
    arguments = raw.arguments
    if isinstance(arguments, str):
        try:
            arguments = read_json(arguments) if arguments.strip() else {}
        except ValueError as error:
            raise ValueError(f"The arguments of {name} are not valid JSON: {error}; they are an object.") from None
    if not (arguments is None or isinstance(arguments, dict)):
        raise ValueError(f"The arguments of {name} are {shorten(arguments)}; they must be a JSON object.")
    return RawCall(name, arguments or {}, raw.id)


def _ids(given: Sequence[Any], problems: list[str]) -> list[str]:
    """An id for each call: the one given if it is usable and new, else the next free of `call_<n>`."""
    if not any(given):
        return _FREE_IDS[: len(given)]
    usable = [_clean(id_) if isinstance(id_, str) and 0 < len(id_) <= MAX_ID else None for id_ in given]
    ids: list[str] = []
    for position, id_ in enumerate(usable, 1):
        if id_ is not None and id_ not in ids:
            ids.append(id_)
            continue
        n = position
        while f"call_{n}" in usable or f"call_{n}" in ids:
            n += 1
        if id_ is not None:
            problems.append(f"Two calls have the id {shorten(id_)}; the later one is now 'call_{n}'.")
        ids.append(f"call_{n}")
    return ids


def _clean(text: str) -> str:
    return encodable(text)[0]
