"""`scripted`: plays the turns that it is given, whatever happens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from murk.envs.errors import UsageError
from murk.rollout.policies import Completion, Start


@dataclass(frozen=True, slots=True)
class Scripted:
    """Plays `turns`, texts in the dialect of the episode, in their order; the last one again where more are asked for.

    Raises:
        UsageError: there are no turns.
    """

    turns: Sequence[str]

    def __post_init__(self) -> None:
        if not self.turns or isinstance(self.turns, str):
            raise UsageError(f"turns are {self.turns!r}; allowed is a list of at least one text.")

    def begin(self, start: Start) -> "_Player":
        """Begins with the first turn."""
        return _Player(tuple(self.turns))


class _Player:
    def __init__(self, turns: tuple[str, ...]) -> None:
        self._turns, self._at = turns, 0

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        """The next turn of the list."""
        text = self._turns[min(self._at, len(self._turns) - 1)]
        self._at += 1
        return Completion(text)
