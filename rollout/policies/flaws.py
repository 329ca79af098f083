"""What is wrong with a page that came, as far as a reader can tell from the page itself and from what searches showed
of it."""

import re
from collections.abc import Sequence

from murk.rollout.policies.language import stems
from murk.rollout.policies.pages import plain
from murk.rollout.policies.results import Found, Opened

_HOPELESS = re.compile(r"\b(?:400|401|403|404|410|451)\b|not.found|bad.request|unknown (?:url|page)", re.IGNORECASE)
_BROKEN = re.compile(
    r"^\s*<(?:!doctype|html)|\b50[0-4]\b[^\n]{0,40}(?:gateway|server error|unavailable)", re.IGNORECASE
)
_PAID = re.compile(
    r"\bsubscri\w+|\bsign(?:ing)? in\b|\blog in\b|\bmembers?\b|\bpaid\b|\bpaywall\b|\bpreview\b|\bfree articles?\b|"
    r"\bplans?\b|\ba month\b|\bper month\b|\bday pass\b|\bweeks? free\b|\bread on\b|\bkeep reading\b|"
    r"\bfull (?:text|story)\b",
    re.IGNORECASE,
)
_GARBLED = re.compile("\ufffd|Ã[\x80-\xbf€-™]|â€|[\u3100-\u9fff\uac00-\ud7ff]")
_TAIL = 500
_PIECE = 9
_WORD = re.compile(r"\w+")


def hopeless(error: str) -> bool:
    """Whether asking again would not help."""
    return bool(_HOPELESS.search(error[:300]))


def flaw(page: Opened, hit: Found | None, excerpts: Sequence[str], at: str | None) -> str:
    """What is wrong with a page; empty where nothing is to be seen.

    Args:
        page: As it came.
        hit: The search hit that led to it, if one did.
        excerpts: What searches showed of it.
        at: Date that it was asked for.
    """
    if _BROKEN.search(page.text[:400]):
        return "an error"
    if hit is not None and garbled(page.text) > 0.005 + 2 * garbled(" ".join(excerpts)):
        return "garbled"
    if hit is not None and hit.title and not stems(Opened("", hit.title).name) & stems(page.name):
        return "about something else"
    if len(page.text) < 3_000 and len({sign.lower() for sign in _PAID.findall(page.text[-_TAIL:])}) > 1:
        return "behind a paywall"
    current = at is None and (hit is None or not hit.date or hit.date == page.date)
    if current and any(not holds(page.text, excerpt) for excerpt in excerpts[:3]):
        return "cut"
    return ""


def garbled(text: str) -> float:
    """Share of the characters of a text that look like another encoding's."""
    head = text[:6_000]
    return len(_GARBLED.findall(head)) / len(head) if head else 0.0


def holds(text: str, excerpt: str) -> bool:
    """Whether a text holds the last words of an excerpt of it."""
    if excerpt[-60:-20] in text:
        return True
    words = _bare(excerpt[-400:]).split()[-_PIECE:-1]
    return len(words) < _PIECE - 1 or " ".join(words) in _bare(text)


def _bare(text: str) -> str:
    return " ".join(_WORD.findall(plain(text)))


def missed_date(page: Opened, hit: Found | None, at: str | None) -> str:
    """Date of the capture that should have come, where the page is of an earlier one; else empty."""
    known = [*page.captures, hit.date if hit else ""]
    due = max((date for date in known if date and (not at or date <= at)), default="")
    return due if page.date and due > page.date else ""
