"""`react`: searches by parts of the question, opens several pages, hops, compares, and reports what fits best."""

from dataclasses import dataclass

from murk.rollout.policies import Start
from murk.rollout.policies.asking import Asker
from murk.rollout.policies.hops import Detective
from murk.rollout.policies.questions import understand
from murk.rollout.policies.script import Script, ScriptedAgent


@dataclass(frozen=True, slots=True)
class React:
    """Believes what it reads.

    Attributes:
        sources: Pages that it reads about one thing.
    """

    sources: int = 2

    def begin(self, start: Start) -> ScriptedAgent:
        """Begins an episode."""
        return ScriptedAgent(start, self._research)

    def _research(self, message: str) -> Script:
        return (yield from Detective(understand(message), Asker(), self.sources).report())
