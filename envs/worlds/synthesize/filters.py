"""De-duplication: two questions about the same subjects that share most of their word triples are one."""

from collections.abc import Mapping
from typing import Any

from murk.envs.worlds.synthesize.evidence import plain

_N, _ALIKE = 3, 0.6


class Seen:
    """The questions so far."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._grams: dict[tuple[str, ...], list[frozenset[tuple[str, ...]]]] = {}
        self._answers: set[tuple[str, ...]] = set()

    def refuses(self, task: Mapping[str, Any]) -> str:
        """Why a task is no new one; "" where it is, and then it is remembered."""
        entities = tuple(sorted(task["meta"]["entities"]))
        asked = (
            task["kind"],
            task.get("as_of") or "",
            str(task["answer"]["value"]),
            *entities,
            *task["meta"]["relations"],
        )
        if task["id"] in self._ids or asked in self._answers:
            return "asked already"
        grams = _grams(task["question"])
        alike = self._grams.setdefault(entities, [])
        if any(len(grams & other) >= _ALIKE * len(grams | other) for other in alike):
            return "words like those of another question"
        self._ids.add(task["id"])
        self._answers.add(asked)
        alike.append(grams)
        return ""


def _grams(question: str) -> frozenset[tuple[str, ...]]:
    words = plain(question).split()
    return frozenset(zip(*(words[i:] for i in range(_N)), strict=False)) or frozenset([tuple(words)])
