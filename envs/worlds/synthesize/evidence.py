"""Where the pages state a fact: the line of the gold page, and false values for the claims that a fault may plant."""

import re
import unicodedata
from dataclasses import replace

from murk.envs.errors import NotInSnapshot
from murk.envs.seeds import Draws
from murk.envs.web.snapshot import Snapshot
from murk.envs.worlds.facts import Fact, Relation
from murk.envs.worlds.synthesize.draft import same, spellings
from murk.envs.worlds.synthesize.knowledge import Knowledge

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_LONG, _END = 160, re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_SMALL = ("the", "of", "at", "and", "in", "de", "la", "el", "del")


class Evidence:
    """Finds quotes in the pages of a snapshot; without one, no quotes."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self._snapshot = snapshot
        self._pages: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def quote(self, fact: Fact, phrase: str) -> str | None:
        """The line or sentence of the fact's page that states it, "" without a snapshot; None where none does.

        Of several the one counts that has the most words of the phrase, in itself or in its label and heading;
        then the one with more in these; then the first.
        """
        if self._snapshot is None:
            return ""
        lines = self._lines(fact.url, fact.edition)
        wanted = list(map(needle, spellings(fact)))
        words = [word for word in plain(phrase).split() if word not in _SMALL]
        best, found = (-1, -1), None
        heading = ""
        for line, text in lines:
            heading = text if line.startswith("#") else heading
            if any(value in text for value in wanted):
                label = f"{heading} {plain(line.partition(':')[0])} " if ":" in line else heading
                labelled = _count(words, label)
                score = (max(labelled, _count(words, text)), labelled)
                if score > best:
                    best, found = score, line
        return found

    def _lines(self, url: str, date: str) -> list[tuple[str, str]]:
        if (url, date) not in self._pages:
            try:
                text = self._snapshot.page(url, date or None).text if self._snapshot else ""
            except NotInSnapshot:
                text = ""
            lines = [part.strip() for line in text.splitlines() if line.strip() for part in _sentences(line)]
            if len(self._pages) > 2_000:
                self._pages.clear()
            self._pages[url, date] = [(line, f" {plain(line)} ") for line in lines]
        return self._pages[url, date]


def plain(text: str) -> str:
    """Text as words are compared: case, accents and punctuation left out (as the rule judge compares them)."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(re.findall(r"\w+", "".join(c for c in folded if not unicodedata.combining(c))))


def needle(value: str) -> str:
    """What plain text with a space at either end holds where it holds a value: whole words, or Chinese characters."""
    words = plain(value)
    return words if any("\u3040" <= c <= "\u9fff" for c in words) else f" {words} "


def false_value(knowledge: Knowledge, fact: Fact, relation: Relation, draws: Draws, toward: int = 0) -> Fact | None:
    """A fact of the same type that is wrong in every edition; None where none is found.

    Args:
        toward: -1 to lower a number, 1 to raise it, 0 for either.
    """
    known = knowledge.all(fact.subject, relation.name)
    for _ in range(8):
        made = _changed(fact, draws, toward) if fact.number is not None else _borrowed(knowledge, fact, relation, draws)
        if made is not None and not any(same(made, f, 2 * relation.tolerance) or _overlap(made, f) for f in known):
            return made
    return None


def held(line: str, fact: Fact, tolerance: float) -> bool:
    """Whether a line holds the value of a fact: a spelling of it, or for a number one as near as the tolerance."""
    if fact.number is None:
        return any(needle(value) in f" {plain(line)} " for value in spellings(fact))
    wanted = [_digits(match[0]) for match in _NUMBER.finditer(fact.value)][:1]
    return any(
        abs(_digits(m[0]) - number) <= tolerance * abs(number) for m in _NUMBER.finditer(line) for number in wanted
    )


def _changed(fact: Fact, draws: Draws, toward: int) -> Fact | None:
    sign = toward or (1 if draws.below(2) else -1)
    factor = 1 + sign * (0.15 + 0.45 * draws.uniform())
    match = _NUMBER.search(fact.value)
    if not match or fact.number is None:
        return None
    # 105.523 is a whole number in Spanish, and 4.424 trillion is none.
    whole = fact.number == int(re.sub("[.,]", "", match[0]))
    text = restyled(match[0], factor, whole)
    old, new = (int(re.sub("[.,]", "", number)) for number in (match[0], text))
    if not old or not new:
        return None
    value = fact.value[: match.start()] + text + fact.value[match.end() :]
    return replace(fact, value=value, number=fact.number * new / old, aliases=(), shown="")


def restyled(text: str, factor: float, whole: bool) -> str:
    """A number times a factor, with as many decimals and the same signs between its digits.

    >>> restyled("999,000", 1.5, True), restyled("307,7", 1.5, False), restyled("1.476", 0.5, False)
    ('1,498,500', '461,6', '0.738')
    """
    signs = re.findall("[.,]", text)
    groups = re.split("[.,]", text)
    decimals = len(groups[-1]) if signs and not whole else 0
    digits = f"{round(int(''.join(groups)) * factor):0{decimals + 1}d}"
    front, back = (digits[:-decimals], signs[-1] + digits[-decimals:]) if decimals else (digits, "")
    grouped = len(signs) > (1 if decimals else 0)
    return (f"{int(front):,}".replace(",", signs[0]) if grouped else front) + back


def _digits(text: str) -> float:
    decimals = len(re.split("[.,]", text)[-1]) if _has_decimals(text) else 0
    return float(re.sub("[.,]", "", text)) / 10.0**decimals


def _has_decimals(text: str) -> bool:
    """Whether the last sign is a decimal one: not before three digits, or after another sign or a zero."""
    signs, last = re.findall("[.,]", text), re.split("[.,]", text)[-1]
    return bool(signs) and (len(last) != 3 or len(set(signs)) > 1 or text.startswith("0"))


def _borrowed(knowledge: Knowledge, fact: Fact, relation: Relation, draws: Draws) -> Fact | None:
    other = draws.pick(knowledge.subjects)
    lent = knowledge.one(other, relation.name)
    if (
        lent is None
        or other == fact.subject
        or plain(lent.value) in [plain(name) for name in knowledge.names(fact.subject)]
    ):
        return None
    return replace(lent, subject=fact.subject, url=fact.url, edition=fact.edition, subject_aliases=(), sources=())


def _count(words: list[str], text: str) -> int:
    return sum(f" {word} " in text for word in words)


def _overlap(one: Fact, other: Fact) -> bool:
    """Whether a spelling of one value holds a spelling of the other, so that no judge could tell them apart."""
    if one.number is not None:
        return False
    mine, theirs = ([f" {plain(s)} " for s in spellings(fact)] for fact in (one, other))
    return any(a in b or b in a for a in mine for b in theirs)


def _sentences(line: str) -> list[str]:
    """A line, or the sentences of a long one."""
    return [line] if len(line) <= _LONG else [part for part in _END.split(line) if part]
