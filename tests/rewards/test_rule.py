"""The rule judge: how values are read, and that a report which also asserts a conflicting value is not believed."""

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs.records import Trajectory
from murk.rewards.judges.numbers import numbers
from murk.rewards.judges.report import MOST_CHARS, content
from murk.rewards.judges.rule import judge

URL = "https://atlas.example/germany"
GDP = {"kind": "value", "number": 4.424e12, "tolerance": 0.002, "unit": "US dollars"}
PEOPLE = {
    "kind": "value",
    "number": 84_012_284,
    "tolerance": 0.002,
    "unit": "people",
    "subjects": ["Germany"],
    "elsewhere": ["Poland"],
    "when": "2026",
    "rivals": [{"number": 79_903_481, "when": "2021"}, {"number": 61_300_000}],
}
LEADER = {
    "kind": "alias",
    "values": ["Friedrich Merz", "Merz"],
    "subjects": ["Germany"],
    "elsewhere": ["Poland"],
    "when": "2026",
    "rivals": [{"values": ["Angela Merkel", "Merkel"], "when": "2021"}, {"values": ["Donald Tusk", "Tusk"]}],
}
LIE = {"kind": "asserts", "values": ["Donald Tusk", "Tusk"], "subjects": ["Germany"], "elsewhere": ["Poland"]}
CHOICE = {"kind": "choice", "options": [["Niger"], ["Nigeria"], ["Guinea"], ["Equatorial Guinea"]], "value": 1}


def verdict(check: dict[str, Any], report: str, *cited: str, page: str = "") -> str:
    return judge(check, Trajectory("t", "answered", report, cited), {URL: page})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("4.424 trillion, $4,424,000,000,000 or 4,424 billion", [4.424e12] * 3),
        ("84.0 million; 84 012 284; 84\u202f012\u202f284; 84.012.284", [84e6, 84012284.0, 84012284.0, 84012284.0]),
        ("12.5万 and 8,401万人, 0.84亿", [125000.0, 84010000.0, 84000000.0]),
        ("人口为84,012,284人。", [84012284.0]),
        ("2,963m, 357022km², 45.5% and €3bn", [2963.0, 357022.0, 45.5, 3e9]),
        ("-12.5 \u22123 10-20", [-12.5, -3.0, 10.0, 20.0]),
        ("on 22 January 2026, 2026-01-22 or May 6, 2025", [2026.0, 2026.0, 2025.0]),
        ("v2.1.3 G7 x9 1,23", [1.23]),
    ],
)
def test_numbers_in_their_formats(text: str, values: list[float]) -> None:
    assert numbers(text) == pytest.approx(values)


@pytest.mark.parametrize(
    ("check", "report", "expected"),
    [
        (GDP, "It was $4,424,000,000,000.", "met"),
        (GDP, "It was 4.424 trillion dollars.", "met"),
        (GDP, "It was 4,424 billion.", "met"),
        (GDP, "It was 4,424 million.", "unmet"),
        ({**GDP, "number": 2021}, "In 2021 it was unknown.", "unmet"),
        ({**GDP, "number": 2021}, "It was $2021.", "met"),
        ({**GDP, "number": 2021}, "It was 2021 dollars.", "met"),
        (PEOPLE, "Germany has 84.0 million people.", "met"),
        ({"kind": "value", "number": 7820}, "tiene 7.820 habitantes", "met"),
        ({"kind": "value", "number": 307.7, "tolerance": 0}, "307,7 kilómetros", "met"),
        (PEOPLE, "84,012,284 or 79,903,481", "unmet"),
        (PEOPLE, "84,012,284. In the 2021 edition it was 79,903,481.", "met"),
        (PEOPLE, "84,012,284. An older page says 79,903,481.", "met"),
        (PEOPLE, "84,012,284, not 61.3 million.", "met"),
        (PEOPLE, "61.3 million, not 84,012,284.", "unmet"),
        (PEOPLE, "84,012,284. The claim of 61,300,000 is false.", "met"),
        (PEOPLE, "84,012,284. Another page gives 61,300,000, which I could not verify.", "met"),
        (PEOPLE, "84,012,284 (2026). In 2021 it was 61,300,000.", "unmet"),
        (PEOPLE, "84,012,284. Poland has 61,300,000.", "met"),
        (PEOPLE, "84,012,284. Poland borders Germany, which has 61,300,000.", "unmet"),
        (PEOPLE, "Candidates: 84,012,284, 1, 2, 3, 4, 5, 6, 7, 8, 9", "unmet"),
        (PEOPLE, "\n".join(f"{n} people" for n in range(84_000_000, 84_000_050)), "unmet"),
        (LEADER, "Chancellor Friedrich MERZ (since 6 May 2025)", "met"),
        (LEADER, "Friedrich Merz. Chancellor Angela Merkel leads the government.", "unmet"),
        (LEADER, "Angela Merkel led in 2021; today Friedrich Merz does.", "met"),
        (LEADER, "Friedrich Merz, formerly Angela Merkel.", "met"),
        (LEADER, "Friedrich Merz; Donald Tusk heads the government of Poland.", "met"),
        (LEADER, "Friedrich Merz. Donald Tusk heads the government.", "unmet"),
        (LEADER, "Some say it is not Friedrich Merz.", "unmet"),
        (LEADER, "Macron, Tusk2, Merz, Sanchez, Meloni, Orban, Frost, Dane, Pike, Rook, Wren", "unmet"),
        (LEADER, f"Merkel (https://x.example/Merkel) and [Merz]({URL}/Tusk)", "unmet"),
        (LEADER, f"[Merz]({URL}/Tusk), see https://x.example/Merkel", "met"),
        (LIE, "It is Donald Tusk.", "met"),
        (LIE, "It is not Donald Tusk.", "unmet"),
        (LIE, "Donald Tusk, not Friedrich Merz.", "met"),
        (LIE, "That it is Donald Tusk is wrong.", "unmet"),
        (LIE, "Poland is led by Donald Tusk.", "unmet"),
        ({"kind": "alias", "values": [".de"]}, "Its code is .de", "met"),
        ({"kind": "alias", "values": [".de"]}, "rue de Paris, a.de", "unmet"),
        ({"kind": "alias", "values": ["北京"]}, "首都是北京。", "met"),
        ({"kind": "alias", "values": ["Mt. Fogo"]}, "It is Mt. Fogo on St. Nick.", "met"),
        (CHOICE, "Nigeria. Niger is smaller.", "met"),
        (CHOICE, "Niger is smaller than Nigeria.", "unmet"),
        (CHOICE, "# Niger or Nigeria\nNiger or Nigeria?\nNigeria", "met"),
        (CHOICE, "Ghana", "unmet"),
        ({**CHOICE, "value": 2}, "Equatorial Guinea", "unmet"),
        ({**CHOICE, "value": 3}, "Equatorial Guinea", "met"),
        ({"kind": "boolean", "value": True}, "Yes. There is no doubt.", "met"),
        ({"kind": "boolean", "value": True}, "Yes.\nVerdict: no.", "partial"),
        ({"kind": "boolean", "value": True}, "Yes.\nNo, it is not.", "partial"),
        ({"kind": "boolean", "value": False}, "There is no doubt.\n**Final answer:** False.", "met"),
    ],
)  # fmt: skip
def test_what_a_report_asserts(check: dict[str, Any], report: str, expected: str) -> None:
    assert verdict(check, report) == expected


def test_a_number_is_supported_by_a_cited_page_in_any_format() -> None:
    check = {"kind": "supports", "number": 84_012_284, "tolerance": 0.002, "unit": "people"}
    assert verdict(check, "84.0 million", URL, page="Population: 84,012,284") == "met"
    assert verdict(check, "84.0 million", URL, page="Population: 79,903,481") == "unmet"
    assert verdict(check, "84.0 million", page="Population: 84,012,284") == "unmet"
    assert verdict(check, "79.9 million", URL, page="Population: 84,012,284") == "unmet"


_PARTS = ("Germany has 84,012,284 people.", "It was 79,903,481 in 2021.", "It is 61,300,000.", "Poland is near.",
          "Friedrich Merz leads.", "Tusk does.", "\n", "Is it so? ", "not", "84.0 million", "不是")  # fmt: skip


@given(st.lists(st.sampled_from(_PARTS), max_size=8), st.randoms(use_true_random=False))
def test_order_changes_nothing(parts: list[str], random: Any) -> None:
    """The order of sentences, rivals, names and criteria is not evidence."""
    mixed = list(parts)
    random.shuffle(mixed)
    for check in (PEOPLE, LEADER):
        other = {**check, "rivals": list(check["rivals"])[::-1]}  # type: ignore[call-overload]
        assert verdict(check, "\n".join(parts)) == verdict(other, "\n".join(mixed))


@given(st.lists(st.sampled_from(_PARTS), max_size=6), st.sampled_from(["It is 61,300,000.", "Germany: 61.3 million"]))
def test_an_asserted_rival_is_never_forgiven(parts: list[str], lie: str) -> None:
    assert verdict(PEOPLE, "\n".join([*parts, lie])) == "unmet"


@given(st.text(), st.sampled_from([PEOPLE, LEADER, LIE, CHOICE, GDP]))
def test_any_text_is_judged(text: str, check: dict[str, Any]) -> None:
    assert verdict(check, text) in ("met", "unmet")
    assert not any(math.isnan(value) for value in numbers(text))


@pytest.mark.parametrize(
    "unit",
    ["1", "1,", "1,111", "1 111 ", "](", "\\cite{", "https://", "\n", "Merz Merkel ", "Merz\nTusk\n", "not ", "1.111",
     "1 may ", "yes. ", "the final answer is ", "_*", "é", "汉1", "5 ", "79,903,481 ", "a ", ".de", "A. ", "( ", "<"],
)  # fmt: skip
def test_a_hostile_report_takes_no_longer_than_its_length(unit: str) -> None:
    report = unit * (MOST_CHARS * 5 // len(unit))
    started = time.process_time()
    for check in (PEOPLE, LEADER, LIE, CHOICE, GDP, {"kind": "boolean", "value": True}):
        assert verdict(check, report) in ("met", "unmet")
    assert time.process_time() - started < 2.0
    assert verdict({"kind": "alias", "values": ["zebra"]}, f"zebra {report}") == "unmet", "too long to be a report"


def test_citations_of_any_form_say_nothing() -> None:
    for cited in (
        "[x](https://e.org/a_(b)_1899)",
        '[x](https://e.org "lit in 1899")',
        "\\cite{" + "web_18991899, " * 9 + "}",
    ):
        assert "1899" not in content(f"It was lit in 1874 {cited}.")
