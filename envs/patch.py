"""Patch edits: replace one passage of a text, found by a short anchor, exactly or approximately, or not at all.

The edit of the Step-DeepResearch paper (arXiv 2512.20491, section 4): the agent gives a changed fragment and a minimal
anchor instead of the whole file. An anchor that fits nowhere, or in several places, is refused with what was found.
"""

from difflib import SequenceMatcher

MIN_RATIO = 0.8
MIN_LEAD = 0.05
MAX_WORK = 500_000
MAX_ALIKE = 30
_SHOWN = 5


class PatchRefused(Exception):
    """The patch does not apply; the message tells the agent why and what to give instead."""


def apply_patch(text: str, anchor: str, content: str) -> tuple[str, str]:
    """Replaces the one place that the anchor means.

    First the exact text; else the lines that equal the anchor's but for white space; else the lines most like it, if
    they are at least `MIN_RATIO` alike and no other lines come within `MIN_LEAD` of that.

    Returns:
        The new text, and where it was changed, in words.

    Raises:
        PatchRefused: the anchor is empty, fits nowhere, or fits several places.

    >>> apply_patch("one\\ntwo\\nthree\\n", "two", "2")
    ('one\\n2\\nthree\\n', 'line 2')
    """
    if not anchor.strip():
        raise PatchRefused("the anchor is empty; give a short text that occurs once in the file")
    count = text.count(anchor)
    if count == 1:
        at = text.index(anchor)
        return text[:at] + content + text[at + len(anchor) :], f"line {text.count(chr(10), 0, at) + 1}"
    if count > 1:
        raise PatchRefused(
            f"the anchor occurs {count} times ({_lines_of(text, anchor)}); lengthen it until it is unique"
        )
    return _replace_lines(text, anchor, content)


def _lines_of(text: str, anchor: str) -> str:
    places: list[str] = []
    at = text.find(anchor)
    while at >= 0 and len(places) < _SHOWN:
        places.append(str(text.count("\n", 0, at) + 1))
        at = text.find(anchor, at + 1)
    return "lines " + ", ".join(places)


def _replace_lines(text: str, anchor: str, content: str) -> tuple[str, str]:
    lines, wanted = text.splitlines(keepends=True), [line.strip() for line in anchor.strip().splitlines()]
    bare = [line.strip() for line in lines]
    size = len(wanted)
    starts = range(len(lines) - size + 1)
    found = [i for i in starts if bare[i] == wanted[0] and bare[i : i + size] == wanted]
    if len(found) > 1:
        shown = ", ".join(str(i + 1) for i in found[:_SHOWN])
        raise PatchRefused(f"the anchor fits {len(found)} places (lines {shown}); lengthen it until it is unique")
    start = found[0] if found else _most_alike(bare, wanted)
    old = "".join(lines[start : start + size])
    ending = "\n" if old.endswith("\n") and not content.endswith("\n") else ""
    new = "".join(lines[:start]) + content + ending + "".join(lines[start + size :])
    return new, f"line {start + 1}, by the lines most like the anchor" if not found else f"line {start + 1}"


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
