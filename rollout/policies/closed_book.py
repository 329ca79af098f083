"""`closed_book`: answers at once and without tools, so that chance is known for each kind of question."""

from dataclasses import dataclass

from murk.rollout.policies import Start
from murk.rollout.policies.questions import understand
from murk.rollout.policies.script import Script, ScriptedAgent


@dataclass(frozen=True, slots=True)
class ClosedBook:
    """Guesses from the question alone.

    Attributes:
        verdict: What every yes-or-no question is answered with.
        number: What every question for a number is answered with.
    """

    verdict: str = "no"
    number: str = "10"

    def begin(self, start: Start) -> ScriptedAgent:
        """Begins an episode."""
        return ScriptedAgent(start, self._guess)

    def _guess(self, message: str) -> Script:
        question = understand(message)
        if question.kind == "claim":
            return f"{self.verdict.capitalize()}. This is a guess; I consulted no source."
        if question.kind == "choice":
            return f"{question.entities[-1]}. This is a guess; I consulted no source."
        if question.kind == "count" or "how many" in question.text.lower():
            return f"{self.number}. This is a guess; I consulted no source."
        yield from ()
        return "I consulted no source and do not know."
