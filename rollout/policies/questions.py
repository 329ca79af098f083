"""What a question asks for: of whom, which words, as of when, and what sort of answer would do."""

import re
from dataclasses import dataclass, field

from murk.rollout.policies.language import LEAST, MONTHS, MOST, date_in, key, names, stems, word_set

_YES_NO = re.compile(
    r"(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|might|may|must|"
    r"¿?(?:es|son|fue|está|tiene))\b|.*吗[?？]?$",
    re.IGNORECASE,
)
_CLAIM = re.compile(
    r"(?:is it (?:true|correct|the case) that|true or false:?|(?:check|verify) (?:the claim )?(?:that|whether)|"
    r"claim:)\s+[\"“]?(.+?)[\"”]?(?:\?|$)",
    re.IGNORECASE | re.DOTALL,
)
_TAIL = re.compile(r"\n\s*\n(?:Answer as of [^\n]*|Your budget: [^\n]*)\s*(?=\n|\Z)")
_AS_OF = re.compile(r"Answer as of ([^\n]*?)\.?\s*(?:\n|\Z)")
_QUOTED = re.compile(r"[\"“«「]([^\"“”«»「」]{2,80})[\"”»」]")
_EITHER = re.compile(r"\bor\b|\bbetween\b|\bamong\b|\bcompare\b|\bof the (?:two|three|four)\b|哪|还是| o ")
_DATED = re.compile(r"\b(?:is|was|are|were)\s+(?:the\s+)?\d[^,?]*|[\"“«].*?[\"”»]", re.IGNORECASE)
_OPEN = re.compile(
    r"\b(report|overview|profile|summary|summari[sz]e|describe|briefing|outline|informe|resumen)\b|报告|概述",
    re.IGNORECASE,
)
_MONTH = re.compile(rf"(?:{'|'.join(MONTHS)})(?: \d+)?", re.IGNORECASE)
_LIVING = re.compile(r"\bpeople (?:live|lived|are living)\b", re.IGNORECASE)
_TIME_WORDS = frozenset(MONTHS) | word_set("edition editions version capture snapshot dated today now newest date")
_ASKING = (MOST | LEAST) - {"highest", "lowest", "oldest", "longest", "largest", "first", "last"} | {"called"}
LEADS = word_set(
    "what which who whom whose when where why how is are was were do does did can could has have had will would should "
    "in on at as of to the a an for from by with and or if between among compare name give list write find tell state "
    "using according report describe check it both these those this that go going begin use cover prepare answer all "
    "each every i my you your please argue many much most newest note qué cuál quién cuándo dónde cuánto "
    "cuántos en"
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart.

    Attributes:
        text: As asked, without what follows it about date and budget.
        kind: `claim` (yes or no), `choice` (one of named options), `count`, `report`, or `fact`.
        entities: Names in it, in their order.
        wanted: Stems of the words that say what is asked.
        at: Date that it is asked for, `YYYY-MM-DD`; None for the newest state.
        direction: 1 where the most is asked for, -1 for the least, 0 for neither.
    """

    text: str
    kind: str = "fact"
    entities: tuple[str, ...] = ()
    wanted: frozenset[str] = field(default_factory=frozenset)
    at: str | None = None
    direction: int = 0

    @property
    def about(self) -> frozenset[str]:
        """Stems of the names."""
        return frozenset().union(*(stems(name) for name in self.entities))


def understand(message: str, at: str | None = None) -> Question:
    """Takes the first message of an episode apart; `at` is the date where that is known already."""
    as_of = _AS_OF.search(message)
    text = _TAIL.sub("", message).strip()
    claim = _CLAIM.match(text)
    asked = claim[1] if claim else text
    kind = _kind(text, bool(claim), entities_of(asked))
    if kind != "report":
        asked = _to_the_point(asked)
    entities = entities_of(asked)
    at = at or (date_in(as_of[1]) if as_of else date_in(_DATED.sub(" ", asked)))
    return Question(asked, kind, entities, wanted_of(asked, entities), at, direction_of(asked))


def _to_the_point(text: str) -> str:
    """The sentences of a question that name something; those on how to answer go."""
    sentences = re.split(r"(?<=[.?!])\s+(?=[A-Z])", text)
    naming = [sentence for sentence in sentences if entities_of(sentence) or date_in(sentence)]
    return " ".join(naming) or text


def direction_of(text: str) -> int:
    """1 where a text asks for the most of something, -1 for the least, 0 for neither."""
    for word in re.findall(r"\w+", text.lower()):
        if word in MOST or word in LEAST:
            return 1 if word in MOST else -1
    return 0


def entities_of(text: str) -> tuple[str, ...]:
    """Names in a question: what is quoted, and capitalised words other than those that lead a question."""
    found: list[str] = []
    for name in [*_QUOTED.findall(text), *names(_QUOTED.sub(" ", text))]:
        parts = name.split()
        while parts and (parts[0].lower() in LEADS or _MONTH.fullmatch(" ".join(parts))):
            parts = parts[1:]
        short = re.sub(r"['’]s?$|^[A-Z]{2,5} of (?=[A-Z])", "", " ".join(parts))
        if (
            not short.isdigit()
            and short.lower() not in _TIME_WORDS
            and key(short)
            and key(short) not in map(key, found)
        ):
            found.extend(_apart(short, text))
    longer = [name for name in found if not name.isupper()]
    return tuple(longer or found)


def _apart(name: str, text: str) -> list[str]:
    """A name, or the two that "compare A and B" has."""
    if " and " in name and re.search(rf"\b(?:compare|between)\s+(?:the\s+)?{re.escape(name)}", text, re.IGNORECASE):
        first, _, second = name.rpartition(" and ")
        return [first, re.sub(r"^the ", "", second)]
    return [name]


def wanted_of(text: str, entities: tuple[str, ...]) -> frozenset[str]:
    """Stems of what is asked for: the words of a question without names, comparisons and dates."""
    rest = _LIVING.sub("population", text)
    for name in entities:
        rest = rest if name.isupper() else rest.replace(name, " ")
    left = [word for word in stems(rest) if not word.isdigit() and word not in _TIME_WORDS]
    plain = [word for word in left if word not in _ASKING]
    return frozenset(plain) or stems(text)


def _kind(text: str, claim: bool, entities: tuple[str, ...]) -> str:
    low, direction = text.lower(), direction_of(text)
    if claim:
        return "claim"
    either = len(entities) > 1 and _EITHER.search(low)
    if either and (direction or (not _YES_NO.match(low) and re.search(r"\bwh|哪|cuál", low))):
        return "choice"
    if _YES_NO.match(low):
        return "claim"
    if re.match(r"(?:.*[.,:;]\s*)?how many\b|.*\bhow many of\b|cuántos|多少个", low):
        return "count"
    return "report" if _OPEN.search(text) and not low.startswith(("who", "when", "where")) else "fact"
