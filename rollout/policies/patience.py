"""Asking with patience: retries with back-off, other words for empty searches, renamed fields and arguments."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from murk.rollout.policies.asking import Asker, Call, Steps
from murk.rollout.policies.language import stems
from murk.rollout.policies.results import Found, Opened, failures, host, read_hits, renamed_argument, retry_after
from murk.rollout.policies.script import Ask

_HOPELESS = re.compile(r"\b(?:400|401|403|404|410|451)\b|not.found|bad.request|unknown (?:url|page)", re.IGNORECASE)
_BROKEN = re.compile(
    r"^\s*<(?:!doctype|html)|\b50[0-4]\b[^\n]{0,40}(?:gateway|server error|unavailable)", re.IGNORECASE
)
_TEASER = re.compile(
    r"subscribe to (?:continue|read)|subscribers? only|log in to (?:continue|read)|paywall", re.IGNORECASE
)
_GARBLED = re.compile("\ufffd|Ã[\x80-\xbf€-™]|â€")
FIRST_WAIT = 5.0


@dataclass(slots=True)
class PatientAsker(Asker):
    """Asks again what failed.

    Attributes:
        tries: Times that one thing is asked for at most.
        longest: Longest wait in seconds that it accepts for one try.
        renamed: New names of arguments, as tools told them.
    """

    tries: int = 4
    longest: float = 900.0
    renamed: dict[str, str] = field(default_factory=dict)

    def search(
        self, queries: Iterable[str], each: int = 6, shelf: str = "web", thought: str = ""
    ) -> Steps[list[Found]]:
        """Hits of all queries; a search that finds nothing is put in other words once."""
        asked = [query for query in dict.fromkeys(" ".join(query.split()) for query in queries) if query]
        found = yield from Asker.search(self, asked, each, shelf, thought)
        if not found and asked:
            fewer = [" ".join(sorted(stems(query))[:6]) for query in asked]
            found = yield from Asker.search(self, fewer, each, shelf, "Nothing found; try other words.")
        return found

    def open(self, urls: Iterable[str], at: str | None = None, thought: str = "") -> Steps[list[Opened]]:
        """The pages that can be had; those that are not what their hit promised are asked for again, then left out."""
        asked = list(dict.fromkeys(urls))
        pages = yield from Asker.open(self, asked, at, thought)
        odd = [url for url in asked if (page := self.pages.get((url, at))) and self._odd(url, page)]
        if odd:
            for url in odd:
                self.pages.pop((url, at))
            yield from Asker.open(self, odd, at, "Some pages are not what they should be; open them again.")
        for url in odd:
            page = self.pages.get((url, at))
            if page and (reason := self._odd(url, page)):
                self.pages.pop((url, at))
                self.troubles.append(f"I left out {page.host or url}, whose page was {reason}.")
        pages = [self.pages[url, at] for url in asked if (url, at) in self.pages]
        return pages

    def _odd(self, url: str, page: Opened) -> str:
        """What is wrong with a page, if anything."""
        hit = self.hits.get(url)
        if _BROKEN.search(page.text[:400]):
            return "an error"
        if len(page.text) < 3_000 and _TEASER.search(page.text):
            return "behind a paywall"
        if len(_GARBLED.findall(page.text[:20_000])) * 100 > len(page.text[:20_000]):
            return "garbled"
        if hit and hit.title and not stems(hit.title) & (stems(page.title) | stems(page.text[:1_000])):
            return "about something else"
        return ""

    def call(self, thought: str, calls: Sequence[Call]) -> Steps[list[str]]:
        """Results of some calls; those that failed are made again after a wait, as far as there is hope."""
        results = yield Ask(thought, [(role, self._with_new_names(arguments)) for role, arguments in calls])
        for attempt in range(1, self.tries):
            again = [i for i, text in enumerate(results) if self._may_retry(calls[i], text)]
            if not again:
                break
            texts = [results[i] for i in again]
            if not any(self._learn(calls[i], results[i]) for i in again):
                wait = max([retry_after(text) or FIRST_WAIT * 3 ** (attempt - 1) for text in texts])
                yield Ask("That failed; wait before asking again.", [("wait", {"seconds": min(wait, self.longest)})])
            retries = [self._failed_part(calls[i], results[i]) for i in again]
            asked = [(role, self._with_new_names(arguments)) for role, arguments in retries]
            more = yield Ask("Ask again for what failed.", asked)
            for i, text, (_, arguments) in zip(again, more, retries, strict=True):
                results[i] = f"{results[i]}\n\n{text}" if arguments.get("urls") else text
        for i, text in enumerate(results):
            if bad := failures(text):
                self._regret(calls[i], bad)
        return results

    def _may_retry(self, call: Call, text: str) -> bool:
        if renamed_argument(text):
            return True
        hope = [reason for reason in failures(text).values() if not _HOPELESS.search(reason)]
        return bool(hope) and call[0] in ("web", "file", "links", "find")

    def _failed_part(self, call: Call, text: str) -> Call:
        """The call, for those pages alone that failed."""
        role, arguments = call
        bad = [url for url, reason in failures(text).items() if url and not _HOPELESS.search(reason)]
        if "urls" in arguments and bad:
            wanted = [url for url in arguments["urls"] if url in bad] or arguments["urls"]
            return role, {**arguments, "urls": wanted}
        return call

    def _learn(self, call: Call, text: str) -> bool:
        """Takes note of a renamed argument; whether there was one."""
        told = renamed_argument(text)
        if told is None:
            return False
        old = next((name for name, new in self.renamed.items() if new == told[0]), told[0])
        fresh = [name for name in told[1] if name not in call[1] and name not in self.renamed.values()]
        near = [name for name in fresh if set(old.split("_")) & set(name.split("_")) or old[:3] == name[:3]]
        if near or fresh:
            self.renamed[old] = (near or fresh)[0]
        return bool(near or fresh)

    def _with_new_names(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {self.renamed.get(name, name): value for name, value in arguments.items()}

    def _regret(self, call: Call, bad: dict[str, str]) -> None:
        """Notes in words what could not be had."""
        lost = [url for url in bad if url] or [str(call[1].get("path") or "a search")]
        hosts = ", ".join(dict.fromkeys(host(url) or url for url in lost))
        note = f"I could not read {hosts}, although I tried."
        if note not in self.troubles:
            self.troubles.append(note)

    def read_hits(self, text: str) -> list[list[Found]]:
        """Hits in a result, by what their fields look like if they are named otherwise."""
        return read_hits(text, loose=True)
