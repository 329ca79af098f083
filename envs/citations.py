"""How a report names its sources: `\\cite{web_<8 hex>}` of a page's address, or a Markdown link."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import md5

from murk.envs.records import Page
from murk.envs.web.urls import spellings

_CITE = re.compile(r"\\cite\{\s*(web_[0-9a-fA-F]{8})\s*\}|\[[^\[\]]{0,500}\]\(<?(https?://[^\s<>]{1,2048}?)>?\)")
MAX_CITATIONS = 2_000


@dataclass(frozen=True, slots=True)
class Citation:
    """One citation of a report.

    Attributes:
        start: Character in the report where it begins.
        text: As the report has it.
        url: The page that it means, as delivered in the episode; None where no page delivered is meant.
    """

    start: int
    text: str
    url: str | None


@lru_cache(maxsize=1 << 14)
def cite_key(url: str) -> str:
    """Key of a page for `\\cite{...}`: the first 8 hex digits of the md5 of its canonical URL, after `web_`.

    >>> cite_key("https://example.org/")
    'web_ef57f67c'
    """
    return "web_" + md5(url.encode(), usedforsecurity=False).hexdigest()[:8]


def citations(report: str, pages: Mapping[str, Page]) -> list[Citation]:
    """The citations of a report in their order, resolved among the pages that were delivered.

    Args:
        report: The final answer.
        pages: Pages by canonical URL, in the order of their first delivery, which settles equal keys.
    """
    keys: dict[str, str] = {}
    for url in pages:
        keys.setdefault(cite_key(url), url)
    found = []
    for match in _CITE.finditer(report):
        key, address = match.groups()
        meant = keys.get(key.lower()) if key else next((u for u in spellings(address) if u in pages), None)
        found.append(Citation(match.start(), match[0], meant))
        if len(found) >= MAX_CITATIONS:
            break
    return found
