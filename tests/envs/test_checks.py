"""The contract check, on murk's own environment and on environments that break it."""

import itertools
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from murk.envs import check_research_env
from murk.envs.checks import ContractBroken
from murk.envs.deep_research import DeepResearchEnv
from murk.envs.spaces import UnicodeText

TASKS = [{"id": "t", "question": "When was the Skerry Light lit?"}]
ANSWER = {"step": "<answer>1874</answer>", "hermes": "1874", "openai": "1874", "react": "Final Answer: 1874"}


@pytest.mark.parametrize("dialect", ANSWER)
def test_murk_keeps_its_own_contract(vale_dir: Path, dialect: str) -> None:
    env = DeepResearchEnv(str(vale_dir), TASKS, dialect=dialect)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_research_env(env, [ANSWER[dialect]])


class Broken(gymnasium.Env[str, str]):
    """Keeps the contract but for one fault."""

    metadata = {"render_modes": [], "render_fps": 1}  # noqa: RUF012
    count = itertools.count()

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.action_space, self.observation_space = UnicodeText(100_000), UnicodeText(1_000)
        self.done = False

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.done, self.turn = False, 0
        return "question", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if self.done and self.fault != "goes on":
            raise RuntimeError("over")
        if self.fault == "raises" and "tool_calls" in action:
            raise ValueError("cannot parse")
        self.turn += 1
        self.done = action == "stop" and self.fault != "never ends"
        text = f"turn {next(self.count)}" if self.fault == "varies" and self.turn == 5 else "turn"
        text = "" if self.fault == "silent" and not self.done else text
        text = "x" * 5_000 if self.fault == "too long" and self.turn == 3 else text
        text = "\ud800" if self.fault == "no UTF-8" else text
        if self.fault == "hides" and len(action) > 50_000:
            raise ValueError("too much")
        if self.fault == "hides" and not action:
            self.done = True
        reward: Any = None if self.fault == "no reward" and self.done else 0.0
        over: Any = int(self.done) if self.fault == "no bool" else self.done
        counted = self.turn - (self.fault == "free step" and "tool_calls" in action)
        return text, reward, over, False, {"step": counted} if self.turn % 2 else {}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raises", "raised ValueError"),
        ("varies", "two results at turn 5"),
        ("silent", "no observation"),
        ("too long", "outside its space"),
        ("never ends", "did not terminate"),
        ("goes on", "was not refused"),
        ("hides", "raised ValueError: too much"),
        ("no UTF-8", "cannot be encoded"),
        ("no reward", "the reward is None"),
        ("no bool", "fails: WARN: Expects `terminated` signal to be a boolean"),
        ("free step", "the step is not counted"),
    ],
)
def test_a_broken_contract_is_told(fault: str, words: str) -> None:
    check_research_env(Broken("none"), ["go", "stop"])
    with pytest.raises(ContractBroken, match=words):
        check_research_env(Broken(fault), ["go", "stop"])
