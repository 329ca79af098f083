"""The relations that invented worlds state, worded by the phrase books."""

from murk.envs.worlds.facts import Relation
from murk.envs.worlds.invented.names import LANGUAGES
from murk.envs.worlds.invented.voice import phrase_book

CHANGING = frozenset({"employer", "chief_executive", "employees", "revenue", "population", "mayor"})
_TOLERANCE = 0.002  # values of two editions differ by more

# Names by what their subjects are, and by what their values are.
_NAMES = {
    "person": {"entity": "birthplace residence employer mentor", "date": "birth_year", "text": "field"},
    "firm": {
        "entity": "headquarters chief_executive founder",
        "date": "founded",
        "text": "sector",
        "number": "employees revenue",
    },
    "town": {"entity": "mayor region twin_town", "number": "population elevation area"},
    "region": {"entity": "country seat", "date": "established"},
    "country": {"entity": "capital", "date": "independence", "text": "currency"},
    "work": {"entity": "author publisher dedicatee", "date": "published", "text": "genre", "number": "pages"},
    "structure": {"entity": "location designer builder", "date": "opened"},
    "long": {"number": "length"},
    "high": {"number": "height"},
    "observatory": {"number": "aperture"},
    "river": {"entity": "mouth source"},
    "event": {"entity": "venue winner sponsor", "date": "held_on", "number": "attendance"},
}


def _relation(name: str, subject: str, kind: str) -> Relation:
    said = {language: phrase_book(language)["relations"][name] for language in LANGUAGES}
    return Relation(
        name,
        {language: words["phrase"] for language, words in said.items()},
        kind,
        {language: phrase_book(language)["nouns_of"][subject] for language in LANGUAGES},
        changes=name in CHANGING,
        tolerance=_TOLERANCE,
        questions={language: (words["ask"],) for language, words in said.items()},
        members={language: words["members"] for language, words in said.items() if "members" in words},
        degrees={language: tuple(words["degrees"]) for language, words in said.items() if "degrees" in words},
    )


RELATIONS = tuple(
    _relation(name, subject, kind)
    for subject, kinds in _NAMES.items()
    for kind, names in kinds.items()
    for name in names.split()
)
BY_NAME = {relation.name: relation for relation in RELATIONS}
