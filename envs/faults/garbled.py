"""`garbled`: a page was read in another encoding than it was written in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from murk.envs.errors import UnknownName
from murk.envs.faults import Draw
from murk.envs.records import Call, Open, Page, Request, Response, World

_CJK = ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr")


def _latin(text: str, draw: Draw) -> str:
    """UTF-8 read as Windows-1252 or Latin-1."""
    return text.encode("utf-8", "replace").decode(draw.pick(("cp1252", "latin-1"), "latin"), "replace")


def _double(text: str, draw: Draw) -> str:
    """The same twice: UTF-8 that was encoded once more."""
    return _latin(_latin(text, draw), draw)


def _replaced(text: str, draw: Draw) -> str:
    """Windows-1252 read as UTF-8; what it does not have, as another small charset would."""
    return text.encode("cp1252", "replace").decode("utf-8", "replace")


def _cjk(text: str, draw: Draw) -> str:
    """UTF-8, or where the text fits one the charset of an East Asian page, read as that of another."""
    wrong = draw.pick(_CJK, "wrong")
    for name in ("gb18030", "shift_jis", "euc_kr"):
        if draw.uniform("own") < 0.5 and name != wrong:
            data = text.encode(name, "ignore")
            if len(data) > len(text):
                return data.decode(wrong, "replace")
    return text.encode("utf-8", "replace").decode(wrong, "replace")


def _wide(text: str, draw: Draw) -> str:
    """Bytes read two by two: what a wrong guess of UTF-16 makes of plain English."""
    return text.encode("utf-8", "replace").decode("utf-16-le", "replace")


KINDS: Mapping[str, Callable[[str, Draw], str]] = {
    "latin": _latin,
    "double": _double,
    "replaced": _replaced,
    "cjk": _cjk,
    "wide": _wide,
}


@dataclass(frozen=True, slots=True)
class Garbled:
    """Mojibake in text and title of a page.

    A text that one kind leaves as it is, as ASCII is by most, is garbled by the next kind; the page stays as it is
    where none changes it.

    Attributes:
        kinds: `latin` (UTF-8 read as Windows-1252 or Latin-1), `double` (encoded twice), `replaced` (replacement
            characters), `cjk` (wrong East Asian charset), `wide` (read as UTF-16, which leaves nothing legible).

    Raises:
        UnknownName: no such kind.
    """

    kinds: tuple[str, ...] = tuple(KINDS)

    family: ClassVar[str] = "silent"
    requests: ClassVar[tuple[type, ...]] = (Open,)

    def __post_init__(self) -> None:
        for kind in self.kinds or ("",):
            if kind not in KINDS:
                raise UnknownName("one of the kinds", str(kind), KINDS)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        raw = inner.answer(request, call)
        if not isinstance(raw, Page):
            return raw
        first = int(draw.uniform("kind") * len(self.kinds))
        for kind in (*self.kinds[first:], *self.kinds[:first]):
            text = KINDS[kind](raw.text, draw)
            if text != raw.text:
                return replace(raw, text=text, title=KINDS[kind](raw.title, draw))
        return raw
