"""Drift: the names of arguments and fields change in mid-episode, and a careful agent can recover."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.envs.budget import Budget, Prices, count_tokens
from murk.envs.desk import Desk
from murk.envs.faults.faulty import FaultyWorld, Rule
from murk.envs.faults.interface import Interface
from murk.envs.faults.renamed_arguments import NAMES, RenamedArguments
from murk.envs.faults.renamed_fields import NAMES as FIELDS
from murk.envs.faults.renamed_fields import RenamedFields
from murk.envs.faults.storm import Storm
from murk.envs.records import World
from murk.envs.tasks import Task
from murk.envs.tools import check_arguments, profile
from murk.envs.workspace import Workspace

TOOLS = profile("full")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "batch_web_surfer": {"action": "batch_search", "queries": ["harbour"], "shelf": "web"},
    "links": {"url": "https://vale.example/harbour"},
    "find": {"text": "1874", "path": "a.md"},
    "file": {"action": "write", "path": "a.md", "content": "words"},
    "shell": {"cmd": "ls"},
    "wait": {"seconds": 3},
    "todo": {"updates": {}},
    "budget": {},
}


def drifting(town: World, fault: Interface, seed: int = 0, intensity: float = 1.0, **aim: Any) -> FaultyWorld:
    return FaultyWorld(town, {"it": Rule(fault, intensity, **aim)}, seed)


def run(world: World, tool: str, arguments: dict[str, Any]) -> str:
    desk = Desk(world, Workspace(), Budget(), Prices(), count_tokens)
    desk.begin(tool, 0)
    fitted, problem = check_arguments(arguments, TOOLS[tool].tool.parameters)
    assert problem is None
    return TOOLS[tool].tool.run(fitted, desk)


@given(seed=st.integers(0, 2**32), share=st.floats(0.01, 1))
@settings(max_examples=25, deadline=None)
def test_an_old_name_is_refused_and_the_message_leads_to_the_new_one(seed: int, share: float, town: World) -> None:
    drift = drifting(town, RenamedArguments(first=0, last=0, share=share), seed).drift
    for tool, given_ in ARGUMENTS.items():
        old = TOOLS[tool].tool.parameters
        new = drift.schema(tool, old, 0)
        assert list(new["properties"].values()) == list(old["properties"].values())
        names = dict(zip(old["properties"], new["properties"], strict=True))
        assert len(set(names.values())) == len(names)
        assert {names[name] for name in old.get("required", ())} == set(new.get("required", ()))
        assert not names or any(a != b for a, b in names.items())
        renamed = next((name for name in given_ if names[name] != name), None)
        fitted, problem = check_arguments(given_, new)
        assert (problem is None) == (renamed is None)
        if renamed is not None and problem is not None:
            assert problem.startswith(f"unknown argument '{renamed}'.")
            assert names[renamed] in re.split(r"[ ,.]+", problem.partition("Known: ")[2])
        fitted, problem = check_arguments({names[name]: value for name, value in given_.items()}, new)
        assert problem is None
        assert drift.arguments(tool, fitted, 0) == check_arguments(given_, old)[0]


def test_names_come_from_the_tools_and_clash_with_none() -> None:
    known = {name for offer in TOOLS.values() for name in offer.tool.parameters["properties"]}
    assert known - set(NAMES) == {"env", "encoding"}  # these get a name made from the old one
    alternatives = [name for names in FIELDS.values() for name in names]
    assert len(set(alternatives)) == len(alternatives)
    assert not set(alternatives) & set(FIELDS)


@pytest.mark.parametrize("tool", ["batch_web_surfer", "links", "budget"])
def test_fields_are_renamed_and_their_values_are_not(tool: str, town: World) -> None:
    plain = run(town, tool, ARGUMENTS[tool])
    texts = set()
    for seed in range(20):
        world = drifting(town, RenamedFields(first=0, last=0, share=0.6), seed)
        text = world.drift.rendered(tool, plain, 0)
        texts.add(text)
        lines = zip(plain.splitlines()[tool == "links" :], text.splitlines()[tool == "links" :], strict=True)
        assert all(values(json.loads(a)) == values(json.loads(b)) for a, b in lines)
        assert len(world.ledger.events) == (text != plain)
    assert len(texts) > 4


def values(data: Any) -> list[Any]:
    if isinstance(data, dict | list):
        return [leaf for item in (data.values() if isinstance(data, dict) else data) for leaf in values(item)]
    return [data]


def test_texts_that_are_no_results_stay_as_they_are(town: World) -> None:
    page = run(town, "batch_web_surfer", {"action": "batch_open", "urls": ["https://vale.example/lighthouse"]})
    drift = drifting(town, RenamedFields(first=0, last=0, share=1)).drift
    for text in (page, 'A page says {"url": 1}.', 'Error: no "url": here', "exit code 0", '# a\n\n{"url": "x"}', ""):
        assert drift.rendered("batch_web_surfer", text, 0) == text
    tricky = '[{"query": "a \\"url\\": b", "results": [{"title": "\\\\", "url": "\\"snippet\\":"}]}]'
    assert values(json.loads(drift.rendered("x", tricky, 0))) == values(json.loads(tricky))


def test_the_change_comes_at_a_step_that_is_drawn_and_stays(town: World) -> None:
    schema = TOOLS["links"].tool.parameters
    begins = set()
    for seed in range(60):
        world = drifting(town, RenamedArguments(first=2, last=6), seed)
        changed = [world.drift.schema("links", schema, step) != schema for step in range(10)]
        begins.add(changed.index(True))
        assert changed == sorted(changed)
        assert len(world.ledger.events) == sum(changed)
        assert {(event.unit, event.kind) for event in world.ledger.events} == {("tool links", "interface")}
        later = [world.drift.schema("links", schema, step) for step in (9, 8)]
        assert later[0] == later[1]
    assert begins == {2, 3, 4, 5, 6}


def test_tools_are_struck_as_often_as_the_intensity_says_and_where_it_is_aimed(town: World) -> None:
    schema = TOOLS["find"].tool.parameters
    fault = RenamedArguments(first=0, last=0)
    few, more = (
        {seed for seed in range(400) if drifting(town, fault, seed, share).drift.schema("find", schema, 0) != schema}
        for share in (0.2, 0.5)
    )
    assert few < more
    assert abs(len(few) - 80) < 4.5 * (400 * 0.2 * 0.8) ** 0.5
    assert drifting(town, fault, tools=("links",)).drift.schema("find", schema, 0) == schema


def test_without_such_a_fault_nothing_drifts(town: World) -> None:
    for world in (
        Storm.of(None).around(town, None, 1, Task("t", "?"), 0),
        drifting(town, RenamedFields(), intensity=0.0),
    ):
        schema = TOOLS["find"].tool.parameters
        assert world.drift.schema("find", schema, 9) is schema
        assert world.drift.arguments("find", {"text": "a"}, 9) == {"text": "a"}
        assert world.drift.rendered("links", '{"url": 1}', 9) == '{"url": 1}'
        assert world.ledger.events == []
