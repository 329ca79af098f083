"""`naive`: one search, and the first result is believed."""

from dataclasses import dataclass

from murk.rollout.policies import Start
from murk.rollout.policies.asking import Asker
from murk.rollout.policies.pages import best, unfolded
from murk.rollout.policies.questions import understand
from murk.rollout.policies.reports import cited, shorten
from murk.rollout.policies.results import read_pages
from murk.rollout.policies.script import Script, ScriptedAgent
from murk.rollout.policies.verdicts import agrees


@dataclass(frozen=True, slots=True)
class Naive:
    """Searches with the question as asked, opens the first result, and reports the sentence that fits best.

    Attributes:
        hits: Hits that it asks for; it reads one.
    """

    hits: int = 5

    def begin(self, start: Start) -> ScriptedAgent:
        """Begins an episode."""
        return ScriptedAgent(start, self._research)

    def _research(self, message: str) -> Script:
        question, asker = understand(message), Asker()
        hits = yield from asker.search([question.text[:400]], self.hits)
        if not hits:
            return "I found nothing about this."
        arguments = {"action": "batch_open", "urls": [hits[0].url]}
        (text,) = yield from asker.call("Open the first result.", [("web", arguments)])
        shown = "\n\n".join(page.text for page in read_pages(text)[:1])
        matches = best(f"{shown}\n\n{unfolded(hits[0].snippet)}", question.wanted, question.about)
        said = shorten(matches[0].line.words if matches else hits[0].snippet) or "The first page says nothing about it"
        if question.kind == "claim":
            said = f"{'Yes' if agrees(question, [match.line for match in matches]) else 'No'}. {said}"
        return cited(said, hits[0].cite)
