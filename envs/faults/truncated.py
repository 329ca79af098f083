"""`truncated`: the text of a page ends early, and nothing says so."""

from dataclasses import dataclass, replace
from typing import ClassVar

from murk.envs.faults import Draw, check_range
from murk.envs.records import Call, Open, Page, Request, Response, World


@dataclass(frozen=True, slots=True)
class Truncated:
    """A body that is cut anywhere. `keep` is the largest share of it that is left, above 0 and below 1."""

    keep: float = 0.6

    family: ClassVar[str] = "silent"
    requests: ClassVar[tuple[type, ...]] = (Open,)

    def __post_init__(self) -> None:
        check_range("keep", self.keep, 0.01, 0.99)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        raw = inner.answer(request, call)
        if not isinstance(raw, Page):
            return raw
        return replace(raw, text=raw.text[: int(len(raw.text) * draw.uniform("keep") * self.keep)])
