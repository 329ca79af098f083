"""Whether what pages say bears out a claim, by words in common and by negation; it knows nothing of the world."""

import re
from collections.abc import Sequence

from murk.rollout.policies.language import numbers, stems
from murk.rollout.policies.pages import Line
from murk.rollout.policies.questions import Question

COVER = 0.5
"""Share of a claim's words that one statement must hold to bear it out."""
_NOT = re.compile(r"\b(?:not|no|never|none|neither|without|cannot|nunca|ningún)\b|n't\b|不|没", re.IGNORECASE)
_ONLY = re.compile(r"\b(?:all|every|always|only|never|entirely|exclusively|no one|nobody)\b", re.IGNORECASE)


def support(question: Question, line: Line) -> float:
    """Share of a claim's words that a line holds, less for a number of the claim that it has not; from 0 to 1."""
    claimed = question.wanted | question.about
    said = stems(line.words) | stems(line.heading)
    share = len(claimed & said) / len(claimed) if claimed else 0.0
    wanted = [value for value, _ in numbers(question.text)]
    given = [value for value, _ in numbers(line.words)]
    return share * (0.5 if wanted and given and not set(wanted) & set(given) else 1.0)


def agrees(question: Question, lines: Sequence[Line]) -> bool:
    """Whether the line that fits a claim best bears it out."""
    scored = sorted(((-support(question, line), place) for place, line in enumerate(lines)))
    if not scored:
        return False
    line = lines[scored[0][1]]
    turned = bool(_NOT.search(question.text)) != bool(_NOT.search(line.text))
    return (-scored[0][0] >= COVER) != turned and not (_ONLY.search(question.text) and not _ONLY.search(line.text))
