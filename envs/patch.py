"""Patch edits: replace one passage of a text, found by a short anchor, exactly or approximately, or not at all.

The edit of the Step-DeepResearch paper (arXiv 2512.20491, section 4): the agent gives a changed fragment and a minimal
anchor instead of the whole file. An anchor that fits nowhere, or in several places, is refused with what was found.
"""

import re
from difflib import SequenceMatcher
from itertools import islice

from murk.envs.dialects.loose_json import shorten

MIN_RATIO = 0.8
MIN_LEAD = 0.05
MAX_WORK = 250_000
MAX_ALIKE = 3
MAX_TEXT = 1 << 20  # characters in which anything but the exact anchor is looked for
_SHOWN = 5
_TOKEN = re.compile(r"\w+|[^\w\s]")


class PatchRefused(Exception):
    """The patch does not apply; the message tells the agent why and what to give instead."""


def apply_patch(text: str, anchor: str, content: str) -> tuple[str, str]:
    """Replaces the one place that the anchor means, and nothing around it.

    First the exact text; else the words and signs of the anchor with other white space between them, new lines with the
    indentation that is there; else the lines most like the anchor, if they are at least `MIN_RATIO` alike and no others
    come within `MIN_LEAD` of that, as far as it is clear where the anchor begins and ends in them.

    Returns:
        The new text, and where it was changed, in words.

    Raises:
        PatchRefused: the anchor is empty, fits nowhere, or fits several places.

    >>> apply_patch("one\\ntwo\\nthree\\n", "two", "2")
    ('one\\n2\\nthree\\n', 'line 2')
    """
    if not anchor.strip():
        raise PatchRefused("the anchor is empty; give a short text that occurs once in the file")
    at = text.find(anchor)
    if at >= 0:
        if text.find(anchor, at + 1) >= 0:
            times = max(2, text.count(anchor))  # places that overlap count as one there
            raise PatchRefused(f"the anchor occurs {times} times ({_lines_of(text, anchor)}); lengthen it")
        return text[:at] + content + text[at + len(anchor) :], f"line {_line(text, at)}"
    if len(text) > MAX_TEXT:
        raise PatchRefused("the anchor does not occur in the file, which is too long to look for something alike")
    span = _but_for_space(text, anchor)
    if span is None:
        return _replace_alike(text, anchor, content)
    start, end = span
    return text[:start] + _fitted(text, span, anchor, content) + text[end:], f"line {_line(text, start)}"


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _lines_of(text: str, anchor: str) -> str:
    places: list[int] = []
    at = text.find(anchor)
    while at >= 0 and len(places) < _SHOWN:
        places.append(_line(text, at))
        at = text.find(anchor, at + 1)
    return "lines " + ", ".join(map(str, places))


def _but_for_space(text: str, anchor: str) -> tuple[int, int] | None:
    """Where the text has the words and signs of the anchor with other white space between them; None if nowhere.

    Raises:
        PatchRefused: it has them in several places.
    """
    tokens, wanted = ["\n" + "\n".join(_TOKEN.findall(one)) + "\n" for one in (text, anchor)]
    at = tokens.find(wanted)
    if at < 0:
        return None
    start, end = _span(text, tokens.count("\n", 0, at), wanted.count("\n") - 1)
    again = tokens.find(wanted, at + 1)
    if again >= 0:
        other, _ = _span(text, tokens.count("\n", 0, again), 1)
        times, lines = max(2, tokens.count(wanted)), f"lines {_line(text, start)} and {_line(text, other)}"
        raise PatchRefused(f"but for white space the anchor occurs {times} times (among them {lines}); lengthen it")
    ends = (anchor[0].isspace(), text[start - 1 : start]), (anchor[-1].isspace(), text[end : end + 1])
    if any(space and beside and not beside.isspace() for space, beside in ends):
        raise PatchRefused(f"the anchor is like line {_line(text, start)}, which goes on beside it; copy it exactly")
    return start, end


def _span(text: str, first: int, count: int) -> tuple[int, int]:
    """Where some tokens stand, by the number of the first and how many they are."""
    found = [match.span() for match in islice(_TOKEN.finditer(text), first, first + count)]
    return found[0][0], found[-1][1]


def _fitted(text: str, span: tuple[int, int], anchor: str, content: str) -> str:
    """Content for a place that differs from the anchor in white space: without what the anchor has around it, and its
    lines indented as the place is."""
    start, end = span
    lead, tail = anchor[: len(anchor) - len(anchor.lstrip())], anchor[len(anchor.rstrip()) :]
    first, *rest = content.removeprefix(lead).removesuffix(tail).split("\n")
    here = text[text.rfind("\n", 0, start) + 1 : start]
    theirs = lead.rpartition("\n")[2]
    if rest and here and not here.strip() and (theirs or _shifted(text[start:end], anchor.strip(), here)):
        rest = [here + line.removeprefix(theirs) if line.startswith(theirs) and line else line for line in rest]
    return "\n".join([first, *rest])


def _shifted(place: str, anchor: str, indent: str) -> bool:
    """Whether the lines of a place are those of the anchor, each but the first indented by so much more."""
    there, wanted = place.split("\n")[1:], anchor.split("\n")[1:]
    return len(there) == len(wanted) and all(
        not line.strip() or _indent(line) == indent + _indent(other) for line, other in zip(there, wanted, strict=True)
    )


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _replace_alike(text: str, anchor: str, content: str) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    wanted = [line.strip() for line in anchor.strip().splitlines()]
    number = _most_alike([line.strip() for line in lines], wanted)
    old = "".join(lines[number : number + len(wanted)])
    before = "".join(lines[:number])
    start = len(before) + len(old) - len(old.lstrip())
    first, last = _within(old.strip(), "\n".join(wanted), number)
    span = start + first, start + last
    where = f"line {number + 1}, in place of {shorten(text[span[0] : span[1]])}, which is most like the anchor"
    return text[: span[0]] + _fitted(text, span, anchor, content) + text[span[1] :], where


def _within(old: str, target: str, number: int) -> tuple[int, int]:
    """Where in some lines the anchor begins and ends, which is most like them.

    Raises:
        PatchRefused: that is not clear.
    """
    start, end = 0, len(old)
    clear = len(old) <= 2 * len(target)
    for kind, first, last, begin, stop in (
        SequenceMatcher(None, old, target, autojunk=False).get_opcodes() if clear else ()
    ):
        at_end = first == 0 or last == len(old)
        if kind == "equal" or not at_end:
            continue
        if kind == "delete":
            start, end = (last, end) if first == 0 else (start, first)
        elif kind == "insert":
            clear = clear and not target[begin:stop].strip()
        else:
            clear = clear and len(old[first:last].strip()) <= stop - begin <= 2 * (last - first)
    if not clear or _splits_word(old, start) or _splits_word(old, end):
        raise PatchRefused(f"the anchor is like line {number + 1}, but not clear in its ends; copy it exactly")
    while start < end and old[start].isspace():
        start += 1
    while start < end and old[end - 1].isspace():
        end -= 1
    return start, end


def _splits_word(text: str, at: int) -> bool:
    return 0 < at < len(text) and text[at - 1 : at + 1].isalnum()


def _most_alike(bare: list[str], wanted: list[str]) -> int:
    """First line of the lines that are clearly the most like the wanted ones."""
    size, target = len(wanted), "\n".join(wanted)
    if len(bare) * len(target) > MAX_WORK or len(target) ** 2 > MAX_WORK:
        raise PatchRefused("the anchor does not occur in the file, which is too long to look for something alike")
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(target)
    rough: list[tuple[float, int]] = []
    for start in range(len(bare) - size + 1):
        matcher.set_seq1("\n".join(bare[start : start + size])[: 2 * len(target)])
        if matcher.real_quick_ratio() >= MIN_RATIO - MIN_LEAD:
            rough.append((matcher.quick_ratio(), start))
    ranked: list[tuple[float, int]] = []
    for _, start in sorted(rough, key=lambda entry: (-entry[0], entry[1]))[:MAX_ALIKE]:
        matcher.set_seq1("\n".join(bare[start : start + size])[: 2 * len(target)])
        ranked.append((matcher.ratio(), start))
    ranked.sort(key=lambda entry: (-entry[0], entry[1]))
    if not ranked or ranked[0][0] < MIN_RATIO:
        near = f"; the nearest is line {ranked[0][1] + 1}: {bare[ranked[0][1]][:80]!r}" if ranked else ""
        raise PatchRefused(f"the anchor does not occur in the file{near}")
    if len(ranked) > 1 and ranked[0][0] - ranked[1][0] < MIN_LEAD:
        raise PatchRefused(
            f"the anchor is as much like line {ranked[0][1] + 1} as line {ranked[1][1] + 1}; copy it exactly"
        )
    return ranked[0][1]
