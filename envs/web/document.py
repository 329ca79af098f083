"""A capture made readable: what importers and extraction end in, and what a snapshot holds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """A readable capture.

    Attributes:
        url: Canonical address.
        text: Readable, Markdown-like text.
        links: Canonical targets with their texts, in the order of the page, each target once.
        date: When it was captured, as YYYYMMDDhhmmss; 0 where unknown.
        pages: For a long document, the character offset at which each of its pages begins; empty for web pages.
    """

    url: str
    title: str
    text: str
    links: tuple[tuple[str, str], ...]
    date: int
    pages: tuple[int, ...] = ()
