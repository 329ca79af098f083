"""Hedges: an answer among others that the report gives in its place, so that it gives none.

In a sentence, values that follow one another, parted by commas, "or", slashes and the like. Among sentences, those that
are equal but for the value: "It is 1873. It is 1874." Lines that hold nothing else are such sentences, too.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from murk.rewards.judges.numbers import Number

_PART = re.compile(r"\s*(?:,\s*(?:and|or)\b|[,;/|&、，；]|\b(?:and|or|vs\.?|versus)\b)\s*")
_BETWEEN = re.compile(r"\W{0,6}(?:[^\W\d]{1,12}\W{1,6})?(?:(?:and|or|to)\b\W{1,3})?")
_EITHER = re.compile(r"\bor\b|/")
_OPENERS = re.compile(
    r"^(?:\W|\b(?:on the contrary|no|yes|actually|rather|instead|well|or|and|but|maybe|perhaps|possibly|also|"
    r"alternatively|however|then|again)\b)+",
    re.IGNORECASE,
)
_SMALL = re.compile(r"\d{1,3}")
_WINDOW = 400
_LIKE, _SHORT, _NUMBERS = 4, 7, 3  # in a row: values of one kind, short items of any, numbers
_WORDS = 4  # of a short item, or of what may stand in a value's place


class Frame(NamedTuple):
    """The words of a sentence before and behind a value; whole numbers below 1,000 are all alike, as list marks are."""

    before: tuple[str, ...]
    behind: tuple[str, ...]


def in_a_row(text: str, start: int, end: int, aliases: Sequence[str]) -> bool:
    """Whether the words of a sentence from `start` to `end` are one of several in a row.

    That is: of four of their kind, of seven short items, or beside "or" or a slash with something of their kind.

    Args:
        aliases: Other words for the same, which are no alternative.
    """
    kind = _kind(text[start:end])
    right, left = split(text[end : end + _WINDOW]), split(text[max(0, start - _WINDOW) : start])
    sides = [
        (right[1::2], [re.findall(r"\w+", item) for item in right[::2]]),
        (left[-2::-2], [re.findall(r"\w+", item)[::-1] for item in left[::-2]]),
    ]
    like = short = 1
    for number, (parts, (near, *items)) in enumerate(sides):
        if len(near) > 1:
            continue  # the value's own item goes on: it is no list
        if parts and _EITHER.search(parts[0]) and items[0] and _kind(items[0][0]) == kind:
            own = [_words(alias)[:: -1 if number else 1] for alias in aliases]
            return not any(alias == [w.casefold() for w in items[0][: len(alias)]] for alias in own if alias)
        like += _run(items, kind)
        short += _run(items, "")
    return like >= _LIKE or short >= _SHORT


def numbers_in_a_row(text: str, numbers: Sequence[Number], at: int) -> bool:
    """Whether a number of a sentence is one of three or more like it in a row, or of two with "or" between them."""
    run = 1
    for way in (-1, 1):
        here = at
        while 0 <= here + way < len(numbers) and _alike(numbers[here], numbers[here + way]):
            first, second = sorted((here, here + way))
            between = text[numbers[first].end : numbers[second].start]
            if not _BETWEEN.fullmatch(between):
                break
            if _EITHER.search(between):
                return True
            run, here = run + 1, here + way
    return run >= _NUMBERS


def frame(text: str, start: int, end: int) -> Frame:
    """The frame of a value that stands in a sentence from `start` to `end`."""
    return Frame(words_of(without_opener(text[:start])), words_of(text[end:]))


def fills(text: str, words: tuple[str, ...], around: Frame, value: str) -> bool:
    """Whether a sentence has the frame of a value, and something of its kind in its place.

    Args:
        text: The sentence.
        words: The words of it, as `words_of` gives them without its opener.
        around: The frame.
        value: As it stands there.
    """
    first, last = len(around.before), len(words) - len(around.behind)
    if words[:first] != around.before or words[last:] != around.behind or not 1 <= last - first <= _WORDS:
        return False
    filler = re.findall(r"\w+", without_opener(text))[first:last]
    if not around.before and not around.behind and not _as_bare(text, filler, _words(value)):
        return False
    return all(word.isdigit() for word in filler) if value[:1].isdigit() else _kind(filler[0]) == _kind(value)


def _as_bare(text: str, filler: Sequence[str], value: Sequence[str]) -> bool:
    """Whether a line may stand where another is a bare value: it is no longer, has as many numbers, and no label."""
    numbers = [sum(word.isdigit() for word in words) for words in (filler, value)]
    return ":" not in text and len(filler) <= len(value) + 1 and numbers[0] == numbers[1]


def words_of(text: str) -> tuple[str, ...]:
    """Words for comparing sentences: case folded, whole numbers below 1,000 all alike.

    >>> words_of("In edition 2: 1874")
    ('in', 'edition', '#', '1874')
    """
    return tuple("#" if _SMALL.fullmatch(word) else word for word in _words(text))


def without_opener(text: str) -> str:
    """A sentence without the words that only lead on to it, such as "no," or "on the contrary"."""
    return _OPENERS.sub("", text)


def split(text: str) -> list[str]:
    """Items and the separators between them, in turn.

    >>> split("Ada, Ida or Una")
    ['Ada', ', ', 'Ida', ' or ', 'Una']
    """
    pieces, at = [], 0
    for part in _PART.finditer(text):
        pieces += [text[at : part.start()], part[0]]
        at = part.end()
    return [*pieces, text[at:]]


def _run(items: Sequence[Sequence[str]], kind: str) -> int:
    """How many items in a row begin with a word of a kind; one of many words is the last."""
    count = 0
    for words in items:
        if not words or (kind and _kind(words[0]) != kind):
            break
        count += 1
        if len(words) > _WORDS:
            break
    return count


def _alike(one: Number, other: Number) -> bool:
    low, high = sorted((abs(one.value), abs(other.value)))
    return one.year == other.year and high <= 5 * low


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _kind(text: str) -> str:
    """What a text begins with: `1` for a digit, `A` for a capital letter, `a` for another; empty for none."""
    found = re.search(r"\w", text)
    return "" if not found else "1" if found[0].isdigit() else "A" if found[0].isupper() else "a"
