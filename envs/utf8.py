"""Text that can be encoded, and its size as UTF-8, found in one look at it: long texts are the bulk of a step."""

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> tuple[str, int]:
    """A text in which lone surrogates, which JSON escapes can make, have become U+FFFD; and its bytes as UTF-8."""
    if text.isascii():
        return text, len(text)
    try:
        return text, len(text.encode())
    except UnicodeEncodeError:
        text = _SURROGATE.sub("\ufffd", text)
        return text, len(text.encode())
