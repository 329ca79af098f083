"""A draft as a task: its rubric, every criterion of which a machine can check, and the claims a fault may plant."""

from collections.abc import Mapping, Sequence
from typing import Any

from murk.envs.seeds import derive
from murk.envs.worlds.facts import Fact, Relation
from murk.envs.worlds.synthesize.draft import Desk, Draft, Refusal, shown, spellings
from murk.envs.worlds.synthesize.evidence import Evidence, false_value, held, needle, plain

ANSWER, CITED, SUPPORTED, FALSE = 5.0, 2.0, 1.0, -4.0


def finish(kind: str, draft: Draft, desk: Desk, evidence: Evidence) -> dict[str, Any] | Refusal:
    """The task, or why there is none."""
    fact, relation = draft.fact, desk.knowledge.relations[draft.fact.relation]
    quote = evidence.quote(fact, desk.wording.phrase(relation))
    if quote is None:
        return "the value is not on the gold page"
    named = f" {plain(draft.question)} "
    if not draft.options and any(needle(value) in named for value in spellings(fact)):
        return "the question holds the answer"
    toward = _toward(desk, draft) if draft.options else 0
    false = false_value(desk.knowledge, fact, relation, desk.draws, toward)
    if false is None:
        return "no false value of the same type"
    about = {"subjects": desk.knowledge.names(fact.subject), "elsewhere": _elsewhere(desk, draft)}
    lie = {"kind": "asserts", **measured(false, relation), **about}
    if held(quote, false, relation.tolerance):
        return "the gold line holds the false value"
    rivals = [rival for rival in draft.rivals if not held(quote, rival, relation.tolerance)]
    when = fact.edition[:4] if relation.changes else ""
    check = _choice(draft) if draft.options else stated(fact, relation, about, (*rivals, false), when)
    pages = list(dict.fromkeys((fact.url, *(fact.sources if fact.number is not None else ()))))
    title = desk.wording.name(fact.subject)
    phrase = desk.wording.phrase(relation)
    answer = draft.options[0][0] if draft.options else shown(fact)
    criteria = [
        criterion("answer", f"The report's answer is {answer}.", ANSWER, check),
        criterion("cited", f"It cites the page on {title}.", CITED, {"kind": "cites", "urls": pages}),
        criterion("supported", f"A page that it cites states the {phrase} that it gives.", SUPPORTED,
                  {"kind": "supports", **measured(fact, relation)}),
        criterion("false", f"It gives {shown(false)} as the {phrase} of {title}.", FALSE, lie),
    ]  # fmt: skip
    return {
        "id": _name(kind, draft),
        "question": draft.question,
        "kind": kind,
        "language": desk.wording.language,
        **({"as_of": draft.date} if draft.date else {}),
        "answer": _answer(draft, relation),
        "gold": [source(fact, quote)],
        "claims": [claim("c1", fact, false, relation)],
        "rubric": criteria,
        "split": "train",
        "meta": {"entities": list(draft.entities), "relations": list(draft.relations), "chance": chance(draft)},
    }


def criterion(name: str, text: str, weight: float, check: dict[str, Any], role: str = "") -> dict[str, Any]:
    """A criterion of a rubric."""
    role = role or ("explicit" if weight > 0 else "negative")
    return {"id": name, "text": text, "weight": weight, "axis": "facts", "role": role, "check": check}


def stated(
    fact: Fact, relation: Relation, about: Mapping[str, list[str]], rivals: Sequence[Fact], when: str
) -> dict[str, Any]:
    """The check that a report gives the value of a fact, and none that conflicts with it."""
    conflicts = []
    for rival in rivals:
        dated = {"when": rival.edition[:4]} if rival.edition != fact.edition and rival.edition else {}
        conflicts.append(measured(rival, relation) | dated)
    kind = "value" if fact.number is not None else "alias"
    return {"kind": kind, **measured(fact, relation), **about, "rivals": conflicts} | ({"when": when} if when else {})


def measured(fact: Fact, relation: Relation) -> dict[str, Any]:
    """How a check names a value: a number with its tolerance, or spellings."""
    if fact.number is not None:
        return {"number": fact.number, "tolerance": relation.tolerance} | ({"unit": fact.unit} if fact.unit else {})
    return {"values": list(spellings(fact))}


def source(fact: Fact, quote: str) -> dict[str, str]:
    """A gold page: its address, the edition, and the line that states the fact."""
    return {"url": fact.url} | ({"at": fact.edition} if fact.edition else {}) | ({"quote": quote} if quote else {})


def claim(name: str, fact: Fact, false: Fact, relation: Relation) -> dict[str, Any]:
    """A claim that a fault may plant: the value as the page has it, and a false one of the same type."""
    return {"id": name, "subject": fact.subject, "relation": relation.name, "true": fact.value, "false": false.value,
            "type": relation.kind, "url": fact.url}  # fmt: skip


def chance(draft: Draft) -> float:
    """What guessing by the question scores, on average."""
    return draft.chance * ANSWER / (ANSWER + CITED + SUPPORTED)


def _elsewhere(desk: Desk, draft: Draft) -> list[str]:
    """Names of the other subjects that a report on the question speaks of."""
    return [name for other in draft.entities if other != draft.fact.subject for name in desk.knowledge.names(other)]


def _choice(draft: Draft) -> dict[str, Any]:
    return {"kind": "choice", "options": [list(option) for option in draft.options], "value": 0}


def _answer(draft: Draft, relation: Relation) -> dict[str, Any]:
    if draft.options:
        return {"value": draft.options[0][0], "aliases": list(draft.options[0][1:])}
    first, *more = spellings(draft.fact)
    number = {"number": draft.fact.number, "unit": draft.fact.unit, "tolerance": relation.tolerance}
    return {"value": first, "aliases": more} | (number if draft.fact.number is not None else {})


def _toward(desk: Desk, draft: Draft) -> int:
    """Which way the winner's number must go for another to win."""
    facts = [desk.knowledge.one(name, draft.fact.relation) for name in draft.entities]
    numbers = [fact.number for fact in facts if fact is not None and fact.number is not None]
    if draft.fact.number is None or not numbers:
        return 0
    return -1 if draft.fact.number >= max(numbers) else 1


def _name(kind: str, draft: Draft) -> str:
    slug = "-".join(plain(f"{draft.fact.subject} {draft.fact.relation}").split())[:60].strip("-")
    return f"{kind}-{slug}-{derive(0, draft.question) >> 40:06x}"
