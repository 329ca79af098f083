"""What a reader of a report sees: no comments, hidden elements or image texts, and letters for what they look like."""

import re

_TAG = re.compile(r"<!--(?:[^-]|-(?!->))*(?:-->|$)|<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)\b(?P<more>[^<>]{0,500})>")
_HIDING = re.compile(
    r"\bhidden\b|display\s*:\s*none|(?:opacity|font-size)\s*:\s*0(?![.\d]*[1-9])|"
    r"(?<!-)color\s*[:=]\s*[\"']?(?:white|transparent|#fff)",
    re.IGNORECASE,
)
_INLINE = {
    "a",
    "abbr",
    "b",
    "cite",
    "code",
    "em",
    "font",
    "i",
    "mark",
    "q",
    "s",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "u",
}
_IMAGE = re.compile(r"!\[[^\[\]]{0,500}\]\([^()\s]{0,2048}\)")
_DEFINITION = re.compile(r"^ {0,3}\[[^\[\]\n]{1,100}\]:[^\n]*$", re.MULTILINE)
_ALIKE = re.compile(r"[\u0370-\u04ff]")
_LATIN = str.maketrans(
    "аеіјорсухѕԁһкмтвнАВЕЅІЈКМНОРСТУХαορτυνικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aeijopcyxsdhkmtbhABESIJKMHOPCTYXaoptuvikABEZHIKMNOPTYX"
)
_UNSEEN = (0xAD, 0x34F, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
_FOLDED: dict[int, int | None] = {code + 0xFEE0: code for code in range(0x21, 0x7F) if chr(code).isalnum()}
_FOLDED.update(dict.fromkeys(_UNSEEN))


def visible(text: str) -> str:
    """A report's text as it is seen; takes time in proportion to its length.

    >>> visible("lit <b>in</b> 1874<!-- 1875 --><p hidden>1876</p> by Adа")
    'lit  in  1874 by Ada'
    """
    if not text.isascii():
        text = text.translate(_FOLDED)
        if _ALIKE.search(text):
            text = re.sub(r"\w+", lambda word: _one_script(word[0]), text)
    if "<" in text:
        text = _without_tags(text)
    return _DEFINITION.sub("", _IMAGE.sub(" ", text))


def _one_script(word: str) -> str:
    """A word with letters for those that only look like them, where it mixes scripts."""
    return word.translate(_LATIN) if re.search("[A-Za-z]", word) and _ALIKE.search(word) else word


def _without_tags(text: str) -> str:
    """Text without tags, which end a line unless they are inline; what is within a hidden element goes with them."""
    kept: list[str] = []
    at, hidden, depth = 0, "", 0
    for tag in _TAG.finditer(text):
        if not hidden:
            kept.append(text[at : tag.start()])
        at, name = tag.end(), (tag["name"] or "").lower()
        if hidden:
            depth += (name == hidden) * (-1 if tag["end"] else 1)
            hidden = hidden if depth else ""
        elif name and not tag["end"] and _HIDING.search(tag["more"]):
            hidden, depth = name, 1
        elif name:
            kept.append(" " if name in _INLINE else "\n")
    return "".join(kept) + ("" if hidden else text[at:])
