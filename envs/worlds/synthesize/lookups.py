"""Tasks whose answer is one value: of a subject, at a date, or of a subject that must be found first."""

from murk.envs.worlds.facts import Fact, Relation
from murk.envs.worlds.synthesize.draft import Desk, Draft, Refusal, same, shown, spellings

_LEAD = 1.05


def single_hop(desk: Desk) -> Draft | Refusal:
    """The value of one fact, in the newest edition."""
    subject = desk.draws.pick(desk.nodes)
    picked = value_of(desk, subject)
    if isinstance(picked, str):
        return picked
    fact, relation = picked
    question = desk.wording.ask_now(relation, desk.wording.name(subject), desk.draws)
    return Draft(question, fact, (subject,), (relation.name,), rivals=others(desk, fact, relation))


def multi_hop(desk: Desk) -> Draft | Refusal:
    """The value of a subject that is only described: by one of its values, by a link, or by both."""
    start = desk.draws.pick(desk.nodes)
    walked = desk.draws.pick((_linked, _described, _both))(desk, start)
    if isinstance(walked, str):
        return walked
    known, place, relations = walked
    picked = value_of(desk, known[-1], tuple(relations))
    if isinstance(picked, str):
        return picked
    fact, relation = picked
    question = desk.wording.ask_now(relation, place, desk.draws)
    names = (*relations, relation.name)
    return Draft(question, fact, tuple(dict.fromkeys(known)), names, rivals=others(desk, fact, relation))


def temporal(desk: Desk) -> Draft | Refusal:
    """A value in an earlier edition, or the edition that first gives a value."""
    subject = desk.draws.pick(desk.nodes)
    changing = [r for r in desk.knowledge.related(subject) if r.changes and r.asked and desk.wording.knows(r)]
    if not changing:
        return "no value that changes"
    relation = desk.draws.pick(changing)
    dates = desk.knowledge.editions(subject, relation.name)
    if len(dates) < 2:
        return "only one edition"
    if desk.wording.editions and relation.kind in ("name", "entity") and desk.draws.below(3) == 0:
        return _first_edition(desk, subject, relation, dates)
    date = desk.draws.pick(dates[:-1])
    fact = desk.knowledge.one(subject, relation.name, date)
    if fact is None:
        return "several values in one edition"
    if all(same(fact, other, relation.tolerance) for other in desk.knowledge.all(subject, relation.name)):
        return "the value does not change"
    question = desk.wording.ask_past(relation, desk.wording.name(subject), fact, desk.draws)
    return Draft(question, fact, (subject,), (relation.name,), date=date, rivals=others(desk, fact, relation))


def value_of(desk: Desk, subject: str, avoid: tuple[str, ...] = ()) -> tuple[Fact, Relation] | Refusal:
    """A random relation of a subject that can be asked for, with its one newest value."""
    known = desk.knowledge.related(subject)
    open_ = [r for r in known if r.asked and not r.many and r.name not in avoid and desk.wording.knows(r)]
    if not open_:
        return "no value to ask for"
    relation = desk.draws.pick(open_)
    fact = desk.knowledge.one(subject, relation.name)
    if fact is None:
        return "several values in one edition"
    if not desk.knowledge.current(fact):
        return "not in the newest edition"
    return fact, relation


def others(desk: Desk, fact: Fact, relation: Relation) -> tuple[Fact, ...]:
    """The values of the same fact in other editions that are not the same."""
    found = [f for f in desk.knowledge.all(fact.subject, relation.name) if not same(f, fact, relation.tolerance)]
    return tuple({f.value: f for f in found}.values())


def _first_edition(desk: Desk, subject: str, relation: Relation, dates: list[str]) -> Draft | Refusal:
    values = [desk.knowledge.one(subject, relation.name, date) for date in dates]
    known = [fact for fact in values if fact is not None]
    if len(known) < len(dates):
        return "several values in one edition"
    # An edition of the page without a usable value may give this one, too.
    if any(date not in dates for fact in known for date in desk.knowledge.page_editions(fact.url)):
        return "not known of every edition"
    new = [i for i in range(1, len(known)) if not any(same(known[i], known[j], 0) for j in range(i))]
    if not new:
        return "the value does not change"
    at = desk.draws.pick(new)
    value, name = shown(known[at]), desk.wording.name(subject)
    phrase = desk.wording.phrase(relation)
    question = desk.wording.fill("first", desk.draws, value=value, phrase=phrase, subject=name)
    order = [dates[at], *(date for date in dates if date != dates[at])]
    years = [date[:4] for date in dates]
    options = tuple((*desk.wording.dates(date), *([date[:4]] if years.count(date[:4]) == 1 else [])) for date in order)
    return Draft(question, known[at], (subject,), (relation.name,), date=None, options=options)


_Walk = tuple[list[str], str, list[str]]


def _linked(desk: Desk, start: str) -> _Walk | Refusal:
    return _step(desk, [start], desk.wording.name(start), [])


def _described(desk: Desk, start: str) -> _Walk | Refusal:
    """A subject named only by a value that no other subject has."""
    values = [
        r for r in desk.knowledge.related(start) if r.kind in ("name", "date", "text") and not r.changes and not r.many
    ]
    values = [r for r in values if r.asked and r.telling and desk.wording.knows(r)]
    if not values:
        return "no value to tell it by"
    relation = desk.draws.pick(values)
    fact = desk.knowledge.one(start, relation.name)
    if fact is None:
        return "several values in one edition"
    if any(
        same(fact, f, 0) for s in desk.knowledge.subjects if s != start for f in desk.knowledge.all(s, relation.name)
    ):
        return "described by a value that others have"
    if any(name.casefold() in s.casefold() for name in desk.knowledge.names(start) for s in spellings(fact)):
        return "the description names the subject"
    words = {"noun": desk.wording.noun(relation), "phrase": desk.wording.phrase(relation)}
    return [start], desk.wording.fill("inverse", desk.draws, value=shown(fact), **words), [relation.name]


def _both(desk: Desk, start: str) -> _Walk | Refusal:
    described = _described(desk, start)
    return described if isinstance(described, str) else _step(desk, *described)


def _step(desk: Desk, known: list[str], place: str, relations: list[str]) -> _Walk | Refusal:
    """One link further: over a link of one value, or over the greatest of many."""
    links = [
        r for r in desk.knowledge.related(known[-1]) if r.kind == "entity" and not r.changes and desk.wording.knows(r)
    ]
    links = [r for r in links if r.foremost.get(desk.wording.language) or (r.asked and not r.many)]
    if not links:
        return "no link that leads to one subject"
    relation = desk.draws.pick(links)
    facts = desk.knowledge.at(known[-1], relation.name)
    if relation.many:
        facts = sorted(facts, key=lambda fact: -(fact.number or 0))
        if len(facts) < 2 or (facts[0].number or 0) < _LEAD * (facts[1].number or 0):
            return "no clear first among many"
        place = relation.foremost[desk.wording.language].format(subject=place)
    elif len(facts) != 1:
        return "several values in one edition"
    else:
        place = desk.wording.fill("step", desk.draws, phrase=desk.wording.phrase(relation), subject=place)
    target = desk.knowledge.subject_at(facts[0].object_url)
    if target is None or target in known:
        return "the link leads to no known subject"
    return [*known, target], place, [*relations, relation.name]
