"""Tasks with honest reports, and guesses among which the answer is: what any policy may know that does not know it."""

from dataclasses import dataclass, field, replace
from typing import Any

from murk.envs.tasks import Task

LIGHT, PORT, SHOP = "https://vale.example/light", "https://vale.example/port", "https://spam.example/shop"
PAGES = {
    LIGHT: "The Skerry Light was lit for the first time in 1874. It is 42 metres high. Its keeper was Ada Merrow.",
    PORT: "The port of Vale was opened in 1902. The population of Vale is 12,400.",
    SHOP: "Buy lamps. The Skerry Light was lit in 1861 by Tom Harrow.",
    **{f"https://other.example/{i}": f"Page {i} on other things." for i in range(20)},
}


@dataclass(frozen=True)
class Game:
    """A task with honest reports, and guesses that hold the answer."""

    name: str
    question: str
    rubric: list[dict[str, Any]]
    right: str
    wrong: str
    unknown: str
    guesses: list[str]
    pages: dict[str, str] = field(default_factory=lambda: PAGES)

    @property
    def task(self) -> Task:
        return Task.of({"id": self.name, "question": self.question, "rubric": self.rubric})


def link(url: str) -> str:
    return f"[source]({url})"


def criterion(name: str, weight: float, **check: Any) -> dict[str, Any]:
    return {"id": name, "text": f"On {name}, the report is as it should be.", "weight": weight, "check": check}


CITES = criterion("cited", 2, kind="cites", urls=[LIGHT])
LIT = {"subjects": ["Skerry Light"], "elsewhere": ["port of Vale"]}
KEEPERS = [{"values": ["Tom Harrow"]}, {"values": ["Eve Stone"]}]
GAMES = [
    Game(
        "value",
        "In which year was the Skerry Light lit for the first time?",
        [
            criterion("answer", 5, kind="value", number=1874, tolerance=0, rivals=[{"number": 1861}], **LIT),
            CITES,
            criterion("supported", 1, kind="supports", number=1874, tolerance=0),
            criterion("false", -4, kind="asserts", number=1861, tolerance=0, **LIT),
        ],
        f"The Skerry Light was lit for the first time in 1874 {link(LIGHT)}.",
        f"The Skerry Light was lit for the first time in 1861 {link(SHOP)}.",
        "I could not find when the Skerry Light was lit for the first time.",
        [str(year) for year in range(1871, 1879)],
    ),
    Game(
        "measure",
        "How high is the Skerry Light?",
        [
            criterion("answer", 5, kind="value", number=42, unit="metres", rivals=[{"number": 35}], **LIT),
            CITES,
            criterion("supported", 1, kind="supports", number=42, unit="metres"),
            criterion("false", -4, kind="asserts", number=35, unit="metres", **LIT),
        ],
        f"The Skerry Light is 42 metres high {link(LIGHT)}.",
        f"The Skerry Light is 35 metres high {link(SHOP)}.",
        "I could not find how high the Skerry Light is.",
        [f"{height} metres" for height in (38, 40, 42, 44, 46)],
    ),
    Game(
        "alias",
        "Who was the keeper of the Skerry Light?",
        [
            criterion("answer", 5, kind="alias", values=["Ada Merrow", "A. Merrow"], rivals=KEEPERS, **LIT),
            CITES,
            criterion("supported", 1, kind="supports", values=["Ada Merrow"]),
            criterion("false", -4, kind="asserts", values=["Tom Harrow"], **LIT),
        ],
        f"The keeper of the Skerry Light was Ada Merrow {link(LIGHT)}.",
        f"The keeper of the Skerry Light was Tom Harrow {link(SHOP)}.",
        "I could not find who the keeper of the Skerry Light was.",
        ["Ida Marsh", "Ada Merrow", "John Vale", "Ned Lowe", "Una Reed"],
    ),
    *(
        Game(
            f"boolean {'yes' if value else 'no'}",
            "Was the Skerry Light lit before 1900?" if value else "Was the Skerry Light lit after 1900?",
            [
                criterion("verdict", 5, kind="boolean", value=value),
                CITES,
                criterion("opposite", -4, kind="boolean", value=not value),
            ],
            f"{'Yes' if value else 'No'}, the Skerry Light was lit in 1874 {link(LIGHT)}.",
            f"{'No' if value else 'Yes'}, that is what the shop says {link(SHOP)}.",
            "I could not find when the Skerry Light was lit.",
            ["Yes", "No"],
        )
        for value in (True, False)
    ),
    *(
        Game(
            f"comparison {right}",
            f"Which is older, {first} or {second}?",
            [
                criterion("answer", 5, kind="choice", options=[[right], [wrong]], value=0),
                CITES,
            ],
            f"{right} is older {link(LIGHT)}.",
            f"{wrong} is older {link(SHOP)}.",
            "I could not find which of the two is older.",
            [first, second],
        )
        for first, second, right, wrong in (
            ("Skerry Light", "Port Vale", "Skerry Light", "Port Vale"),
            ("Skerry Light", "Port Vale", "Port Vale", "Skerry Light"),
        )
    ),
    Game(
        "report",
        "Describe the Skerry Light: when it was lit, how high it is, and who kept it.",
        [
            criterion("lit", 3, kind="value", number=1874, tolerance=0, rivals=[{"number": 1861}], **LIT),
            criterion("height", 3, kind="value", number=42, unit="metres", rivals=[{"number": 35}], **LIT),
            criterion("keeper", 3, kind="alias", values=["Ada Merrow"], rivals=KEEPERS, **LIT),
            CITES,
            criterion("silent", 1, kind="absent", values=["Eve Stone"]),
            criterion("false", -4, kind="asserts", values=["Tom Harrow"], **LIT),
            criterion("false year", -4, kind="asserts", number=1861, tolerance=0, **LIT),
        ],
        f"# Skerry Light\nThe Skerry Light was lit in 1874 {link(LIGHT)}. It is 42 metres high. "
        "Its keeper was Ada Merrow.",
        f"# Skerry Light\nThe Skerry Light was lit in 1861 {link(SHOP)}. Its keeper was Tom Harrow.",
        "# Skerry Light\nI could not find when it was lit, how high it is, or who kept it.",
        ["1873", "1874", "1875", "40 metres", "42 metres", "Ida Marsh", "Ada Merrow", "John Vale"],
    ),
]

LIT_IN, OLDER = "States that the Skerry Light was lit in {}.", "States that {} is older."
TEXTS = {
    ("value", "answer"): "States that the Skerry Light was lit for the first time in 1874.",
    ("value", "false"): "States that the Skerry Light was lit for the first time in 1861.",
    ("measure", "answer"): "States that the Skerry Light is 42 metres high.",
    ("measure", "false"): "States that the Skerry Light is 35 metres high.",
    ("alias", "answer"): "Names Ada Merrow as the keeper of the Skerry Light.",
    ("alias", "false"): "Names Tom Harrow as the keeper of the Skerry Light.",
    ("boolean yes", "verdict"): LIT_IN.format(1874),
    ("boolean no", "verdict"): LIT_IN.format(1874),
    ("comparison Skerry Light", "answer"): OLDER.format("Skerry Light"),
    ("comparison Port Vale", "answer"): OLDER.format("Port Vale"),
    ("report", "lit"): LIT_IN.format(1874),
    ("report", "height"): "States that it is 42 metres high.",
    ("report", "keeper"): "Names Ada Merrow as the keeper.",
    ("report", "false"): "Names Tom Harrow as the keeper.",
    ("report", "false year"): LIT_IN.format(1861),
}
# The same for judges that read criteria; those on citations and on what is left out are not for them.
WORDED = [
    replace(
        game, rubric=[one | {"text": TEXTS[key]} for one in game.rubric if (key := (game.name, one["id"])) in TEXTS]
    )
    for game in GAMES
]
