"""The parts of a question that asks for something of something else, and the facets of one that asks for a report."""

import re
from dataclasses import dataclass

from murk.rollout.policies.language import stems, word_set
from murk.rollout.policies.questions import LEADS, Question, direction_of, entities_of, wanted_of

_MARKER = re.compile(
    r"\b(?:with which|in which|to which|on which|that|whose|who|which|where|with the|having)\b", re.IGNORECASE
)
_LATER_VERB = re.compile(r"\s+(?:become|became|have|has|had)\b", re.IGNORECASE)
_VERB = re.compile(r"\s+(?:has|have|had|is|are|was|were|does|did|do)\b", re.IGNORECASE)
_WHOSE = re.compile(
    r"\b(?:the|an?|which|what)\s+(?!the\b)(?:\w+\s+)?(\w+)\s+whose\s+([^,?;]{2,80}?)\s+(?:is|was|are|were)\s+([^,?;]{2,80})",
    re.IGNORECASE,
)
_COVER = re.compile(
    r":|\b(?:cover|covers|covering|states?|stating|includes?|including|gives?|giving|mentions?|mentioning|contains?|"
    r"containing|its|their)\b",
    re.IGNORECASE,
)
_MANNER = word_set(
    "newest edition latest source sources cite cited citation short brief detailed new figure figures data"
)
_VERSION = re.compile(
    r"\b(?:first|oldest|earliest|last|latest)\s+(?:\w+\s+)?(?:edition|version|capture|snapshot|issue)\b"
    r"|\bfrom which (?:edition|version|capture|snapshot|issue)\b"
    r"|\b(?:edition|version|capture|snapshot|issue)\b[^.?]{0,30}\b(?:first|last)\b",
    re.IGNORECASE,
)
_ROLE = r"\b(?:in|at|by|of|does|did|has|(?!is\b|was\b|as\b|has\b)[a-z]{3,}s)\s+"
_PREDICATE = r"(?=\s+(?!(?:in|at|by|as|on|for|to|of|and|or|according|during|since)\b)[a-z])"
_FACETS = re.compile(r";|,\s*(?:and\s+)?|\s+and\s+|\n+|、|以及")


@dataclass(frozen=True, slots=True)
class Parts:
    """A question in two parts.

    Attributes:
        outer: What is asked of the thing or things that `inner` describes; the whole question where nothing is.
        inner: The description; empty where the things are named.
        inner_entities: Names in the description.
        wanted: Stems of what is asked for in the outer part.
        direction: 1 or -1 where the outer part asks for the most or least of several.
        inner_direction: The same for the inner part.
        facets: For a report, what it shall hold.
    """

    outer: str
    inner: str = ""
    inner_entities: tuple[str, ...] = ()
    wanted: frozenset[str] = frozenset()
    direction: int = 0
    inner_direction: int = 0
    facets: tuple[str, ...] = ()


def parts_of(question: Question) -> Parts:
    """Takes a question apart at its relative clause that holds a name."""
    text = question.text
    for mark in _MARKER.finditer(text):
        if not text[: mark.start()].strip():
            continue
        end = _end(text, mark.end(), question.entities)
        inner = text[mark.start() : end]
        entities = tuple(name for name in question.entities if name in inner)
        noun = re.search(r"(\w+)\W*$", text[: mark.start()])
        words = wanted_of(inner, entities)
        lead = re.search(r"[,:;?]\s*$", text[: mark.start()])
        if entities and noun and words and not lead and noun[1].lower() not in LEADS:
            outer = f"{text[: mark.start()]} {text[end:]}"
            wanted = wanted_of(outer, entities_of(outer))
            return Parts(outer, inner, entities, wanted, direction_of(outer), direction_of(inner))
    return Parts(text, wanted=question.wanted, direction=question.direction, facets=facets_of(question))


@dataclass(frozen=True, slots=True)
class Riddle:
    """Something that a question means by what is said of it: "the country whose capital is Paris".

    Attributes:
        start: Where it begins in the question.
        end: Where it ends.
        noun: What it is: "country".
        relation: "capital".
        value: "Paris".
    """

    start: int
    end: int
    noun: str
    relation: str
    value: str


def riddle_in(text: str) -> Riddle | None:
    """The innermost such description in a question, if there is one."""
    found = _WHOSE.search(text)
    if found is None:
        return None
    noun, relation, value = found.groups()
    value = re.split(r"\s+(?:at|shares?|has|have|in|by|with)\s", value)[0].strip() if value[:1] != '"' else value
    return Riddle(found.start(), found.start(3) + len(value), noun, relation, value)


def role_in(text: str, entities: tuple[str, ...]) -> tuple[str, str, str] | None:
    """Something that a question names by its part in something else, as (whole span, part, of whom).

    >>> role_in("How many people live in the headquarters of Ost Rail?", ("Ost Rail",))
    ('the headquarters of Ost Rail', 'headquarters', 'Ost Rail')
    """
    for name in entities:
        part = rf"(the\s+(\w+(?:\s+\w+){{0,3}}?)\s+of\s+{re.escape(name)})"
        found = re.search(rf"{_ROLE}{part}", text) or re.search(rf"\b(?:is|was)\s+{part}{_PREDICATE}", text)
        if found:
            return found[1], found[2], name
    return None


def _end(text: str, start: int, entities: tuple[str, ...]) -> int:
    """Where a relative clause ends: at a comma, or before a verb that follows its last name."""
    stop = re.compile(r"[,;?]").search(text, start)
    end = stop.start() if stop else len(text)
    for name in entities:
        at = text.find(name, start, end)
        verb = _VERB.match(text, at + len(name)) if at > start + 3 else None
        if verb and re.search(r"\w", text[start:at]):
            return verb.start()
    last = max((text.find(name, start, end) + len(name) for name in entities), default=start)
    later = _LATER_VERB.search(text, last, end) if last > start + 3 else None
    return later.start() if later else end


def facets_of(question: Question) -> tuple[str, ...]:
    """What a report is asked to hold: the members of the enumeration in the question."""
    text = question.text
    names = [text.find(name) + len(name) for name in question.entities[:1]]
    lead = _COVER.search(text, names[0] if names else 0)
    start = lead.end() if lead else names[0] if names else 0
    sentence = re.split(r"(?<=[.?!])\s+(?=[A-Z])", text[start:])[0]
    pieces = [piece.strip(" .?!") for piece in _FACETS.split(sentence)]
    return tuple(piece for piece in pieces if stems(piece) - _MANNER)[:16]


def asks_when_first(text: str) -> bool:
    """Whether a question asks which dated version of a page is the first or last to say something."""
    return bool(_VERSION.search(text))
