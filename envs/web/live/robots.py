"""What a site lets robots do (RFC 9309): may a page be fetched, and how fast."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from protego import Protego

from murk.envs.records import Failure

if TYPE_CHECKING:
    from murk.envs.web.live.exchange import Fetched

TOKEN = "murk"  # noqa: S105 - the name that sites know the recorder by, not a password
MAX_BYTES = 512_000
_MAX_SITES = 1_000
_AGENT = re.compile(r"^\s*user[\s-]*agent(?:\s*:|\s)([^#\r\n]*)(#.*)?$", re.IGNORECASE)


class Robots:
    """The robots.txt files of the sites that were asked, each fetched once.

    A file that is missing (4xx) allows everything, one that the site fails to deliver forbids everything.
    """

    def __init__(self, get: Callable[[str], "Fetched | Failure"]) -> None:
        self._get = get
        self._sites: dict[str, Protego | Failure] = {}

    def refusal(self, url: str) -> Failure | None:
        """Why a page must not be fetched; None where it may be."""
        rules = self._rules(url)
        if isinstance(rules, Failure):
            return rules
        if rules.can_fetch(url, TOKEN):
            return None
        return Failure("blocked_by_robots", 0, f"{urlsplit(url).netloc} forbids robots to fetch this page")

    def delay(self, url: str) -> float:
        """Seconds that the site wants between requests."""
        rules = self._rules(url)
        return 0.0 if isinstance(rules, Failure) else float(rules.crawl_delay(TOKEN) or 0.0)

    def _rules(self, url: str) -> Protego | Failure:
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        if site not in self._sites:
            if len(self._sites) >= _MAX_SITES:
                self._sites.pop(next(iter(self._sites)))
            self._sites[site] = self._ask(site)
        return self._sites[site]

    def _ask(self, site: str) -> Protego | Failure:
        answer = self._get(f"{site}/robots.txt")
        if not isinstance(answer, Failure):
            return Protego.parse(tame(answer.body[:MAX_BYTES].decode("utf-8", "replace")))
        if 400 <= answer.status < 500:
            return Protego.parse("")
        kind = "robots_unreachable" if answer.status >= 500 else answer.kind
        return replace(answer, kind=kind, message=f"nothing is fetched without robots.txt: {answer.message}")


def tame(text: str) -> str:
    """The rules with every agent that is not us under one name.

    The parser keeps each rule once for each agent of its group: a file of half a megabyte, half of it agents and half
    of it rules, would take gigabytes.
    """
    return "\n".join(_tame_line(line) for line in text.splitlines())


def _tame_line(line: str) -> str:
    match = _AGENT.match(line)
    if not match:
        return line
    name = match[1].strip().lower()
    bare = name.replace("*", "")
    if name == "*":
        return "User-agent: *"
    return f"User-agent: {bare if bare and bare in TOKEN else 'other-robots'}"
