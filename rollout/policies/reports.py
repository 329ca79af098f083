"""Sentences of a report and their citations."""

import re

from murk.rollout.policies.language import WEAK, stems
from murk.rollout.policies.pages import Line
from murk.rollout.policies.results import Opened

MAX_QUOTE = 300


def cited(sentence: str, *pages: Opened | str) -> str:
    """A sentence that ends with the citation of its pages, each given as read or by its key."""
    keys = dict.fromkeys(page if isinstance(page, str) else page.cite for page in pages)
    marks = " ".join(f"\\cite{{{key}}}" for key in keys if key)
    return f"{sentence.rstrip(' .')} {marks}." if marks else f"{sentence.rstrip(' .')}."


def shorten(text: str, limit: int = MAX_QUOTE) -> str:
    """A text of at most `limit` characters, cut between words."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: text.rfind(" ", 0, limit) if " " in text[:limit] else limit] + " ..."


def phrase(line: Line, wanted: frozenset[str]) -> str:
    """What a line is about, in the words of its label or heading, whichever has more of what was asked for."""
    heading = line.heading if len(line.heading.split()) <= 8 else ""
    of_heading, of_label = stems(heading) & wanted, stems(line.label) & wanted
    if heading and (stems(line.label) <= WEAK | stems(heading) or len(of_heading) > len(of_label)):
        said = heading
    else:
        said = line.label if len(line.label.split()) > 1 else " ".join(filter(None, [heading, line.label]))
    return re.sub(r"\s+\d{4}$", "", said)
