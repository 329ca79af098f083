"""`paywall`: the first lines of a page, and then an offer to subscribe."""

from dataclasses import dataclass, replace
from typing import ClassVar

from murk.envs.faults import Draw, check_range
from murk.envs.faults.rule import place_of
from murk.envs.records import Call, Open, Page, Request, Response, World

_STOPS = (
    "The rest of this page is for subscribers.",
    "Only members of {host} can read on.",
    "You have read all your free articles of this month.",
    "To keep reading, choose a plan.",
    "This is a preview. The full text is part of our paid offer.",
    "Already a reader of {host}? Then sign in to go on.",
)
_OFFERS = (
    "From {price} a month, and the first {weeks} weeks are free.",
    "{weeks} weeks for {price}, after that the usual rate.",
    "Students and libraries pay less. Others pay {price} a month.",
    "Get every article for {price} per month. You can stop at any time.",
    "A day pass costs {price}.",
)
_ACTIONS = (
    "[Sign in]({root}login) | [Subscribe]({root}subscribe)",
    "Log in   Create an account   Help",
    "* [See all plans]({root}plans)\n* [Sign in with your library card]({root}institutions)",
    "[Continue]({root}offer)",
    "Subscribe now\n\nNot now",
)
_LEADS = ("\n\n---\n\n", "\n\n", "...\n\n", "\u2026\n\n## Read the full story\n\n", "\n\n**Subscribers only**\n\n")


@dataclass(frozen=True, slots=True)
class Paywall:
    """A teaser of whole lines, of about `words` words at most, and a notice. A page that is shorter stays as it is."""

    words: int = 60

    family: ClassVar[str] = "interface"
    requests: ClassVar[tuple[type, ...]] = (Open,)
    schedule: ClassVar[str] = "sticky"

    def __post_init__(self) -> None:
        check_range("words", self.words, 1, 10_000)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        raw = inner.answer(request, call)
        if not isinstance(raw, Page):
            return raw
        free = _teaser(raw.text, self.words)
        return replace(raw, text=free + _notice(raw.url, draw)) if len(free) < len(raw.text) else raw


def _teaser(text: str, words: int) -> str:
    """The lines that fit; of a first line that does not, its first words."""
    parts = text.split(maxsplit=words)
    if len(parts) <= words:
        return text
    free = text[: len(text) - len(parts[-1])]
    whole = free[: free.rfind("\n") + 1].rstrip()
    return whole if len(whole) > len(free) // 3 else free.rstrip()


def _notice(url: str, draw: Draw) -> str:
    host = place_of(url)[0] or "this site"
    currency = draw.pick(("€ {}", "${}", "£{}", "{} EUR", "US${}"), "currency")
    price = currency.format(f"{1 + int(draw.uniform('price') * 20)}.{draw.pick(('00', '50', '90', '99'), 'cents')}")
    known = {"host": host, "root": f"https://{host}/", "price": price, "weeks": 1 + int(draw.uniform("weeks") * 8)}
    stop, offer, action = (draw.pick(pool, i).format(**known) for i, pool in enumerate((_STOPS, _OFFERS, _ACTIONS)))
    parts = draw.pick(([stop, offer, action], [stop, action], [stop, offer], [offer, stop, action]), "parts")
    return draw.pick(_LEADS, "lead") + "\n\n".join(parts)
