"""A report as the rewards on its form see it: lines, and words also where a script writes none."""

import re
from collections.abc import Iterator

from murk.envs.records import Trajectory
from murk.rewards.judges.report import content, plain

_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_MARKS = re.compile(r"^\s*(?:[#>*+\-|]|\d{1,3}[.)])+\s*")
_STOP = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])")


def answered(trajectory: Trajectory) -> bool:
    """Whether there is a report that holds more than blanks."""
    return bool(trajectory.answer and trajectory.answer.strip())


def size(text: str) -> int:
    """Words of a text; two Chinese or Japanese characters count as one.

    >>> size("The light, lit in 1874."), size("首都是东京。")
    (5, 3)
    """
    characters = len(_CJK.findall(text))
    return len(plain(_CJK.sub(" ", text)).split()) + -(-characters // 2)


def sentences(report: str) -> Iterator[str]:
    """The sentences of a report without list marks, citations and addresses; a line ends one, too."""
    for line in content(report).splitlines():
        for part in _STOP.split(_MARKS.sub("", line)):
            if part.strip():
                yield part.strip()
