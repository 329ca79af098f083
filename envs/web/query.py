"""The query language: words, `"a phrase"`, `site:host` and `-word`."""

import re
from dataclasses import dataclass

from murk.envs.web.text import words

MAX_QUERY = 2_000
MAX_TERMS = 64

_TOKEN = re.compile(r'"([^"]*)"|(\S+)')


@dataclass(frozen=True, slots=True)
class Query:
    """A query taken apart.

    Attributes:
        terms: Distinct words to score by, in their order, at most `MAX_TERMS`; those of phrases count, too.
        phrases: Each a list of words that must follow one another.
        sites: Hosts one of which must hold the page, itself or a subdomain of it.
        without: Words that the page must not have.
    """

    terms: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...] = ()
    sites: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def parse_query(text: str) -> Query:
    """Takes any text apart; nothing is an error, and what is beyond `MAX_QUERY` characters is ignored.

    >>> parse_query('"new zealand" site:Example.org -sheep')
    Query(terms=('new', 'zealand'), phrases=(('new', 'zealand'),), sites=('example.org',), without=('sheep',))
    """
    text = text[:MAX_QUERY]
    if '"' not in text and "-" not in text and "site:" not in text.lower():
        return Query(tuple(dict.fromkeys(words(text)))[:MAX_TERMS])
    terms: dict[str, None] = {}
    phrases, sites, without = [], [], []
    for match in _TOKEN.finditer(text):
        phrase, word = match[1], match[2] or ""
        if word.lower().startswith("site:") and len(word) > 5:
            sites.append(word[5:].lower().removeprefix("*.").strip("./"))
        elif word.startswith("-") and words(word):
            without.extend(words(word))
        else:
            found = words(phrase if phrase is not None else word)
            if phrase is not None and len(found) > 1:
                phrases.append(tuple(found))
            terms.update(dict.fromkeys(found))
    return Query(tuple(terms)[:MAX_TERMS], tuple(phrases[:8]), tuple(sites[:8]), tuple(without[:8]))
