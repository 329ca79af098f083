"""Pages that were never there, written from the world's own pages, so that nothing but what they say tells them apart.

No sentence, host or title is murk's: text is cut from pages of the world, a title follows a neighbour's, an address
has the form of a neighbour's on a host that is made up of syllables, a date is a neighbour's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

from murk.envs.faults import Draw
from murk.envs.records import Hit, Link, Page
from murk.envs.web.urls import host_of

_SUFFIX = re.compile(r"^(.*\S)(\s+[-–—|·]\s+)(\S.*)$")
_HEADING = re.compile(r"(?m)^#{2,4} +(\S[^\n]{2,40})$")
_RESERVED = ("gov", "edu", "mil", "int")
_FREE = ("org", "com", "net")
_ONSETS = ("b", "br", "c", "d", "f", "g", "gl", "h", "j", "k", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v", "w")
_VOWELS = ("a", "e", "i", "o", "u", "ea", "ai", "a", "e", "o")
_CODAS = ("", "", "n", "r", "l", "s", "m", "nd", "rt", "x", "ck")


@dataclass(frozen=True, slots=True)
class Style:
    """What pages of the world look like from outside.

    Attributes:
        neighbours: Search results whose addresses, titles and dates are followed; at least one.
    """

    neighbours: Sequence[Hit]

    def name(self, draw: Draw, *key: str | int) -> str:
        """An invented name of one or two words, as of a site."""
        parts = [_word(draw, *key, part) for part in range(1 + (draw.uniform(*key, "parts") < 0.4))]
        return " ".join(part.capitalize() for part in parts)

    def title(self, draw: Draw, topic: str, site: str, source: Page) -> str:
        """A title on a topic, in the form of the title of the page that the text is from, or of a neighbour's."""
        own = draw.uniform("copied") < 0.7
        match = _SUFFIX.match((source if own else draw.pick(self.neighbours, "title")).title.strip())
        return f"{topic}{match[2]}{match[3] if own else site}" if match else topic

    def url(self, draw: Draw, topic: str, site: str) -> str:
        """An address on an invented host, in the form of a neighbour's."""
        model = draw.pick(self.neighbours, "address").url
        labels = host_of(model).split(".")
        first = labels[:1] if len(labels) > 2 else []
        joint = "-" if draw.uniform("joint") < 0.3 else ""
        ending = labels[-1] if labels[-1] not in _RESERVED else draw.pick(_FREE, "ending")
        host = ".".join([*first, joint.join(site.lower().split()), ending])
        folders = [part for part in urlsplit(model).path.split("/")[:-1] if part]
        last = urlsplit(model).path.rsplit("/", 1)[1]
        if not last and folders:
            folders = folders[:-1]
        tail = "/" if not last else (re.search(r"\.[a-z]{3,5}$", last) or [""])[0]
        slug = _slug(topic, unquote(last or model.rstrip("/").rsplit("/", 1)[1]))
        return f"https://{host}/" + "".join(f"{folder}/" for folder in folders[-1:]) + slug + tail

    def date(self, draw: Draw) -> str:
        """The date of a neighbour."""
        return draw.pick(self.neighbours, "date").date


def topic(source: Page, draw: Draw, matter: str = "") -> str:
    """What a page is about, by its title, at times with a matter, or with one of its headings where none is given."""
    match = _SUFFIX.match(source.title.strip())
    head = (match[1] if match else source.title).strip() or "Page"
    headings = [text for text in _HEADING.findall(source.text) if "[" not in text]
    if draw.uniform("topic") < 0.5 or not (matter or headings):
        return head
    matter = matter[:1].upper() + matter[1:] if matter else draw.pick(headings, "heading")
    return f"{matter} of {head}" if draw.uniform("order") < 0.5 else f"{head}: {matter}"


@lru_cache(maxsize=64)
def blocks(text: str) -> tuple[str, ...]:
    """The parts of a text that can stand alone: sections with their headings, where there are none, paragraphs."""
    parts: list[list[str]] = []
    headed = open_ = False  # whether the last part begins with a heading, and ends with one
    for paragraph in text.split("\n\n"):
        begins = paragraph.startswith("#")
        if open_ or (headed and not begins):
            parts[-1].append(paragraph)
            open_ = begins
        elif begins or paragraph.strip():
            parts.append([paragraph])
            headed = open_ = begins
    return tuple(["\n\n".join(part) for part in parts])


def cutting(count: int, needed: int, draw: Draw) -> list[int]:
    """Places of the blocks of a page that another takes over: a run around the one that is needed, half to all of the
    page, the beginning always among them.

    Args:
        count: Blocks of the page, at least 1.
        needed: Which must be among them.
    """
    size = max(1, round(min(1.0, 0.5 + 0.75 * draw.uniform("share")) * count))
    low, high = max(0, needed - size + 1), min(needed, count - size)
    later = max(0.0, 2 * draw.uniform("start") - 1)  # every other run begins as early as it can
    start = low + int(later * (max(high, low) - low + 1))
    return sorted({0, needed, *range(start, min(start + size, count))})


def some_links(links: Sequence[Link], text: str, draw: Draw) -> tuple[Link, ...]:
    """Those links of a page that a text cut from it still has; where it has no inline links, most of them."""
    inline = [link for link in links if f"]({link.url}" in text]
    return tuple(inline or [link for link in links if draw.uniform("link", link.url) < 0.7])


def _word(draw: Draw, *key: str | int) -> str:
    count = 2 + (draw.uniform(*key, "long") < 0.3)
    return "".join(
        draw.pick(_ONSETS, *key, i, 0)
        + draw.pick(_VOWELS, *key, i, 1)
        + (draw.pick(_CODAS, *key, i, 2) if i == count - 1 else "")
        for i in range(count)
    )


def _slug(topic: str, model: str) -> str:
    """A topic as the last part of an address, in the form of another's."""
    words = re.findall(r"\w+", topic)[:8] or ["page"]
    text = "_".join(words) if "_" in model or model[:1].isupper() else "-".join(words).lower()
    return quote(text, safe="")
