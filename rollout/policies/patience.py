"""Asking with patience: again after a wait, in other words, by new names of arguments, at other dates; and where a page
cannot be had, what searches showed of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from murk.rollout.policies.asking import Asker, Call, Steps, tidy
from murk.rollout.policies.flaws import flaw, hopeless, missed_date
from murk.rollout.policies.language import stems
from murk.rollout.policies.pages import unfolded
from murk.rollout.policies.results import Block, Found, Opened, host, known_arguments, read_hits, retry_after

FIRST_WAIT, FACTOR, LONGEST = 4.0, 2.5, 900.0
"""Seconds: of the first wait where no time is told, by what each later one is longer, and the longest accepted."""
SHELVES = ("web", "authority", "library")
_BRACKETS = re.compile(r"\[([^\[\]]*)\](?!\()")
_TRANSIENT = ("garbled", "an error", "about something else")


@dataclass(slots=True)
class PatientAsker(Asker):
    """Asks again what failed or came empty, and looks at what came before it believes it.

    Attributes:
        tries: Times that one thing is asked for at most.
        arguments: Names of each role's arguments as they were offered.
        renamed: For each role, new names of arguments, as its tool told them.
        excerpts: What searches showed of pages, by URL.
        closed: Shelves that cannot be searched.
        partial: What came of pages that could not be had whole; None for nothing.
    """

    tries: int = 8
    arguments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    renamed: dict[str, dict[str, str]] = field(default_factory=dict)
    excerpts: dict[str, list[str]] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    partial: dict[tuple[str, str | None], Opened | None] = field(default_factory=dict)

    def search(
        self, queries: Iterable[str], each: int = 6, shelf: str = "web", thought: str = ""
    ) -> Steps[list[Found]]:
        """Hits of all queries; what fails is asked again, what finds nothing also in other words, and where a shelf is
        closed for good, another one is searched."""
        asked, found = tidy(queries), dict[str, list[Found]]()
        tries = self.tries if shelf == "web" else 2
        if shelf not in self.closed:
            yield from self._search(asked, found, each, shelf, thought, tries)
        for other in SHELVES[1:]:
            if shelf == "web" and not found and other not in self.closed:
                yield from self._search(asked, found, each, other, "Try another shelf.", 3)
        return self.remembered([hit for query in asked for hit in found.get(query, ())])

    def _search(
        self, asked: Sequence[str], found: dict[str, list[Found]], each: int, shelf: str, thought: str, tries: int
    ) -> Steps[None]:
        said, error = {query: query for query in asked}, ""
        for attempt in range(tries):
            left = [query for query in asked if query not in found]
            if not left or (attempt > 2 and not error) or (attempt > 4 and len(found) >= len(left)):
                return
            wait = pause(attempt, [error]) if error else 0.0
            words = list(dict.fromkeys(said[query] for query in left))
            blocks = yield from self.ask_search(words, each, shelf, "Ask again." if attempt else thought, wait)
            got = dict(zip(words, blocks, strict=False))
            error = next((block.error for block in blocks if block.error), "")
            for query in left:
                block = got.get(said[query], Block([]))
                if block.hits:
                    found[query] = block.hits
                elif not block.error and attempt:
                    said[query] = " ".join(sorted(stems(query))[:6]) or query
            if error and hopeless(error) and not any(block.hits for block in blocks):
                self.closed.append(shelf)
                self.regret("the web" if shelf == "web" else f"the shelf {shelf}", "search")
                return
        if error and not found:
            self.closed += [shelf] * (tries == self.tries)
            self.regret("the results of a search", "read")

    def remembered(self, found: Sequence[Found]) -> list[Found]:
        """The same; what they show of pages is kept, too."""
        for hit in found:
            shown = self.excerpts.setdefault(hit.url, [])
            if hit.snippet and hit.snippet not in shown:
                shown.append(hit.snippet)
        return Asker.remembered(self, found)

    def excerpt(self, url: str) -> Opened | None:
        """A page as far as searches showed it."""
        hit, shown = self.hits.get(url), self.excerpts.get(url)
        if hit is None or not shown:
            return None
        return Opened(url, hit.title, hit.cite, hit.date, text=unfolded(_BRACKETS.sub(r"\1", "\n\n".join(shown))))

    def open(self, urls: Iterable[str], at: str | None = None, thought: str = "") -> Steps[list[Opened]]:
        """The pages that can be had, those of another date than asked for at the nearest to it; of others what searches
        showed of them."""
        asked = list(dict.fromkeys(urls))
        left = [url for url in asked if (url, at) not in self.pages and (url, at) not in self.partial]
        reasons: dict[str, str] = {}
        seen: dict[str, Opened] = {}
        for attempt in range(self.tries):
            if not left:
                break
            loud = [reason for url, reason in reasons.items() if url in left and url not in seen]
            said = "Some of them failed or are odd; open them again." if attempt else thought
            bad = yield from self.ask_open(left, at, said, pause(attempt, loud) if loud else 0.0)
            left = [url for url in left if self._again(url, at, bad.get(url, ""), reasons, seen)]
        yield from self._at_other_dates(asked, at)
        for url, reason in reasons.items():
            self.partial[url, at] = None if reason in _TRANSIENT else seen.get(url)
        for url in asked:
            if (url, at) in self.partial:
                self._make_do(url, at)
        return [self.pages[url, at] for url in asked if (url, at) in self.pages]

    def _again(self, url: str, at: str | None, error: str, reasons: dict[str, str], seen: dict[str, Opened]) -> bool:
        """Whether to open a page again; what is wrong with it is kept in `reasons`, and as it came in `seen`."""
        page = self.pages.pop((url, at), None)
        if page is None:
            reasons[url] = error
            return not hopeless(error)
        hit = self.hits.get(url)
        wrong = flaw(page, hit, self.excerpts.get(url, ()), at)
        same = url in seen and seen[url].text == page.text
        if not wrong or (same and wrong == "about something else"):
            self.pages[url, at] = page
            reasons.pop(url, None)
            return False
        usable = wrong not in _TRANSIENT and (url not in seen or len(seen[url].text) <= len(page.text))
        if usable or url not in seen:
            seen[url], reasons[url] = page, wrong
        return not same

    def _make_do(self, url: str, at: str | None) -> None:
        """Puts what searches showed by now in the place of a page that could not be had, or with what came of it."""
        page, shown = self.partial[url, at], self.excerpt(url)
        if shown is not None and at and (not shown.date or shown.date[:10] > at):
            shown = None
        if page is not None and shown is not None:
            page = replace(page, text=f"{shown.text}\n\n{page.text}")
        had = page or shown
        if had is not None:
            self.pages[url, at] = had
        self.regret(host(url) or url, "read more than parts of" if had else "read")

    def _at_other_dates(self, urls: Sequence[str], at: str | None) -> Steps[None]:
        """Looks for the right capture of pages that came with another, by asking for it and for later ones."""
        for attempt in range(3):
            late: dict[str, list[str]] = {}
            for url in urls:
                page = self.pages.get((url, at))
                due = missed_date(page, self.hits.get(url), at) if page else ""
                later = [due, *sorted(date for date in page.captures if date > due)] if page and due else []
                if attempt < len(later):
                    late.setdefault(later[attempt], []).append(url)
            for date, group in late.items():
                new = [url for url in group if (url, date) not in self.pages]
                yield from self.ask_open(new, date, "These are not the captures that I want; ask by date.")
                for url in group:
                    other = self.pages.get((url, date))
                    if other and self.pages[url, at].date < other.date and (not at or other.date <= at):
                        self.pages[url, at] = replace(other, captures=self.pages[url, at].captures)

    def call(self, thought: str, calls: Sequence[Call], wait: float = 0.0) -> Steps[list[str]]:
        """Results of some calls; those whose arguments have other names now, and those on files that failed, are made
        again."""
        all_calls: list[Call] = [("wait", {"seconds": wait}), *calls] if wait else list(calls)
        results = yield from Asker.call(self, thought, [self._named(call) for call in all_calls])
        for _ in range(3):
            again = [i for i, text in enumerate(results) if self._learn(all_calls[i][0], text)]
            again += [i for i, text in enumerate(results) if all_calls[i][0] == "file" and text.startswith("Error")]
            if not again:
                break
            asked = [self._named(all_calls[i]) for i in dict.fromkeys(again)]
            more = yield from Asker.call(self, "Some calls were refused; make them again.", asked)
            for i, text in zip(dict.fromkeys(again), more, strict=True):
                results[i] = text
        return results[len(all_calls) - len(calls) :]

    def _learn(self, role: str, text: str) -> bool:
        """Takes note of new names of arguments: what is new in the list of those known stands, in its order, for what
        is missing from it. Whether there were any."""
        known = known_arguments(text)
        if known is None:
            return False
        offered = self.arguments.get(role, ())
        gone, fresh = [name for name in offered if name not in known], [name for name in known if name not in offered]
        new = dict(zip(gone, fresh, strict=False))
        changed = bool(new) and self.renamed.get(role) != new
        self.renamed[role] = new
        return changed

    def _named(self, call: Call) -> Call:
        role, arguments = call
        new = self.renamed.get(role, {})
        return role, {new.get(name, name): value for name, value in arguments.items()}

    def regret(self, what: str, verb: str) -> None:
        """Notes in words what could not be had."""
        note = f"I could not {verb} {what}, although I tried."
        if note not in self.troubles:
            self.troubles.append(note)

    def read_hits(self, text: str) -> list[Block]:
        """Hits in a result, by what their fields look like if they are named otherwise."""
        return read_hits(text, loose=True)


def pause(attempt: int, errors: Sequence[str]) -> float:
    """Seconds to wait before a try: what the errors ask for, else longer and longer."""
    told = [seconds for error in errors if (seconds := retry_after(error)) is not None]
    return min(max(told, default=FIRST_WAIT * FACTOR ** (attempt - 1)), LONGEST)
