"""Tasks with a rubric, written by a language model in two steps, and checked by another one.

1. From a hidden summary of what is to be known, the model writes atomic weighted criteria: `explicit` ones, which the
   question is to ask for, `implicit` ones, which an expert expects unasked, and `negative` ones, which are flaws.
   An independent judge, who sees one criterion at a time and nothing else, says whether two people would decide it
   alike (Step-DeepResearch, arXiv 2512.20491, makes its rubrics in such a way).
2. From the criteria, and not from the summary, the model writes the question. Then it is shown the question and the
   criteria without their roles, says of each which role it has, and those whose role is another now are left out: an
   explicit criterion that the question does not ask for would punish a report for the question's own gap.

Nothing is left out in silence: `Synthesis.discarded` has it with its reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from murk.envs.codec import canonical_json
from murk.envs.errors import UsageError
from murk.envs.seeds import derive
from murk.envs.tasks import Task
from murk.rewards.judges.chat_reply import objects
from murk.rewards.judges.chat_verdicts import Answer, Asked
from murk.rewards.judges.report import plain
from murk.rewards.score import summed
from murk.rewards.synthesis_prompts import AGAIN, CRITERIA, OBJECTIVE, QUESTION, ROLES

ROLE_NAMES = ("explicit", "implicit", "negative")
HIGHEST = 10
_MOST_CHARS = 100_000
_Reader = Callable[[Mapping[str, Any]], Any]


class Model(Protocol):
    """What the judges `chat` and `transformers` are, beside judges."""

    def ask(self, asked: Sequence[Asked]) -> list[Answer]:
        """Puts requests to the model, and gives their answers in the same order; none raises."""
        ...


@dataclass(frozen=True, slots=True)
class Discarded:
    """A criterion that was left out, as far as it could be read, and why."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What came of a summary.

    Attributes:
        task: As files of tasks have it (`murk.envs.tasks`), with the summary in `meta`; None where there is none.
        discarded: Criteria that were left out.
        problem: Why there is no task; empty where there is one.
        usage: What it spent, by name: `calls`, `tokens_in`, `tokens_out`, `money`.
    """

    task: Mapping[str, Any] | None
    discarded: tuple[Discarded, ...] = ()
    problem: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)


def synthesize_rubric(summary: str, model: Model, judge: Model, language: str = "en") -> Synthesis:
    """A task from a summary of what a good report would say.

    Args:
        summary: What is to be known; no policy ever sees it.
        model: Writes criteria and question.
        judge: Says which criteria are objective; another model than the first, or the check is none.
        language: Tag of the language to write in.

    Raises:
        UsageError: the summary is empty, or the judge is the same object as the model.
    """
    if not summary.strip():
        raise UsageError("the summary is empty; allowed is a text on what a good report would say.")
    if model is judge:
        raise UsageError("model and judge are the same; allowed is a judge of its own.")
    work = _Work(model, judge)
    try:
        task = work.task(summary, language)
    except _NoReplyError as error:
        return Synthesis(None, tuple(work.discarded), str(error), summed(work.usages))
    return Synthesis(task, tuple(work.discarded), "", summed(work.usages))


class _NoReplyError(Exception):
    """A step has nothing to go on with."""


class _Work:
    """One synthesis: what was left out and spent so far."""

    def __init__(self, model: Model, judge: Model) -> None:
        self.model, self.judge = model, judge
        self.discarded: list[Discarded] = []
        self.usages: list[Mapping[str, float]] = []

    def task(self, summary: str, language: str) -> dict[str, Any]:
        kept = self._objective(self._criteria(summary, language))
        self._check(kept)
        listing = "\n".join(f"{i}. ({one['role']}) {one['text']}" for i, one in enumerate(kept))
        question = self._one(QUESTION.format(criteria=listing, language=language), _question, "a question")
        kept = self._same_roles(question, kept)
        self._check(kept)
        rubric = [{"id": f"c{i}", **one, "fatal": False} for i, one in enumerate(kept)]
        name = f"rubric-{derive(0, canonical_json([question, rubric])):016x}"
        task = {"id": name, "question": question, "kind": "rubric", "language": language, "rubric": rubric}
        Task.of(task)
        return task | {"meta": {"summary": summary}}

    def _criteria(self, summary: str, language: str) -> list[dict[str, Any]]:
        prompt = CRITERIA.format(summary=summary, language=language, highest=HIGHEST)
        kept: list[dict[str, Any]] = []
        seen: set[str] = set()
        for data in self._one(prompt, _list("criteria"), "a list of criteria"):
            made = _criterion(data)
            if isinstance(made, Discarded):
                self.discarded.append(made)
            elif plain(made["text"]) in seen:
                self.discarded.append(Discarded(made["text"], "it is there twice"))
            else:
                seen.add(plain(made["text"]))
                kept.append(made)
        return kept

    def _objective(self, criteria: list[dict[str, Any]]) -> list[dict[str, Any]]:
        prompts = [OBJECTIVE.format(criterion=one["text"]) for one in criteria]
        kept = []
        for one, said in zip(criteria, self._ask(self.judge, prompts, _objectivity), strict=True):
            if said is None:
                self.discarded.append(Discarded(one["text"], "the judge gave no verdict on it"))
            elif not said[0]:
                self.discarded.append(Discarded(one["text"], f"not objective: {said[1]}"))
            else:
                kept.append(one)
        return kept

    def _same_roles(self, question: str, criteria: list[dict[str, Any]]) -> list[dict[str, Any]]:
        listing = "\n".join(f"{i}. {one['text']}" for i, one in enumerate(criteria))
        prompt = ROLES.format(question=question, criteria=listing)
        roles = dict(map(_role, self._one(prompt, _list("roles"), "a list of roles")))
        kept = []
        for i, one in enumerate(criteria):
            if (role := roles.get(i)) == one["role"]:
                kept.append(one)
            else:
                self.discarded.append(Discarded(one["text"], f"its role was {one['role']} and is {role or 'none'}"))
        return kept

    def _check(self, criteria: Sequence[Mapping[str, Any]]) -> None:
        if not any(one["role"] == "explicit" for one in criteria):
            raise _NoReplyError("no explicit criterion is left")

    def _one(self, prompt: str, read: _Reader, wanted: str) -> Any:
        (found,) = self._ask(self.model, [prompt], read)
        if found is None:
            raise _NoReplyError(f"the model gave no {wanted.removeprefix('a ')} in two replies")
        return found

    def _ask(self, model: Model, prompts: Sequence[str], read: _Reader) -> list[Any]:
        """What replies say, None for what cannot be read; those are asked for once more."""
        if not prompts:
            return []
        found = self._round(model, prompts, read, 0)
        missing = [i for i, one in enumerate(found) if one is None]
        again = self._round(model, [prompts[i] + AGAIN for i in missing], read, 1) if missing else []
        for i, one in zip(missing, again, strict=True):
            found[i] = one
        return found

    def _round(self, model: Model, prompts: Sequence[str], read: _Reader, trial: int) -> list[Any]:
        answers = model.ask([Asked([{"role": "user", "content": prompt}], trial) for prompt in prompts])
        self.usages += [answer.usage for answer in answers]
        return [_read(answer.text or "", read) for answer in answers]


def _read(reply: str, read: _Reader) -> Any:
    """What the last object that can be read says; thoughts up to `</think>` are passed over."""
    text = reply[:_MOST_CHARS].rpartition("</think>")[2]
    found = [said for data in objects(text) if isinstance(data, dict) and (said := read(data)) is not None]
    return found[-1] if found else None


def _criterion(data: Any) -> dict[str, Any] | Discarded:
    text = data.get("text") if isinstance(data, dict) else None
    if not isinstance(text, str) or not text.strip():
        return Discarded(str(data)[:200], "it has no text")
    text, role, weight = " ".join(text.split()), data.get("role"), data.get("weight")
    if role not in ROLE_NAMES:
        return Discarded(text, f"its role is {role!r}; allowed are {', '.join(ROLE_NAMES)}")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < abs(weight) <= HIGHEST:
        return Discarded(text, f"its weight is {weight!r}; allowed are numbers above 0 to {HIGHEST}")
    if weight < 0 and role != "negative":
        return Discarded(text, f"its weight is {weight:g}, but its role is {role}")
    signed = -abs(float(weight)) if role == "negative" else float(weight)
    return {"text": text, "weight": signed, "axis": str(data.get("axis") or ""), "role": role}


def _list(name: str) -> _Reader:
    return lambda data: data[name] if isinstance(data.get(name), list) and data[name] else None


def _question(data: Mapping[str, Any]) -> str | None:
    said = data.get("question")
    return " ".join(said.split()) if isinstance(said, str) and said.strip() else None


def _objectivity(data: Mapping[str, Any]) -> tuple[bool, str] | None:
    said = data.get("objective")
    return (said, str(data.get("reason") or "no reason given")[:300]) if isinstance(said, bool) else None


def _role(data: Any) -> tuple[Any, Any]:
    """Number and role of one entry; what cannot be read is the role of none."""
    number = data.get("number") if isinstance(data, dict) else None
    return (number if type(number) is int else None), (data.get("role") if isinstance(data, dict) else None)
