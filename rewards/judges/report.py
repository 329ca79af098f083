"""A report as the rule judge reads it: content without addresses, in sentences, and what each sentence asserts."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from murk.rewards.judges.hedges import fills, frame, in_a_row, numbers_in_a_row, without_opener, words_of
from murk.rewards.judges.numbers import Number, found
from murk.rewards.judges.visible import visible

_LINK_TARGET = re.compile(
    r"""\]\((?:[^()\s]++|\([^()\s]*+\))*+(?:\s(?:"[^"\n]{0,300}"|'[^'\n]{0,300}'))?\)|\\cite\s?\{[^{}]{0,2000}\}"""
)
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>()\[\]{}\"'。，、；！？]+")
_SHORT = (
    "Mt",
    "St",
    "Dr",
    "Mr",
    "Mrs",
    "Ms",
    "Jr",
    "Sr",
    "Gen",
    "Capt",
    "Col",
    "Lt",
    "Maj",
    "Prof",
    "Hon",
    "Rev",
    "Sen",
    "Gov",
    "vs",
    "[A-Z]",
)
_ABBREVIATED = "".join(rf"(?<!\b{word}\.)" for word in _SHORT)
_BREAK = re.compile(rf"\n+|(?<=[.!?;]){_ABBREVIATED}\s+|(?<=[。！？；])")
_REJECTED_BEFORE = re.compile(
    r"\b(?:not|never|nor|isn't|wasn't|rather than|instead of|contrary to|unlike|former|formerly|previous|previously|"
    r"earlier|older|outdated|(?:an)?other (?:source|page|edition)s?|some sources?|no longer)\b|而非|不是|并非"
)
_REJECTED_NEAR = re.compile(
    r"\b(?:incorrect|wrong|false|untrue|disputed|unverified|refuted|mistaken|inaccurate|misinformation|outdated|"
    r"contradict\w{0,6}|could not (?:be )?(?:verify|verified|confirm|confirmed)|cannot be (?:verified|confirmed))\b|"
    r"错误|有误|不实|未经证实"
)
_CLAUSE = re.compile(r";| and | but | whereas | while ")
_REACH = 60
MOST_CHARS = 200_000
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
_MOST_NUMBERS, _MOST_ITEMS, _MOST_BARE, _BARE_WORDS, _MOST_FRAMES, _MOST_PLACES = 9, 8, 40, 4, 30, 30
_ITEM = re.compile(r"[,;|/、，；]|\bor\b")


def plain(text: str) -> str:
    """Text as it is compared: case folded, accents and punctuation left out, one space between words.

    >>> plain("São-Tomé, (the)  Capital!")
    'sao tome the capital'
    """
    folded = text.casefold()
    if not folded.isascii():
        decomposed = unicodedata.normalize("NFKD", folded)
        folded = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", folded))


def content(text: str) -> str:
    """Text without citations and addresses: these name sources and say nothing."""
    return _ADDRESS.sub(" ", _LINK_TARGET.sub(" ", text))


class Sentence:
    """One sentence, read as far as it is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain = f" {plain(text)} "
        self._numbers: list[Number] | None = None
        self._words: tuple[str, ...] | None = None

    @property
    def numbers(self) -> list[Number]:
        """The numbers in it."""
        if self._numbers is None:
            self._numbers = found(self.text)
        return self._numbers

    @property
    def words(self) -> tuple[str, ...]:
        """Its words, for comparing it with other sentences."""
        if self._words is None:
            self._words = words_of(without_opener(self.text))
        return self._words

    def names(self, names: Sequence[str]) -> bool:
        """Whether it holds one of the names as whole words."""
        return any(holds(self, name) for name in names)


class Report:
    """A report, read once for all criteria."""

    def __init__(self, text: str) -> None:
        self.text = content(visible(text[:MOST_CHARS]))
        self.plain = plain(self.text)
        self.sentences = [Sentence(part) for part in _BREAK.split(self.text) if part and not part.isspace()]
        bare = sum(len(sentence.plain.split(None, _BARE_WORDS)) <= _BARE_WORDS for sentence in self.sentences)
        self.listing = bare > _MOST_BARE or len(text) > MOST_CHARS

    def states(self, check: Mapping[str, Any]) -> bool:
        """Whether a sentence gives the value of a check, one that is no mere list of candidates."""
        if self.listing:
            return False
        stating = [sentence for sentence in self.sentences if _states(sentence, check)]
        return bool(stating) and not ("rivals" in check and self._hedged(stating, check))

    def _hedged(self, stating: Sequence[Sentence], check: Mapping[str, Any]) -> bool:
        """Whether the value is one of several that equal sentences give in its place."""
        places = ((sentence.text, *place) for sentence in stating for place in _places(sentence, check))
        frames = dict.fromkeys((frame(text, start, end), text[start:end]) for text, start, end in places)
        for around, value in islice(frames, _MOST_FRAMES):
            least = 1 if around.before or around.behind else 2  # of bare lines, one may be a heading
            for other in self.sentences:
                if fills(other.text, other.words, around, value) and not _heads(other) and not _holds(other, check):
                    least -= 1
            if least <= 0:
                return True
        return False

    def asserts(self, check: Mapping[str, Any]) -> bool:
        """Whether a sentence gives the value without rejecting it, and not about another subject."""
        return any(_asserts(sentence, check) for sentence in self.sentences)

    def conflicts(self, check: Mapping[str, Any]) -> bool:
        """Whether a rival value of a check is asserted, in a sentence that does not date it as the rival's own."""
        about = {name: check[name] for name in ("subjects", "elsewhere", "unit", "tolerance") if name in check}
        for rival in check.get("rivals", ()):
            when = str(rival.get("when", ""))
            own = when and when != str(check.get("when", ""))
            for sentence in self.sentences:
                if own and when in _YEAR.findall(sentence.text):
                    continue
                if _asserts(sentence, {**about, **rival}):
                    return True
        return False


@lru_cache(maxsize=4)
def read(text: str) -> Report:
    """The report; the last few are kept, as one report is judged by many criteria."""
    return Report(text)


def holds(sentence: Sentence, value: str) -> bool:
    """Whether a sentence holds a value as whole words; one that begins with a sign, such as `.de`, to the letter."""
    if re.match(r"\.\w", value):
        return re.search(rf"(?<!\w){re.escape(value.casefold())}(?!\w)", sentence.text.casefold()) is not None
    words, cjk = _value(value)
    return bool(words) and (words in sentence.plain if cjk else f" {words} " in sentence.plain)


def _states(sentence: Sentence, check: Mapping[str, Any]) -> bool:
    if "number" in check and len(sentence.numbers) > _MOST_NUMBERS:
        return False
    places = list(islice(_places(sentence, check), _MOST_PLACES))
    if "rivals" in check and any(_in_a_row(sentence, start, end, check) for start, end in places):
        return False
    for start, _ in places:
        if re.search(
            r"\b(?:not|rather than|instead of)\W+(?:\w+\W+)?$", sentence.text[max(0, start - 24) : start].casefold()
        ):
            continue
        if "number" in check:
            return True
        return len(_ITEM.findall(sentence.text)) <= _MOST_ITEMS or sentence.names(check.get("subjects", ()))
    return False


def _heads(sentence: Sentence) -> bool:
    return sentence.text.lstrip().startswith("#") or sentence.text.rstrip().endswith(":")


def _holds(sentence: Sentence, check: Mapping[str, Any]) -> bool:
    return next(_places(sentence, check), None) is not None


def _in_a_row(sentence: Sentence, start: int, end: int, check: Mapping[str, Any]) -> bool:
    """Whether a place of the value is in a list of candidates, or the sentence rejects what it gives there."""
    if _rejected(sentence.text, start, end):
        return True
    at = next((i for i, number in enumerate(sentence.numbers) if number.start == start), None)
    if at is not None and numbers_in_a_row(sentence.text, sentence.numbers, at):
        return True
    return in_a_row(sentence.text, start, end, check.get("values", ()))


def _asserts(sentence: Sentence, check: Mapping[str, Any]) -> bool:
    places = list(_places(sentence, check))
    if not places:
        return False
    if sentence.names(check.get("elsewhere", ())) and not sentence.names(check.get("subjects", ())):
        return False
    return not all(_rejected(sentence.text, start, end) for start, end in places)


def _places(sentence: Sentence, check: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Where a sentence holds the value of a check: from and to which character, as nearly as can be told."""
    for value in check.get("values", ()):
        if holds(sentence, value):
            places = [found.span() for found in re.finditer(re.escape(value.casefold()), sentence.text.casefold())]
            yield from places or [(0, len(sentence.text))]
    if "number" in check:
        for number in sentence.numbers:
            near = number.near(float(check["number"]), float(check.get("tolerance", 0.01)), str(check.get("unit")))
            if near and not (number.year and check.get("unit")):
                yield number.start, number.end


def _rejected(text: str, start: int, end: int) -> bool:
    before = _CLAUSE.split(text[max(0, start - _REACH) : start].casefold())[-1]
    after = _CLAUSE.split(text[end : end + _REACH].casefold())[0]
    return bool(_REJECTED_BEFORE.search(before) or _REJECTED_NEAR.search(before) or _REJECTED_NEAR.search(after))


@lru_cache(maxsize=1 << 12)
def _value(value: str) -> tuple[str, bool]:
    words = plain(value)
    return words, _cjk(words)


def _cjk(text: str) -> bool:
    return any("\u3040" <= c <= "\u9fff" for c in text)
