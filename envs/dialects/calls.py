"""What of a draft counts: the calls that can run, the answer if there is one, and what is wrong with the rest."""

from collections.abc import Sequence
from typing import Any

from murk.envs.dialects.draft import MAX_CALLS, Draft, Form, RawCall
from murk.envs.dialects.loose_json import read_json, shorten
from murk.envs.dialects.reading import Wanted
from murk.envs.errors import UnknownName
from murk.envs.utf8 import encodable

MAX_ID = 128

_FREE_IDS = [f"call_{n}" for n in range(1, MAX_CALLS + 1)]


def answer_of(draft: Draft, form: Form, problems: list[str]) -> str | None:
    """The answer that counts, if there is one; why there is none goes to the problems."""
    answers = [clean(answer.strip()) for answer in draft.answers]
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


def calls_of(draft: Draft, tools: Sequence[str]) -> tuple[list[Wanted], list[str]]:
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
    usable = [clean(id_) if isinstance(id_, str) and 0 < len(id_) <= MAX_ID else None for id_ in given]
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


def clean(text: str) -> str:
    """A text without lone surrogates."""
    return encodable(text)[0]
