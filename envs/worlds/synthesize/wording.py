"""How questions are worded: templates by language, filled with names and phrases."""

import re
from collections.abc import Mapping
from datetime import date as Date

from murk.envs.errors import UnknownName
from murk.envs.seeds import Draws
from murk.envs.worlds.facts import Fact, Relation

_TEMPLATES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "ask": ("What is the {phrase} of {subject}?",),
        "ask_which": ("Who or what is the {phrase} of {subject}?",),
        "newest": (
            "{ask} Go by the newest edition.",
            "Going by the newest edition: {ask}",
            "{ask} What counts is the newest edition.",
        ),
        "recent": ("{ask} The most recent figures count.", "{ask} Give the latest state that is known."),
        "past": ("As of {date}, {ask}", "According to the edition of {date}, {ask}", "In the edition of {date}, {ask}"),
        "year": ("In {year}, {ask}", "As things stood in {year}, {ask}"),
        "inverse": ("the {noun} whose {phrase} is {value}",),
        "step": ("the {phrase} of {subject}",),
        "compare": (
            "Which has the {degree} {phrase}, {a} or {b}? Begin with its name.",
            "Compare {a} and {b}: which of the two has the {degree} {phrase}? Begin with its name.",
            "Is it {a} or {b} that has the {degree} {phrase}? Begin the report with its name.",
        ),
        "members": ("{noun}s whose {phrase} is {value}",),
        "aggregate": (
            "Of the {members}, which one has the {degree} {phrase}? Begin with its name.",
            "Among the {members}, find the one with the {degree} {phrase}. Begin with its name.",
            "Which of the {members} has the {degree} {phrase}? Begin with its name.",
        ),
        "first": (
            "Which is the oldest edition that gives {value} as the {phrase} of {subject}? Begin with its date.",
            "From which edition on is {value} given as the {phrase} of {subject}? Begin with the date of that edition.",
        ),
        "report": (
            "Write a report on {subject}. Cover {facets}. Use the newest edition and cite your sources.",
            "Prepare a briefing on {subject} that states {facets}, from the newest edition, with sources.",
        ),
        "overview": (
            "Write a report on {subject}. Cover {facets}. Use the latest figures and cite your sources.",
            "Prepare a briefing on {subject} that states {facets}, as of the latest state known, with sources.",
        ),
        "degrees": ("higher", "lower", "highest", "lowest"),
        "and": (", ", " and "),
    },
    "zh": {
        "ask": ("{subject}的{phrase}是什么？", "请查明{subject}的{phrase}。"),
        "ask_which": ("{subject}的{phrase}是谁或什么？", "请查明{subject}的{phrase}。"),
        "newest": ("{ask}以最新版本为准。",),
        "recent": ("{ask}以最新情况为准。",),
        "past": ("截至{date}，{ask}", "根据{date}的版本，{ask}"),
        "year": ("在{year}年，{ask}", "{year}年时，{ask}"),
        "inverse": ("{phrase}为{value}的{noun}",),
        "step": ("{subject}的{phrase}",),
        "compare": ("{a}和{b}相比，哪一个的{phrase}{degree}？请先写出其名称。",),
        "members": ("{phrase}为{value}的{noun}",),
        "aggregate": ("在{members}中，哪一个的{phrase}{degree}？请先写出其名称。",),
        "first": ("最早把{value}列为{subject}的{phrase}的是哪一个版本？请先写出该版本的日期。",),
        "report": ("请撰写一份关于{subject}的报告，涵盖{facets}。以最新版本为准，并注明来源。",),
        "overview": ("请撰写一份关于{subject}的报告，涵盖{facets}。以最新情况为准，并注明来源。",),
        "degrees": ("更高", "更低", "最高", "最低"),
        "and": ("、", "和"),
    },
    "es": {
        "ask": ("¿Cuál es el dato «{phrase}» de {subject}?", "Indique el dato «{phrase}» de {subject}."),
        "ask_which": ("¿Quién o qué figura como «{phrase}» de {subject}?",),
        "newest": ("{ask} Cuenta la edición más reciente.",),
        "recent": ("{ask} Cuentan los datos más recientes.",),
        "past": ("A fecha de {date}: {ask}", "Según la edición del {date}: {ask}"),
        "year": ("En el año {year}: {ask}", "Según los datos de {year}: {ask}"),
        "inverse": ("la entidad ({noun}) cuyo dato «{phrase}» es {value}",),
        "step": ("la entidad que es «{phrase}» de {subject}",),
        "compare": ("¿Cuál tiene un valor {degree} de «{phrase}», {a} o {b}? Empiece por su nombre.",),
        "members": ("entidades ({noun}) con «{phrase}»: {value}",),
        "aggregate": ("¿Cuál de las {members} tiene el valor {degree} de «{phrase}»? Empiece por su nombre.",),
        "first": ("¿Cuál es la primera edición que da {value} como «{phrase}» de {subject}? Empiece por su fecha.",),
        "report": ("Escriba un informe sobre {subject}: {facets}. Use la edición más reciente y cite sus fuentes.",),
        "overview": ("Escriba un informe sobre {subject}: {facets}. Use los datos más recientes y cite sus fuentes.",),
        "degrees": ("mayor", "menor", "más alto", "más bajo"),
        "and": (", ", " y "),
    },
}  # fmt: skip
_MONTHS = (
    ("January", "enero"), ("February", "febrero"), ("March", "marzo"), ("April", "abril"), ("May", "mayo"),
    ("June", "junio"), ("July", "julio"), ("August", "agosto"), ("September", "septiembre"), ("October", "octubre"),
    ("November", "noviembre"), ("December", "diciembre"),
)  # fmt: skip
_ARTICLE = re.compile(
    r"(?!The )(?:.*\b(?:Islands|Republic|Strip|Kingdom|States|Emirates|Isles|Federation|Union|Territory|Lands|Bank)"
    r"|Netherlands|Philippines|Maldives|Comoros|Seychelles|DRC|Holy See.*|Isle of .*|.*Islands .*|Congo)"
)
_PAST = ((" is ", " was "), (" are ", " were "), (" live ", " lived "), (" heads ", " headed "))


class Wording:
    """Words in one language.

    Args:
        language: `en`, `zh` or `es`.
        editions: Whether the world's pages come in editions, by which questions then tell times; else by years.

    Raises:
        UnknownName: there are no templates for the language.
    """

    def __init__(self, language: str, editions: bool = True) -> None:
        if language not in _TEMPLATES:
            raise UnknownName("language of questions", language, list(_TEMPLATES))
        self.language, self.editions, self._text = language, editions, _TEMPLATES[language]

    def knows(self, relation: Relation) -> bool:
        """Whether the relation is worded in this language."""
        return self.language in relation.phrase

    def fill(self, name: str, draws: Draws, **slots: str) -> str:
        """One of the templates of a name, filled."""
        return draws.pick(self._text[name]).format(**slots)

    def name(self, name: str) -> str:
        """A proper name as it stands in a sentence, with the article that English wants."""
        if self.language != "en":
            return name
        if name.startswith("The ") and name.count(" ") == 1:
            return "the" + name[3:]
        return f"the {name}" if _ARTICLE.fullmatch(name) else name

    def phrase(self, relation: Relation) -> str:
        return relation.phrase[self.language]

    def noun(self, relation: Relation) -> str:
        return relation.subject.get(self.language, {"en": "subject", "zh": "对象", "es": "sujeto"}[self.language])

    def ask(self, relation: Relation, subject: str, draws: Draws) -> str:
        """A question for a value; `subject` is a name or a description of one."""
        plain = self._text["ask_which" if relation.kind == "entity" else "ask"]
        templates = relation.questions.get(self.language) or plain
        return sentence(draws.pick(templates).format(phrase=self.phrase(relation), subject=subject))

    def ask_now(self, relation: Relation, subject: str, draws: Draws) -> str:
        """The same, with a word on time where values change."""
        asked = self.ask(relation, subject, draws)
        return self.newest(asked, draws) if relation.changes else asked

    def newest(self, asked: str, draws: Draws) -> str:
        """A question with the word that the newest state counts."""
        return self.fill("newest" if self.editions else "recent", draws, ask=asked)

    def ask_past(self, relation: Relation, subject: str, fact: Fact, draws: Draws) -> str:
        """A question for a value at its date: that of the edition, or the year since which it holds."""
        asked = self.ask(relation, subject, draws)
        if self.language == "en":
            asked = asked[0].lower() + asked[1:]
            asked = next((asked.replace(now, then, 1) for now, then in _PAST if now in asked), asked)
        if fact.as_of:
            return self.fill("year", draws, ask=asked, year=fact.as_of[:4])
        return self.fill("past", draws, ask=asked, date=self.date(fact.edition))

    def degree(self, relation: Relation, number: int) -> str:
        """The word for more (0), less (1), most (2) or least (3)."""
        return (relation.degrees.get(self.language) or self._text["degrees"])[number]

    def members(self, relation: Relation, value: str, draws: Draws) -> str:
        """A phrase for the subjects that have a value; of a relation with many values, for the values of a subject."""
        given = relation.members.get(self.language)
        if given:
            return given.format(value=value, subject=value)
        noun = self.noun(relation)
        if self.language == "en" and noun.endswith("y"):
            noun = noun[:-1] + "ie"
        return self.fill("members", draws, noun=noun, phrase=self.phrase(relation), value=value)

    def listed(self, items: list[str]) -> str:
        """Items as a list in a sentence."""
        comma, last = self._text["and"]
        return comma.join(items[:-1]) + last + items[-1] if len(items) > 1 else items[0]

    def date(self, iso: str) -> str:
        """A date `YYYY-MM-DD` in words.

        >>> Wording("en").date("2021-03-01")
        '1 March 2021'
        """
        return self.dates(iso)[0]

    def dates(self, iso: str) -> list[str]:
        """Spellings of a date, the usual one first."""
        try:
            day = Date.fromisoformat(iso)
        except ValueError:
            return [iso]
        english, spanish = _MONTHS[day.month - 1]
        forms = [f"{day.day} {english} {day.year}", f"{english} {day.day}, {day.year}", iso]
        forms += [f"{day.day} de {spanish} de {day.year}", f"{day.year}年{day.month}月{day.day}日"]
        first = {"en": 0, "es": 3, "zh": 4}[self.language]
        return list(dict.fromkeys([forms[first], *forms]))


def sentence(text: str) -> str:
    """Text with a capital at its start.

    >>> sentence("the end")
    'The end'
    """
    return text[:1].upper() + text[1:]
