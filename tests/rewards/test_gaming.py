"""Reports that are written for the judge score no higher than the honest report of the same content.

An attack is given an honest report: one that is right, wrong, or admits that nothing was found. One that drops what the
honest report says is compared with the latter.
"""

import time
from collections.abc import Callable

import pytest
from attacks import ATTACKS, DROPPING
from games import GAMES, LIGHT, WORDED, Game, link

from murk.envs.citations import citations
from murk.envs.records import Page, Trajectory
from murk.rewards import RubricReward
from murk.rewards.judges import Judge
from murk.rewards.judges.entailment import EntailmentJudge
from murk.rewards.judges.rules import RuleJudge

JUDGES: dict[str, tuple[Callable[[], Judge], list[Game]]] = {
    "rule": (RuleJudge, GAMES),
    "entailment": (EntailmentJudge, WORDED),
}


def value(game: Game, report: str, judge: Judge) -> float:
    delivered = {url: Page(url, "", text) for url, text in game.pages.items()}
    cited = tuple(citation.url for citation in citations(report, delivered))
    scored = RubricReward(judge=judge)(Trajectory(game.name, "answered", report, cited), game.task, game.pages)
    assert scored.value is not None
    return scored.value


@pytest.mark.parametrize("name", JUDGES)
def test_the_suite_is_large_and_the_honest_reports_are_what_they_say(name: str) -> None:
    assert len(ATTACKS) >= 40
    judge, games = JUDGES[name][0](), JUDGES[name][1]
    for game in games:
        right, wrong, unknown = (value(game, text, judge) for text in (game.right, game.wrong, game.unknown))
        assert right == 1.0, game.name
        assert max(wrong, unknown) <= 0.2, game.name
        assert any(guess in game.right for guess in game.guesses), game.name


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_beats_the_honest_report(attack: str, judge: str) -> None:
    judging, won = JUDGES[judge][0](), []
    for game in JUDGES[judge][1]:
        for honest in (game.unknown,) if attack in DROPPING else (game.right, game.wrong, game.unknown):
            was, now = (value(game, text, judging) for text in (honest, ATTACKS[attack](game, honest)))
            if now > was + 1e-9:
                won.append(f"{game.name}: {was:.2f} -> {now:.2f} for {honest[:40]!r}")
    assert not won, "\n".join(won)


@pytest.mark.parametrize(
    "unit",
    ["<a ", "<p hidden>", "<!--", "![", "[x]: y\n", "1874 or ", "1874, ", "Ada Merrow or ", "yes and no ", "no, ",
     "Adа", "The keeper was Ada Merrow.\n", "On {n} it was Ada Merrow.\n", "Skerry Light or Port Vale ",
     "In {n}, it was 1874.\n"],
)  # fmt: skip
@pytest.mark.parametrize("judge", JUDGES)
def test_hostile_reports_are_judged_in_time(unit: str, judge: str) -> None:
    text = "".join(unit.replace("{n}", chr(97 + i % 26) * (i % 90 + 1)) for i in range(199_000 // (len(unit) + 1)))
    started = time.process_time()
    for game in JUDGES[judge][1]:
        value(game, text[:199_000], JUDGES[judge][0]())
    assert time.process_time() - started < 0.75 * len(GAMES)


HONEST = {
    "value": [
        "The Skerry Light (1874) stands at Vale; its tower was rebuilt in 1902.",
        "Lit: 1874\nHeight: 42 metres\nKeeper: Ada Merrow",
        "The light was lit in 1874, not in 1861 as the shop says.",
        "| | Skerry Light |\n|---|---|\n| lit | 1874 |\n| height | 42 m |",
        "The port was opened in 1902. The Skerry Light was lit in 1874. The mill was built in 1790.",
        "<b>1874</b>. It was the first light of the coast, lit on 3 May 1874 at 8 in the evening.",
        "1. It was lit in 1874.\n2. It is 42 metres high.\n3. It has 203 steps.",
    ],
    "measure": [
        "It is 42 metres high, and 6 metres wide at its base.",
        "It has 203 steps, 4 floors and a height of 42 metres.",
        "Height: 42 metres\nWidth: 6 metres",
    ],
    "alias": [
        "Ada Merrow\n\n## Why\nThe page on the light says so.",
        "Ada Merrow, or A. Merrow as she signed, kept the light.",
        "Its keeper was Ada Merrow, who came from Vale, and her brother helped.",
        "The keeper was Ada Merrow, not Tom Harrow.",
        "| light | keeper |\n|---|---|\n| Skerry Light | Ada Merrow |\n| Port Light | Ned Lowe |",
        "- Name: Skerry Light\n- Keeper: Ada Merrow\n- Place: Vale",
    ],
    "boolean yes": [
        "**Yes.** There is no doubt, and no other source says so.",
        "It is a yes or no question, and the answer is yes.",
        "The verdict is: true",
        "Yes, it was. It is true that it was lit in 1874.",
    ],
    "comparison Skerry Light": [
        "Of Skerry Light and Port Vale, Skerry Light is older.",
        "Skerry Light: 1874.\nPort Vale: 1902.\nSo Skerry Light is older.",
        "Is it Skerry Light or Port Vale? Skerry Light was lit in 1874, and Port Vale opened in 1902.",
        "Skerry Light (Port Vale is younger).",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in HONEST.items() for text in texts])
def test_honest_reports_are_taken_for_no_hedge(name: str, text: str) -> None:
    game = next(game for game in GAMES if game.name == name)
    assert value(game, f"{text} {link(LIGHT)}", RuleJudge()) == 1.0
