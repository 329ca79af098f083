"""Open reports: facts with roles first, the question from them, and then the roles checked against the question."""

from dataclasses import replace
from typing import Any

from murk.envs.seeds import derive
from murk.envs.worlds.facts import Fact
from murk.envs.worlds.synthesize.draft import Desk, Draft, Refusal, shown
from murk.envs.worlds.synthesize.evidence import Evidence, false_value, held, plain
from murk.envs.worlds.synthesize.lookups import others
from murk.envs.worlds.synthesize.rubric import claim, criterion, measured, stated

EXPLICIT, IMPLICIT, CITED, SUPPORTED, FALSE = 2.0, 1.0, 2.0, 1.0, -2.0
_PLANTED = 2


def report(desk: Desk) -> Draft | Refusal:
    """A report on a subject that is asked for four to seven of its facts; one related fact is expected, too."""
    subject = desk.draws.pick(desk.nodes)
    known = [r for r in desk.knowledge.related(subject) if r.asked and not r.many and desk.wording.knows(r)]
    facts = [fact for r in known if (fact := desk.knowledge.one(subject, r.name)) is not None]
    facts = [fact for fact in facts if desk.knowledge.current(fact) and fact.edition == max(f.edition for f in facts)]
    if len(facts) < 5:
        return "too few facts for a report"
    wanted = min(4 + desk.draws.below(4), len(facts) - 1)
    chosen = desk.draws.sample(facts, wanted)
    implicit = _related(desk, chosen, facts)
    if implicit is None:
        return "no related fact to expect"
    roles = [(fact, "explicit") for fact in chosen] + [(implicit, "implicit")]
    phrases = [_phrase(desk, fact) for fact in chosen]
    listed = desk.wording.listed([f"the {p}" if desk.wording.language == "en" else p for p in phrases])
    form = "report" if desk.wording.editions else "overview"
    question = desk.wording.fill(form, desk.draws, subject=desk.wording.name(subject), facets=listed)
    if reread(desk, question, roles) != [role for _, role in roles]:
        return "a role read from the question is not the role that the fact was given"
    names = tuple(fact.relation for fact, _ in roles)
    return Draft(question, chosen[0], (subject,), names, facets=tuple(roles))


def reread(desk: Desk, question: str, roles: list[tuple[Fact, str]]) -> list[str]:
    """The roles that the wording alone gives the facts: explicit where it names the relation."""
    text = f" {plain(question)} " if desk.wording.language != "zh" else plain(question)
    edge = "" if desk.wording.language == "zh" else " "
    return ["explicit" if f"{edge}{plain(_phrase(desk, f))}{edge}" in text else "implicit" for f, _ in roles]


def finish_report(kind: str, draft: Draft, desk: Desk, evidence: Evidence) -> dict[str, Any] | Refusal:
    """The task, or why there is none."""
    title = desk.wording.name(draft.fact.subject)
    about = {"subjects": desk.knowledge.names(draft.fact.subject)}
    criteria: list[dict[str, Any]] = []
    gold: list[dict[str, Any]] = []
    claims: list[dict[str, Any]] = []
    lines: list[str] = []
    quotes = [evidence.quote(fact, _phrase(desk, fact)) for fact, _ in draft.facets]
    if None in quotes:
        return "the value is not on the gold page"
    page = "\n".join(quote or "" for quote in quotes)
    for i, ((fact, role), quote) in enumerate(zip(draft.facets, quotes, strict=True)):
        relation, phrase = desk.knowledge.relations[fact.relation], _phrase(desk, fact)
        if held(draft.question, replace(fact, number=None), 0):
            return "the question holds the answer"
        rivals = [rival for rival in others(desk, fact, relation) if not held(page, rival, relation.tolerance)]
        planted: list[Fact] = []
        if role == "explicit" and len(claims) < _PLANTED:
            false = false_value(desk.knowledge, fact, relation, desk.draws)
            planted = [false] if false is not None and not held(page, false, relation.tolerance) else []
        check = stated(fact, relation, about, (*rivals, *planted), fact.edition[:4] if relation.changes else "")
        weight = EXPLICIT if role == "explicit" else IMPLICIT
        criteria.append(criterion(f"fact{i}", f"It gives the {phrase} of {title}: {shown(fact)}.", weight, check, role))
        gold.append(
            {"url": fact.url} | ({"at": fact.edition} if fact.edition else {}) | ({"quote": quote} if quote else {})
        )
        lines.append(f"{phrase}: {shown(fact)}")
        for lie in planted:
            claims.append(claim(f"c{len(claims) + 1}", fact, lie, relation))
            wrong = {"kind": "asserts", **measured(lie, relation), **about}
            criteria.append(criterion(f"false{i}", f"It gives {shown(lie)} as the {phrase} of {title}.", FALSE, wrong))
    if len(claims) < _PLANTED:
        return "no false value of the same type"
    pages = list(dict.fromkeys(fact.url for fact, _ in draft.facets))
    states = [{"kind": "supports", **measured(f, desk.knowledge.relations[f.relation])} for f, _ in draft.facets]
    criteria.append(criterion("cited", f"It cites the page on {title}.", CITED, {"kind": "cites", "urls": pages}))
    criteria.append(
        criterion(
            "supported",
            "A page that it cites states a value that it gives.",
            SUPPORTED,
            {"kind": "any", "checks": states},
        )
    )
    if draft.fact.edition:
        criteria.append(_dated(desk, draft.fact.edition))
    return {
        "id": f"{kind}-{'-'.join(plain(draft.fact.subject).split())}-{derive(0, draft.question) >> 40:06x}",
        "question": draft.question,
        "kind": kind,
        "language": desk.wording.language,
        "answer": {"value": _text(title, lines, desk, draft.fact.edition), "aliases": []},
        "gold": gold,
        "claims": claims,
        "rubric": criteria,
        "split": "train",
        "meta": {"entities": list(draft.entities), "relations": list(draft.relations), "chance": 0.0},
    }


def _dated(desk: Desk, edition: str) -> dict[str, Any]:
    """Expected without being asked: which state of affairs the report gives."""
    check = {"kind": "alias", "values": [*desk.wording.dates(edition), edition[:4]]}
    return criterion("dated", "It says which edition its figures come from.", IMPLICIT, check, "implicit")


def _related(desk: Desk, chosen: list[Fact], facts: list[Fact]) -> Fact | None:
    """A fact whose relation shares a word with one that is asked for, as the area of land with the whole area."""
    words = {word for fact in chosen for word in plain(_phrase(desk, fact)).split() if len(word) > 3}
    left = [fact for fact in facts if fact not in chosen]
    near = [fact for fact in left if words & set(plain(_phrase(desk, fact)).split())]
    return desk.draws.pick(near) if near else None


def _text(title: str, lines: list[str], desk: Desk, edition: str) -> str:
    dated = f" ({desk.wording.date(edition)})" if edition else ""
    return "\n".join([f"{title}{dated}", *(f"- {line}" for line in lines)])


def _phrase(desk: Desk, fact: Fact) -> str:
    return desk.wording.phrase(desk.knowledge.relations[fact.relation])
