"""Text that can be encoded, and its size as UTF-8, found in one look at it: long texts are the bulk of a step."""

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


class Decoded(str):
    """A text that was UTF-8, of which `size` is the number of bytes.

    >>> Decoded(b"caf\\xc3\\xa9").size
    5
    """

    __slots__ = ("size",)
    size: int

    def __new__(cls, data: bytes) -> "Decoded":
        text = super().__new__(cls, data, "utf-8")
        text.size = len(data)
        return text


def encodable(text: str) -> tuple[str, int]:
    """A text in which lone surrogates, which JSON escapes can make, have become U+FFFD; and its bytes as UTF-8."""
    if text.isascii():
        return text, len(text)
    if isinstance(text, Decoded):
        return text, text.size
    try:
        return text, len(text.encode())
    except UnicodeEncodeError:
        text = _SURROGATE.sub("\ufffd", text)
        return text, len(text.encode())
