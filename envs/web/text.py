"""How text is cut into words, passages and snippets.

Words are runs of Unicode letters and digits, compared without case and accents, an English plural like its singular.
A compound such as `os.path` or `json_dumps` counts as itself and as its parts. Chinese and Japanese have no spaces: a
run of their characters counts as its overlapping pairs.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

PASSAGE_WORDS = 100
PASSAGE_BYTES = 4_000
SNIPPET_CHARS = 300
CONTENT_SIZE = 1_024

# Letters with the accents behind them, digits, and dots within.
_WORD = re.compile("\\w[\\w\u0300-\u036f]*(?:\\.\\w[\\w\u0300-\u036f]*)*")
_PART = re.compile(r"[^._]+")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_ACCENT = re.compile("[\u0300-\u036f]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\u202a-\u202e\u2066-\u2069]")
_CHUNK = re.compile(rb"\S+\s*")
_LINK_TARGET = re.compile(r"\]\(<?https?://[^\s()]*(?:\([^\s()]*\)[^\s()]*)*>?\)")
_LONG_WORD = 64


def clean(text: str) -> str:
    """Text without characters that only steer a terminal or a display; line ends become newlines.

    >>> clean("a\\r\\nb\\x1b[31m")
    'a\\nb[31m'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n")
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")


def words(text: str) -> list[str]:
    """The words of a text as the search index knows them.

    >>> words("Árpád's cities: os.path, 世界史")
    ['arpad', 's', 'city', 'os.path', 'os', 'path', '世界', '界史']
    """
    out: list[str] = []
    for token in _WORD.findall(text):
        out.extend(_forms(token))
    return out


def stem(word: str) -> str:
    """An English plural's singular, by its ending (the "S" stemmer: Harman 1991, "How effective is suffixing?")."""
    if len(word) < 4 or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y" if word[-4] not in "ae" else word
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word if word.endswith(("us", "ss")) else word[:-1]


@lru_cache(maxsize=1 << 18)
def _forms(token: str) -> tuple[str, ...]:
    token = token[:_LONG_WORD].casefold()
    if not token.isascii():
        token = _ACCENT.sub("", unicodedata.normalize("NFKD", token))
        token = unicodedata.normalize("NFC", token).casefold()
        if _CJK.search(token):
            return tuple(_cjk(token))
    if "_" in token or "." in token:
        parts = _PART.findall(token)
        return (*([token.strip("_")] if len(parts) > 1 else []), *map(stem, parts))
    return (stem(token),)


def _cjk(token: str) -> Iterator[str]:
    at = 0
    for run in _CJK.finditer(token):
        if at < run.start():
            yield stem(token[at : run.start()])
        text = run[0]
        yield from (text[i : i + 2] for i in range(max(1, len(text) - 1)))
        at = run.end()
    if at < len(token):
        yield stem(token[at:])


def passages(text: bytes) -> list[tuple[int, int]]:
    """Cuts UTF-8 text into passages of about `PASSAGE_WORDS` words: byte ranges that end where a line or sentence does
    once three quarters full, and that never hold more than `PASSAGE_BYTES` bytes.

    Without spaces (Chinese, Japanese) a passage is cut by its bytes.
    """
    spans: list[tuple[int, int]] = []
    start = end = count = 0
    for chunk in _CHUNK.finditer(text):
        piece, at = chunk[0].rstrip(), chunk.start()
        if count and (count >= PASSAGE_WORDS or at + len(piece) - start > PASSAGE_BYTES):
            spans.append((start, end))
            count = 0
        if not count:
            start = at
        while at + len(piece) - start > PASSAGE_BYTES:
            cut = _boundary(text, start + PASSAGE_BYTES)
            spans.append((start, cut))
            piece, start = text[cut : at + len(piece)], cut
            at = cut
        end, count = at + len(piece), count + 1
        breaks = b"\n\n" in chunk[0] or piece.endswith((b".", b"!", b"?", "\u3002".encode()))
        if breaks and count >= PASSAGE_WORDS * 3 // 4:
            spans.append((start, end))
            count = 0
    if count:
        spans.append((start, end))
    return spans


def without_targets(text: str) -> str:
    """Text with the targets of Markdown links left out: neither searched nor shown in snippets.

    >>> without_targets("[capital](https://example.org/a_(b)) of it")
    '[capital] of it'
    """
    return _LINK_TARGET.sub("]", text) if "]" in text and "](" in text else text  # one character is found far faster


def snippet(text: str, wanted: Sequence[str], limit: int = SNIPPET_CHARS) -> str:
    """A part of a passage of at most `limit` characters, on one line, begun so that it holds many wanted words."""
    start = 0
    if len(text) > limit:
        low = text.lower()
        places = sorted([at for word in wanted if (at := low.find(word)) >= 0])
        start = _best_start(places, limit - 60)
        start = 0 if start < 60 else text.rfind(" ", 0, start - 30) + 1
        if len(text) - start < limit:
            start = text.find(" ", len(text) - limit) + 1
    flat = " ".join(text[start : start + limit + 40].split())
    if len(flat) <= limit:
        return flat
    end = flat.rfind(" ", limit // 2, limit)
    return flat[: end if end > 0 else limit]


def excerpt(text: str, begins: bool, ends: bool) -> str:
    """A piece of a page without link targets, and without a word that is cut in two at its beginning or end.

    Args:
        text: The piece.
        begins: Whether it begins with a whole word.
        ends: Whether it ends with the page.
    """
    if not begins:
        text = text[text.find(" ", 0, _LONG_WORD) + 1 :]
    if not ends and (end := text.rfind(" ", len(text) - _LONG_WORD)) > 0:
        text = text[:end]
    return without_targets(text).strip(" \n\ufffd")  # U+FFFD is what half a character at an end is read as


def _best_start(places: list[int], width: int) -> int:
    """The first of sorted places from which a window of some width holds most of them."""
    best = start = first = 0
    for last, place in enumerate(places):
        while place - places[first] >= width:
            first += 1
        if last - first + 1 > best:
            best, start = last - first + 1, places[first]
    return start


def mark(word: str) -> str:
    """What to look for in a text to find a word of the index, whether singular or plural.

    >>> mark("city"), mark("king")
    ('cit', 'king')
    """
    return word[:-1] if len(word) > 3 and word.endswith("y") else word


def _boundary(text: bytes, at: int) -> int:
    while at > 0 and at < len(text) and text[at] & 0xC0 == 0x80:
        at -= 1
    return at
