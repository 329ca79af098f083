"""Tasks whose answer is a subject: the one of two, or of a group, with the greatest or smallest value."""

from murk.envs.worlds.facts import Fact, Relation
from murk.envs.worlds.synthesize.draft import Desk, Draft, Refusal, shown
from murk.envs.worlds.synthesize.wording import sentence

_LEAD = 1.05
_MOST_MEMBERS = 60
_Group = tuple[Relation, list[str], str, list[str | None]]


def comparison(desk: Desk) -> Draft | Refusal:
    """Which of two subjects has more of something."""
    having: dict[str, list[str]] = {}
    for name in desk.nodes:
        for known in desk.knowledge.related(name):
            if _contested(desk, known):
                having.setdefault(known.name, []).append(name)
    shared = [desk.knowledge.relations[name] for name, subjects in having.items() if len(subjects) > 1]
    if not shared:
        return "no number in common"
    relation, less = desk.draws.pick(shared), desk.draws.below(2)
    pair = desk.draws.sample(having[relation.name], 2)
    ranked = _ranked(desk, pair, relation, bool(less))
    if isinstance(ranked, str):
        return ranked
    names = [desk.wording.name(name) for name in pair]
    phrase, degree = desk.wording.phrase(relation), desk.wording.degree(relation, less)
    question = desk.wording.fill("compare", desk.draws, a=names[0], b=names[1], phrase=phrase, degree=degree)
    return _draft(desk, question, ranked, relation, tuple(pair), 0.5)


def aggregation(desk: Desk) -> Draft | Refusal:
    """Which of the subjects that share a link, or to which a subject links, has the most of something."""
    groups = [group for name in desk.nodes for group in _groups(desk, name)]
    if not groups:
        return "no group of a fit size"
    relation, anchor, title, found = desk.draws.pick(groups)
    members = [name for name in found if name is not None]
    if len(members) < len(found):
        return "a member is not known"
    numbers = [r for r in desk.knowledge.related(members[0]) if _contested(desk, r)]
    if not numbers:
        return "no number in common"
    measure, least = desk.draws.pick(numbers), desk.draws.below(2)
    ranked = _ranked(desk, members, measure, bool(least))
    if isinstance(ranked, str):
        return ranked
    words = {"phrase": desk.wording.phrase(measure), "degree": desk.wording.degree(measure, 2 + least)}
    group = desk.wording.members(relation, title, desk.draws)
    question = desk.wording.fill("aggregate", desk.draws, members=group, **words)
    entities = tuple(dict.fromkeys((*anchor, *(fact.subject for fact in ranked))))
    return _draft(desk, question, ranked, measure, entities, 0.0, relation.name)


def _groups(desk: Desk, start: str) -> list[_Group]:
    """The groups that a subject makes or belongs to: the relation, the subject that makes it, its name, the members."""
    found: list[_Group] = []
    for relation in desk.knowledge.related(start):
        if relation.kind != "entity" or relation.changes or not desk.wording.knows(relation):
            continue
        facts = desk.knowledge.at(start, relation.name)
        if relation.many:
            members = [desk.knowledge.subject_at(fact.object_url) for fact in facts]
            found.append((relation, [start], desk.wording.name(start), members))
        elif facts[0].object_url:
            title = desk.wording.name(shown(facts[0]))
            found.append((relation, [], title, [*desk.knowledge.members(relation.name, facts[0].object_url)]))
    return [group for group in found if 3 <= len(group[3]) <= _MOST_MEMBERS]


def _draft(
    desk: Desk,
    question: str,
    ranked: list[Fact],
    relation: Relation,
    entities: tuple[str, ...],
    chance: float,
    *more: str,
) -> Draft:
    if relation.changes:
        question = desk.wording.newest(question, desk.draws)
    options = tuple(tuple(desk.knowledge.names(fact.subject)) for fact in ranked)
    return Draft(sentence(question), ranked[0], entities, (*more, relation.name), options=options, chance=chance)


def _contested(desk: Desk, relation: Relation) -> bool:
    return relation.kind == "number" and relation.asked and not relation.many and desk.wording.knows(relation)


def _ranked(desk: Desk, subjects: list[str], relation: Relation, less: bool) -> list[Fact] | Refusal:
    """The subjects' newest facts, winner first, if the same one leads clearly in every edition that knows them all."""
    dates = sorted({date for subject in subjects for date in desk.knowledge.editions(subject, relation.name)})
    leaders, ranked = [], list[Fact]()
    for date in (*dates,) or (None,):
        facts = [desk.knowledge.one(subject, relation.name, date) for subject in subjects]
        known = [fact for fact in facts if fact is not None and fact.number is not None]
        if len(known) < len(subjects):
            continue
        ranked = sorted(known, key=lambda fact: (fact.number or 0) * (1 if less else -1))
        low, high = sorted((ranked[0].number or 0, ranked[1].number or 0))
        if low <= 0 or high < low * max(_LEAD, 1 + 3 * relation.tolerance):
            return "no clear first"
        if ranked[0].unit != ranked[1].unit:
            return "units differ"
        leaders.append(ranked[0].subject)
    if not leaders or not all(map(desk.knowledge.current, ranked)):
        return "not known of every member"
    return ranked if len(dict.fromkeys(leaders)) == 1 else "another leads in another edition"
