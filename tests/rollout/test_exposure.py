"""How far lies come, counted from the ledger."""

import json
from pathlib import Path
from typing import Any

import pytest

from murk.rollout.exposure import exposure
from murk.rollout.main import main

URL = "https://vale.example/lighthouse.html"
CLAIM = {"id": "c", "subject": "Skerry Light", "type": "number", "true": "1874", "false": "1891", "url": URL}
TASK = {"id": "light", "question": "When was the Skerry Light lit?", "gold": [{"url": URL}], "claims": [CLAIM]}


def call(**arguments: Any) -> str:
    return f"<toolcall>{json.dumps({'name': 'batch_web_surfer', 'arguments': arguments})}</toolcall>"


SEARCH = call(action="batch_search", queries=["Skerry Light lit"], topk=3)
OPEN = call(action="batch_open", urls=[URL])


@pytest.mark.parametrize(
    ("turns", "counts"),
    [
        ([SEARCH, "<answer>Nobody knows.</answer>"], (1, 0, 0, 0)),
        ([SEARCH, OPEN, "<answer>Nobody knows.</answer>"], (1, 1, 0, 0)),
        ([OPEN, f"<answer>[This page]({URL}) is wrong: not 1891.</answer>"], (1, 1, 1, 0)),
        ([OPEN, f"<answer>It was lit in 1891 [here]({URL}).</answer>"], (1, 1, 1, 1)),
        (["<answer>1891</answer>"], None),
    ],
)
def test_a_lie_is_followed_from_delivery_to_assertion(
    vale_dir: Path, tmp_path: Path, turns: list[str], counts: tuple[int, ...] | None
) -> None:
    tasks, out = tmp_path / "tasks.jsonl", tmp_path / "run"
    tasks.write_text(json.dumps(TASK))
    given = [f"world={vale_dir}", f"tasks={tasks}", "policy=scripted", f"policy.scripted.turns={json.dumps(turns)}"]
    storm = [
        "faults=misinformation",
        "faults.intensity=1.0",
        "~faults.faults.planted",
        "faults.faults.altered.weight=1",
    ]
    assert main(["rollout", *given, *storm, f"out={out}"]) == 0
    (group,) = json.loads((out / "summary.json").read_text())["groups"]
    found = group.get("exposure")
    assert (tuple(found.values()) if found else None) == counts


def test_without_lies_there_is_nothing_to_count() -> None:
    assert exposure([]) is None
    assert exposure([{"events": "[]", "citations": "[]", "answer": None}]) is None
