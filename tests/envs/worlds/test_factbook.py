"""The World Factbook as a world: values read exactly, and sound tasks over the real pages."""

from pathlib import Path
from typing import Any

import pytest

from murk.envs.worlds.factbook import factbook_facts
from murk.envs.worlds.factbook_values import readings


def read(relation: str, value: str) -> Any:
    row = {"relation": relation, "value": value, "number": 1.0, "unit": "km", "object_url": None}
    found = readings(row)
    return (
        found if isinstance(found, str) else [(f.value, f.number if f.number is not None else f.aliases) for f in found]
    )


@pytest.mark.parametrize(
    ("relation", "value", "facts"),
    [
        ("head of government", "Chancellor Angela MERKEL (since 22 November 2005)",
         [("Angela MERKEL", ("Angela Merkel", "Merkel"))]),
        ("chief of state", "King CHARLES III (since 8 September 2022); represented by Governor X Y (since 2024)",
         [("CHARLES III", ("Charles III",))]),
        ("chief of state", "President XI Jinping (since 14 March 2013); Vice President WANG Qishan (since 2018)",
         [("XI Jinping", ("Xi Jinping",))]),
        ("head of government", "President of the Government (Prime Minister-equivalent) Pedro SANCHEZ (since 2018)",
         [("Pedro SANCHEZ", ("Pedro Sanchez", "Sanchez"))]),
        ("real GDP (purchasing power parity)", "$4,482,448,000,000 (2019 est.)", [("$4,482,448,000,000", 4482448e6)]),
        ("real GDP (purchasing power parity)", "$4.424 trillion (2021 est.)", [("$4.424 trillion", 4.424e12)]),
        ("population", "79,903,481 (July 2021 est.)", [("79,903,481", 79903481.0)]),
        ("highest point", "Halti (alternatively Haltia, Haltitunturi) 1,328 m",
         [("Halti", ()), ("1,328 m", 1328.0)]),
        ("highest point", "Maja e Korabit (Golem Korab) 2,764 m",
         [("Maja e Korabit", ("Golem Korab",)), ("2,764 m", 2764.0)]),
        ("national holiday", "German Unity Day, 3 October (1990)",
         [("3 October", ("October 3", "3 Oct", "Oct 3", "3rd October", "October 3rd"))]),
        ("capital", "Chisinau in Romanian", [("Chisinau", ())]),
        ("internet country code", ".xk; note - assigned as a temporary code", [(".xk", ())]),
    ],
)  # fmt: skip
def test_values_are_read_with_their_spellings(relation: str, value: str, facts: list[Any]) -> None:
    assert read(relation, value) == facts


@pytest.mark.parametrize(
    ("relation", "value"),
    [
        ("head of government", "prime minister (vacant); Prime Minister Ion CHICU resigned on 23 December 2020"),
        ("head of government", "President A BEE (since 2020); Prime Minister C DEE (since 2021)"),
        ("head of government", "Prime Minister SONEXAY (also spelled SONXAI) Siphandon (since 30 December 2022)"),
        ("highest point", "unnamed elevation 2.8 km southeast of Nepen Diaka 648 m"),
        ("coastline", "0 km (landlocked)"),
        ("coastline", "5,835 km (mainland 1,777 km, islands 4,058 km)"),
        ("total area", "3 sq km less than"),
        ("independence", "1768 (unified by Prithvi Narayan SHAH)"),
        ("independence", "28 November 1975 (from Portugal); 20 May 2002 (from Indonesia)"),
        ("national holiday", "Independence Day, 5 July (1962); Revolution Day, 1 November (1954)"),
        ("internet country code", "metropolitan France - .fr; French Guiana - .gf"),
        ("capital", "no official capital"),
    ],
)
def test_what_cannot_be_checked_exactly_is_refused(relation: str, value: str) -> None:
    assert isinstance(read(relation, value), str)


@pytest.mark.data
def test_the_facts_of_all_editions(data: Path) -> None:
    facts, skipped = factbook_facts(data / "factbook")
    merkel = [f for f in facts if f.subject == "Germany" and f.relation == "head of government"]
    assert [(f.edition[:4], f.shown) for f in merkel] == [
        ("2021", "Angela Merkel"), ("2023", "Olaf Scholz"), ("2024", "Olaf Scholz"), ("2026", "Friedrich Merz"),
    ]  # fmt: skip
    assert len(facts) > 18_000
    assert sum(skipped.values()) < 3_000
    assert len({f.object_url for f in facts if f.relation == "region"}) == 10
    assert any("Democratic Republic of the Congo" in f.subject_aliases for f in facts if f.subject == "DRC")
