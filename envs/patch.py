"""Patch edits: replace one passage of a text, found by a short anchor, exactly or approximately, or not at all.

The edit of the Step-DeepResearch paper (arXiv 2512.20491, section 4): the agent gives a changed fragment and a minimal
anchor instead of the whole file. An anchor that fits nowhere, or in several places, is refused with what was found.
"""

import re
from difflib import SequenceMatcher

from murk.envs.dialects.loose_json import shorten

MIN_RATIO = 0.8
MIN_LEAD = 0.05
MAX_WORK = 500_000
MAX_ALIKE = 30
_SHOWN = 5
_RUN = re.compile(r"\S+")


class PatchRefused(Exception):
    """The patch does not apply; the message tells the agent why and what to give instead."""


def apply_patch(text: str, anchor: str, content: str) -> tuple[str, str]:
    """Replaces the one place that the anchor means, and nothing around it.

    First the exact text; else the text that equals the anchor but for white space, new lines with the indentation that
    is there; else the lines most like the anchor, if they are at least `MIN_RATIO` alike and no others come within
    `MIN_LEAD` of that, as far as it is clear where the anchor begins and ends in them.

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
    span = _but_for_space(text, anchor)
    if span is None:
        return _replace_alike(text, anchor, content)
    start, end = span
    return text[:start] + _fitted(text, start, anchor, content) + text[end:], f"line {_line(text, start)}"


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
    """Where the text equals the anchor if white space is left out of both; None if it does nowhere.

    Raises:
        PatchRefused: it does in several places.
    """
    bare, wanted = "".join(text.split()), "".join(anchor.split())
    at = bare.find(wanted)
    if at < 0:
        return None
    start, end = _unbared(text, at), _unbared(text, at + len(wanted) - 1) + 1
    again = bare.find(wanted, at + 1)
    if again >= 0:
        lines = f"lines {_line(text, start)} and {_line(text, _unbared(text, again))}"
        times = max(2, bare.count(wanted))
        raise PatchRefused(f"but for white space the anchor occurs {times} times (among them {lines}); lengthen it")
    return start, end


def _unbared(text: str, number: int) -> int:
    """Place of a character, by its number among those that are no white space."""
    for run in _RUN.finditer(text):
        if number < run.end() - run.start():
            return run.start() + number
        number -= run.end() - run.start()
    raise AssertionError("there are not so many characters")


def _fitted(text: str, start: int, anchor: str, content: str) -> str:
    """Content for a place that differs from the anchor in white space: without what the anchor has around it, and its
    lines indented as the place is."""
    lead, tail = anchor[: len(anchor) - len(anchor.lstrip())], anchor[len(anchor.rstrip()) :]
    content = content.removeprefix(lead).removesuffix(tail)
    here = text[text.rfind("\n", 0, start) + 1 : start]
    first, *rest = content.split("\n")
    theirs = lead.rpartition("\n")[2]
    if theirs and not here.strip():
        rest = [here + line.removeprefix(theirs) if line.startswith(theirs) else line for line in rest]
    return "\n".join([first, *rest])


def _replace_alike(text: str, anchor: str, content: str) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    wanted = [line.strip() for line in anchor.strip().splitlines()]
    number = _most_alike([line.strip() for line in lines], wanted)
    old = "".join(lines[number : number + len(wanted)])
    before = "".join(lines[:number])
    target = "\n".join(wanted)
    start, end = _within(old, target, number)
    start, end = len(before) + start, len(before) + end
    where = f"line {number + 1}, in place of {shorten(text[start:end])}, which is most like the anchor"
    return text[:start] + _fitted(text, start, anchor, content) + text[end:], where


def _within(old: str, target: str, number: int) -> tuple[int, int]:
    """Where in some lines the anchor begins and ends, which is most like them.

    Raises:
        PatchRefused: that is not clear.
    """
    matcher = SequenceMatcher(None, old, target, autojunk=False)
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    start, end = 0, len(old)
    for kind, first, last, begin, stop in changes:
        if first == 0 and kind == "delete":
            start = last
        elif last == len(old) and kind == "delete":
            end = first
        elif (first == 0 or last == len(old)) and len(old[first:last].strip()) > stop - begin:
            raise PatchRefused(f"the anchor is like line {number + 1}, but not clear in its ends; copy it exactly")
    while start < end and old[start].isspace():
        start += 1
    while start < end and old[end - 1].isspace():
        end -= 1
    return start, end


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
