"""Policies without a model: what they do is valid, repeatable, and decided by what they read alone."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.envs.actions import DIALECTS, parse, render_results
from murk.envs.deep_research import DeepResearchEnv
from murk.envs.errors import UsageError
from murk.envs.records import Call, Failure, Open, Request, Response, Search, World
from murk.envs.tools import check_arguments
from murk.envs.web.build import Options, build
from murk.envs.web.snapshot import Snapshot
from murk.rollout.policies import Policy, Start
from murk.rollout.policies.careful import Careful
from murk.rollout.policies.closed_book import ClosedBook
from murk.rollout.policies.frames import read_results
from murk.rollout.policies.naive import Naive
from murk.rollout.policies.random_actions import RandomActions
from murk.rollout.policies.react import React
from murk.rollout.policies.scripted import Scripted

POLICIES: dict[str, Policy] = {
    "naive": Naive(),
    "react": React(),
    "careful": Careful(),
    "closed_book": ClosedBook(),
    "random": RandomActions(),
}
PROFILE = """# {name}

## People

### Population

**total:** {people} (2025 est.)

### Median age

**total:** {age} years

## Land

### Neighbours

**border countries:** {borders}

## Rule

**capital:** {capital}

**head of government:** Prime Minister {leader} (since 3 May 2022)
"""


def linked(name: str, length: int) -> str:
    return f"[{name}](https://atlas.gov/{name.lower()}) {length} km"


LANDS = {
    "Ostmark": ("1,234,567", "31.5", f"{linked('Westmark', 120)}; {linked('Nordmark', 40)}", "Ostin", "Ann LEE"),
    "Westmark": ("2,500,000", "44.1", linked("Ostmark", 120), "Westin", "Bo OKE"),
    "Nordmark": ("800,000", "28.0", linked("Ostmark", 40), "Nordin", "Cy ROE"),
}  # fmt: skip
QUESTIONS = {
    "single": ("What is the population of Ostmark?", "1,234,567"),
    "person": ("Who heads the government of Westmark?", "Bo OKE"),
    "hop": ("What is the capital of the country with which Ostmark shares its longest border?", "Westin"),
    "riddle": ("What is the median age of the country whose capital is Nordin?", "28.0"),
    "choice": ("Which has the higher median age, Westmark or Nordmark?", "Westmark"),
    "extreme": ("Which of the countries that border Ostmark has the smallest population?", "Nordmark"),
    "count": ("How many of the countries that border Ostmark have a population of more than 1 million?", "1: Westmark"),
    "claim": ("Is it true that Westin is the capital of Westmark?", "Yes."),
    "report": ("Write a report on Nordmark. Cover its capital, its median age and its head of government.", "Cy ROE"),
    "old": ("What was the population of Nordmark?", "700,000"),
}


def land(name: str, date: str, **more: str) -> dict[str, Any]:
    people, age, borders, capital, leader = LANDS[name]
    text = PROFILE.format(
        name=name, people=more.get("people", people), age=age, borders=borders, capital=capital, leader=leader
    )
    return {"url": f"https://atlas.gov/{name.lower()}", "title": f"{name} - The Atlas", "text": text, "date": date}


@pytest.fixture(scope="module")
def lands(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Three countries on the pages of one authority, one of them with an older capture."""
    return built(
        tmp_path_factory.mktemp("lands"),
        [*(land(name, "2026-01-22") for name in LANDS), land("Nordmark", "2021-03-01", people="700,000")],
    )


def built(folder: Path, pages: Sequence[dict[str, Any]]) -> Snapshot:
    source = folder / "pages.jsonl"
    source.write_text("\n".join(map(json.dumps, pages)))
    build([source], folder / "out", Options(workers=1))
    return Snapshot.open(folder / "out")


def tasks(full: bool = False) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, (question, answer) in QUESTIONS.items():
        row: dict[str, Any] = {"id": name, "question": question}
        if name == "old":
            row["as_of"] = "2021-03-01"
        if full:
            check = {"kind": "alias", "values": [answer]}
            row |= {"kind": "x", "answer": {"value": answer}, "gold": [{"url": "https://atlas.gov/ostmark"}]}
            row |= {"rubric": [{"id": "a", "text": answer, "weight": 1, "check": check}], "split": "test"}
        rows.append(row)
    return rows


def play(env: DeepResearchEnv, policy: Policy, task: str, seed: int = 0) -> list[str]:
    """The actions of an episode, the report last where there is one."""
    env.reset(options={"task": task})
    agent = policy.begin(Start(seed, env.dialect, [offer.schema for offer in env.offers.values()]))
    actions = []
    for _ in range(60):
        actions.append(asyncio.run(agent.act(env.conversation)).text)
        _, _, terminated, truncated, info = env.step(actions[-1])
        assert info["problems"] == 0, actions[-1]
        if terminated or truncated:
            break
    else:
        raise AssertionError("the episode does not end")
    return actions


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", POLICIES)
def test_every_episode_ends_with_an_answer(name: str, dialect: str, lands: Snapshot, vale: Snapshot) -> None:
    env = DeepResearchEnv(lands, tasks(), dialect=dialect, reward=None)
    reports = {}
    for task in QUESTIONS:
        play(env, POLICIES[name], task)
        reports[task] = env.answer or ""
        assert reports[task]
    if name in ("react", "careful"):
        assert {task: answer for task, (_, answer) in QUESTIONS.items() if answer not in reports[task]} == {}
        cited = [task for task in QUESTIONS if "\\cite{web_" in reports[task]]
        assert cited == list(QUESTIONS)
    rows = [{"id": "v", "question": "When was the Skerry Light lit for the first time?"}]
    small = DeepResearchEnv(vale, rows, dialect=dialect, reward=None)
    play(small, POLICIES[name], "v")
    assert name not in ("naive", "react", "careful") or "1874" in (small.answer or "")


@pytest.mark.parametrize("name", POLICIES)
def test_labels_gold_and_rubrics_change_no_action_and_runs_repeat(name: str, lands: Snapshot) -> None:
    bare, full = (DeepResearchEnv(lands, tasks(told), reward=None) for told in (False, True))
    for task in QUESTIONS:
        actions = play(bare, POLICIES[name], task, 7)
        assert actions == play(full, POLICIES[name], task, 7)
        assert actions == play(bare, POLICIES[name], task, 7)


@pytest.mark.parametrize("budget", [{"calls": 0}, {"calls": 2}, {"tokens": 6_000}, {"seconds": 40}])
@pytest.mark.parametrize("name", ["naive", "react", "careful"])
def test_the_report_comes_before_the_budget_ends(name: str, budget: dict[str, float], lands: Snapshot) -> None:
    env = DeepResearchEnv(lands, tasks(), budget=budget, reward=None)
    for task in QUESTIONS:
        play(env, POLICIES[name], task)
        assert env.answer is not None


def test_tools_are_known_by_their_arguments_whatever_they_are_called(lands: Snapshot) -> None:
    tools = {"base": "research", "batch_web_surfer": {"name": "browse"}, "file": {"name": "disk"}, "todo": False}
    env = DeepResearchEnv(lands, tasks(), tools=tools, reward=None)
    play(env, Careful(), "single")
    assert "1,234,567" in (env.answer or "")


def test_one_wrong_page_fools_naive_and_not_careful(tmp_path: Path) -> None:
    lie = "# Ostmark\n\n## Population of Ostmark\n\nThe population of Ostmark is 9,999,999, as every census says.\n\n"
    pages = [
        land("Ostmark", "2026-01-22"),
        {"url": "https://rumours.example/ostmark", "title": "Ostmark", "text": lie + "Population of Ostmark. " * 20},
        {
            "url": "https://en.wikipedia.org/wiki/Ostmark",
            "title": "Ostmark",
            "text": "# Ostmark\n\n**population:** 1,230,000\n\nOstmark is a country.",
        },
    ]
    world = built(tmp_path, pages)
    assert "rumours" in world.search("What is the population of Ostmark?").hits[0].url
    env = DeepResearchEnv(world, tasks(), reward=None)
    play(env, Naive(), "single")
    assert "9,999,999" in (env.answer or "")
    play(env, Careful(), "single")
    report = env.answer or ""
    assert "1,234,567" in report
    assert "9,999,999" not in report
    assert "rumours.example disagrees" in report


class Limited:
    """A world that answers nothing before a minute has passed, and says so."""

    def __init__(self, inner: World) -> None:
        self.inner, self.refused = inner, 0

    def answer(self, request: Request, call: Call) -> Response:
        if isinstance(request, Search | Open) and call.now < 60:
            self.refused += 1
            return Failure("rate_limited", 429, "Too Many Requests", retry_after=60.0, cost=0.1)
        return self.inner.answer(request, call)


def test_careful_waits_and_asks_again_where_react_gives_up(lands: Snapshot) -> None:
    env = DeepResearchEnv(Limited(lands), tasks(), reward=None)
    play(env, React(), "single")
    assert "1,234,567" not in (env.answer or "")
    play(env, Careful(), "single")
    assert "1,234,567" in (env.answer or "")
    assert env.desk.spent.seconds >= 60
    dead = Limited(lands)
    dead.answer = lambda request, call: Failure("server_error", 503, "Service Unavailable")  # type: ignore[method-assign]
    env = DeepResearchEnv(dead, tasks(), reward=None)
    play(env, Careful(), "single")
    assert "I could not read" in (env.answer or "")


def behind(world: World, faults: Mapping[str, Any], **more: Any) -> DeepResearchEnv:
    """The lands behind faults that always strike."""
    storm = {"intensity": 1.0, "faults": faults}
    return DeepResearchEnv(world, tasks(), faults=storm, reward=None, **more)


def answers(env: DeepResearchEnv, policy: Policy, task: str = "single") -> str:
    play(env, policy, task)
    return env.answer or ""


FAULTS: dict[str, dict[str, Any]] = {
    "arguments have other names": {"renamed_arguments": {"first": 0, "last": 0, "share": 1.0}},
    "fields have other names": {"renamed_fields": {"first": 0, "last": 0, "share": 1.0}},
    "searches are refused at first": {"rate_limit": {"at_most": 2, "schedule": "transient"}},
    "the first pages are others": {"swapped_page": {"at_most": 1}},
    "the first pages are cut": {"truncated": {"at_most": 1, "keep": 0.1}},
    "the first pages are garbled": {"garbled": {"at_most": 1}},
    "the first searches are empty": {"swallowed": {"at_most": 4}},
    "pages are sold": {"paywall": {"words": 5}},
    "hosts refuse": {"blocked_host": {}},
    "the authorities are gone": {"authority_gone": {}},
}


@pytest.mark.parametrize("name", FAULTS)
def test_careful_gets_through(name: str, lands: Snapshot) -> None:
    env = behind(lands, FAULTS[name])
    assert "1,234,567" in answers(env, Careful())
    assert env.faulty.ledger.events
    if name in ("pages are sold", "hosts refuse"):
        assert "I could not read more than parts of atlas.gov" in (env.answer or "")


@pytest.mark.parametrize("name", ["arguments have other names", "searches are refused at first", "hosts refuse"])
def test_react_does_not(name: str, lands: Snapshot) -> None:
    assert "1,234,567" not in answers(behind(lands, FAULTS[name]), React())


def test_retry_after_is_waited_out(lands: Snapshot) -> None:
    env = behind(lands, {"rate_limit": {"schedule": "window", "slot": 40, "at_most": 2}})
    play(env, Careful(), "single")
    assert "1,234,567" in (env.answer or "")
    assert 40 <= env.desk.spent.seconds < 90


def test_an_older_capture_is_noticed_and_what_searches_show_of_the_newest_preferred(lands: Snapshot) -> None:
    rows = [{"id": "now", "question": "What is the population of Nordmark?"}]
    storm = {"intensity": 1.0, "faults": {"stale_capture": {}}}
    env = DeepResearchEnv(lands, rows, faults=storm, reward=None)
    assert "700,000" in answers(env, React(), "now")
    report = answers(env, Careful(), "now")
    assert "800,000" in report
    assert "22 January 2026" in report


class Late:
    """A world that gives the capture before the one asked for."""

    def __init__(self, inner: World) -> None:
        self.inner = inner

    def answer(self, request: Request, call: Call) -> Response:
        before = {"2021-03-01": "2019-05-05", "2022-01-01": "2021-03-01"}
        if isinstance(request, Open) and request.at in before:
            request = Open(request.url, before[request.at])
        return self.inner.answer(request, call)


def test_another_date_is_asked_for_where_the_right_capture_does_not_come(tmp_path: Path) -> None:
    people = {"2019-05-05": "600,000", "2021-03-01": "700,000", "2022-01-01": "750,000"}
    world = built(tmp_path, [land("Nordmark", date, people=number) for date, number in people.items()])
    env = DeepResearchEnv(Late(world), tasks(), reward=None)
    assert "600,000" in answers(env, React(), "old")
    report = answers(env, Careful(), "old")
    assert "700,000" in report
    assert "1 March 2021" in report


def test_a_set_in_prose_is_found_page_by_page(tmp_path: Path) -> None:
    towns = {"Alba": ("Dorn", 300), "Bera": ("Dorn", 900), "Cora": ("Elm", 9_000), "Dorn": ("Alba", 50)}
    pages = [
        {
            "url": f"https://towns.example/{name.lower()}",
            "title": name,
            "text": f"# {name}\n\nThe twin town of {name} is {twin}. In 2025, {name} had a population of {people}.",
        }
        for name, (twin, people) in towns.items()
    ]
    rows = [{"id": "set", "question": "Of the towns whose twin town is Dorn, which one has the largest population?"}]
    env = DeepResearchEnv(built(tmp_path, pages), rows, reward=None)
    for policy in (React(), Careful()):
        assert answers(env, policy, "set").startswith("Bera has the highest")


def test_random_calls_fit_their_schemas_and_differ_by_seed(lands: Snapshot) -> None:
    env = DeepResearchEnv(lands, tasks(), reward=None)
    runs = {seed: play(env, RandomActions(), "single", seed) for seed in range(20)}
    schemas = {name: offer.tool.parameters for name, offer in env.offers.items()}
    calls = [call for run in runs.values() for text in run for call in parse(text, "step", list(schemas)).calls]
    assert {call.name for call in calls} == set(schemas)
    assert [problem for call in calls if (problem := check_arguments(call.values, schemas[call.name])[1])] == []
    assert len({tuple(run) for run in runs.values()}) > 15


def test_scripted_plays_its_turns(lands: Snapshot) -> None:
    env = DeepResearchEnv(lands, tasks(), reward=None)
    turns = ['<toolcall>{"name": "budget", "arguments": {}}</toolcall>', "<answer>So it is.</answer>"]
    assert play(env, Scripted(turns), "single") == turns
    with pytest.raises(UsageError, match="at least one"):
        Scripted([])


def answered(text: str) -> str:
    return f"<tool_response>\n{text}\n</tool_response>"


HEAD = "[https://a.example/x] Ostmark\ncite: web_0123abcd  captured: 2021-01-01\n\n"
HIT = '[{{"query": "q", "results": [{{"url": "https://a.example/x", "title": "Ostmark", "snippet": "{}"}}]}}]'
SHAPES = st.sampled_from(
    [
        "{}",
        "Observation: {}",
        '[{{"role": "tool", "content": {}}}]',
        answered("{}"),
        answered(HIT),
        answered(HEAD + "# Ostmark\n\n{}"),
        answered("[https://a.example/x] error -1: 429 slow down; retry after 1{} s"),
        answered("Error: unknown argument 'queries'. Known: action, asks, {}."),
    ]
)
ODD = [
    "**population:** 3 km",
    "| a | b |\n| --- | --- |\n| x |",
    "1,2",
    "[x](http://[)",
    "9" * 400,
    "{",
    "# Ostmark\n# ",
]
PIECES = st.one_of(st.text(max_size=80), st.sampled_from(ODD))
ASKED = st.sampled_from([question for question, _ in QUESTIONS.values()])


@settings(max_examples=60, deadline=None)
@given(ASKED, st.lists(st.tuples(SHAPES, PIECES), max_size=12))
@pytest.mark.parametrize("name", ["naive", "react", "careful", "random"])
def test_agents_survive_whatever_they_read(name: str, question: str, read: list[tuple[str, str]]) -> None:
    env = ENV
    schemas = [offer.schema for offer in env.offers.values()]
    for dialect in DIALECTS:
        agent = POLICIES[name].begin(Start(3, dialect, schemas))
        conversation = [{"role": "user", "content": question}]
        for turn in range(60):
            text = asyncio.run(agent.act(conversation)).text
            said = parse(text, dialect, list(env.offers))
            assert said.problems == ()
            if said.answer is not None:
                break
            shape, piece = read[turn % len(read)] if read else ("", "")
            conversation += [{"role": "assistant", "content": text}, {"role": "tool", "content": shape.format(piece)}]
        else:
            raise AssertionError("the agent never answers")


class _Nothing:
    def answer(self, request: Request, call: Call) -> Response:
        return Failure("not_found", 404, "nothing here")


ENV = DeepResearchEnv(_Nothing(), tasks(), reward=None)


@given(
    st.lists(st.text(max_size=60), max_size=4), st.lists(st.text(max_size=20), max_size=2), st.sampled_from(DIALECTS)
)
def test_results_are_read_back(results: list[str], notices: list[str], dialect: str) -> None:
    calls = parse('<toolcall>{"name": "todo"}</toolcall>' * len(results), "step", ["todo"]).calls
    framed = render_results(list(zip(calls, results, strict=True)), notices, dialect)
    read = read_results(framed, dialect)
    if dialect == "openai":
        assert read == results
    else:  # white space around a result belongs to its frame
        assert [text.strip() for text in read] == [text.strip() for text in results]
