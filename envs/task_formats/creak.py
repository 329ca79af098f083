"""CREAK (Onoe et al., 2021): claims about entities, true or false, each with an explanation."""

import re
from typing import Any

from murk.envs.task_formats.parts import addresses, chance, half, rest, text, yes_or_no
from murk.envs.task_formats.rows import Broken, Row

_LABELS = {"true": True, "false": False}
_USED = ("ex_id", "label", "url")
_WORDS = (
    "a according all although an ancient any anybody anyone as at because before being both by currently despite "
    "doctors due during each every everyone everything few for from going having he her his if in it its large like "
    "many members men most no nobody on one only originally our people scientists several she since some someone "
    "sometimes students that the their there these they this those throughout to tourists two unfortunately until we "
    "when while women you your"
)
_ORDINARY = frozenset(_WORDS.split())


def task(row: Row) -> dict[str, Any]:
    """A claim as a task: the question whether it is true. A false one can be planted as misinformation."""
    claim, entity, url = text(row, "claim"), text(row, "entity"), addresses([row.get("url")])
    label = _LABELS.get(str(row.get("label")).strip().lower())
    if label is None:
        raise Broken("label is neither true nor false")
    made = yes_or_no(label, url) | half(url)
    made |= {"id": row.get("ex_id"), "question": question(claim), "kind": "claim", "language": "en"}
    if not label:
        false = {"id": "c1", "subject": entity, "true": text(row, "explanation"), "false": claim}
        made["claims"] = [false | {"type": "claim", "url": url[0]}]
    return made | {"meta": rest(row, _USED) | {"chance": chance(made["rubric"])}}


def question(claim: str) -> str:
    """The question whether a claim is true.

    >>> question("The river Rhine flows north.")
    'Is it true that the river Rhine flows north? Argue from sources.'
    >>> question("Wheat grows in the U.S.")
    'Is it true that Wheat grows in the U.S.? Argue from sources.'
    """
    first, _, more = claim.partition(" ")
    word = first.strip(",").lower()
    # A name stays as it is, and so does a word that may be one: a capital too many misleads nobody.
    seen_small = first[1:].islower() and more[:1].islower() and re.search(rf"\b{re.escape(word)}\b", more)
    if word in _ORDINARY or seen_small:
        claim = claim[0].lower() + claim[1:]
    if not re.search(r"\b[A-Z]\.$", claim):
        claim = claim.rstrip(". ")
    return f"Is it true that {claim}? Argue from sources."
