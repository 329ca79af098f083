"""`captcha`: a page asks whether you are a person, in the place of what it holds."""

from dataclasses import dataclass, replace
from typing import ClassVar

from murk.envs.faults import Draw, check_range
from murk.envs.records import Call, Open, Page, Request, Response, World

_QUESTIONS = ("Select all squares with a ferry.", "Type the word that you see.", "How much is {a} plus {b}?")


@dataclass(frozen=True, slots=True)
class Captcha:
    """A page is hidden behind `rounds` questions, 1 to 10."""

    rounds: int = 1

    family: ClassVar[str] = "interface"
    requests: ClassVar[tuple[type, ...]] = (Open,)
    schedule: ClassVar[str] = "sticky"

    def __post_init__(self) -> None:
        check_range("rounds", self.rounds, 1, 10)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        raw = inner.answer(request, call)
        if not isinstance(raw, Page):
            return raw
        numbers = {"a": int(draw.uniform("a") * 20), "b": int(draw.uniform("b") * 20)}
        asked = [draw.pick(_QUESTIONS, "question", i).format(**numbers) for i in range(self.rounds)]
        return replace(raw, text="\n\n".join(["Before you go on:", *asked]))
