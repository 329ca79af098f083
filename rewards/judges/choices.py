"""One of several names: the one that a report decides on, and not where it only lists them."""

import re
from collections.abc import Iterable, Mapping

from murk.rewards.judges.hedges import without_opener, words_of
from murk.rewards.judges.report import plain

_PARTS, _PARTED = re.compile(r"[,;/|&、，；]"), "parted"
_JOINING = ("and", "or", "nor", "vs", "versus", "to")


class Names:
    """Names and what each means.

    Args:
        meanings: Plain names, at least one.
    """

    def __init__(self, meanings: Mapping[str, int]) -> None:
        longest = sorted(meanings, key=lambda name: (-len(name), name))
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)")
        self._meanings = meanings

    def apart(self, text: str) -> str:
        """The plain text of a sentence without different names that stand side by side, as in "A or B"."""
        said, parted = plain(text), plain(_PARTS.sub(f" {_PARTED} ", text))
        rows: list[list[re.Match[str]]] = [[]]
        for name in self._pattern.finditer(said):
            last = rows[-1][-1] if rows[-1] else name
            between = said[last.end() : name.start()].strip()
            beside = between in _JOINING or (not between and f"{last[0]} {_PARTED} {name[0]}" in parted)
            if not beside or self._meanings[name[0]] in {self._meanings[one[0]] for one in rows[-1]}:
                rows.append([])
            rows[-1].append(name)
        for name in [name for row in rows[::-1] if len(row) > 1 for name in row[::-1]]:
            said = said[: name.start()] + said[name.end() :]
        return said

    def uncontested(self, texts: Iterable[str]) -> list[int]:
        """What the first name means in each plain sentence that has one, without sentences that contradict each other.

        Sentences do that which are equal but for the names in them.
        """
        rows = []
        frames: dict[tuple[str, ...], set[tuple[int, ...]]] = {}
        for text in texts:
            named = tuple(self._meanings[name] for name in self._pattern.findall(text))
            if named:
                around = words_of(without_opener(self._pattern.sub("NAME", text)))
                frames.setdefault(around, set()).add(named)
                rows.append((around, named[0]))
        return [first for around, first in rows if len(frames[around]) == 1]
