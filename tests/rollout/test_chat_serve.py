"""`murk rollout policy=chat` against `transformers serve`, with a tiny model that has learnt two turns by heart."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Server
from tiny import build

from murk.envs import plugins
from murk.rollout.main import main
from murk.rollout.policies.chat import Chat
from murk.rollout.store import Store

TASK = {
    "id": "light",
    "question": "When was the Skerry Light lit?",
    "rubric": [{"text": "gives the year", "weight": 1, "check": {"kind": "alias", "values": ["1874"]}}],
}
URL = "https://vale.example/lighthouse.html"
TURNS = [
    f'<toolcall>{{"name": "find", "arguments": {{"url": "{URL}", "text": "lit"}}}}</toolcall>',
    "<answer>It was lit in 1874.</answer>",
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning"),
]
if "chat" not in plugins.names("policies"):
    plugins.register("policies", "chat", Chat)


class Serving:
    """`transformers serve` on a port of its own, started and killed at will."""

    def __init__(self, model: Path) -> None:
        self.model = model
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        home = model.parent / "home"
        (home / "hub").mkdir(parents=True)
        self.environ = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(home / "hub")}

    def start(self) -> None:
        command = [str(Path(sys.executable).with_name("transformers")), "serve", str(self.model)]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--device", "cpu"]
        log = self.model.parent / "serve.log"
        with log.open("ab") as out:
            self.process = subprocess.Popen(command, env=self.environ, stdout=out, stderr=out)
        for _ in range(600):
            with socket.socket() as probe:
                if self.process.poll() is not None or probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.2)
        assert self.process.poll() is None, log.read_text()[-2_000:]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tasks") / "tasks.jsonl"
    path.write_text(json.dumps(TASK))
    return path


def rollout(url: str, model: str, world: Path, tasks: Path, out: Path, *more: str) -> int:
    given = [f"world={world}", f"tasks={tasks}", "policy=chat", f"policy.chat.base_url={url}", f"out={out}"]
    given += [f"policy.chat.model={model}", "policy.chat.temperature=0", "policy.chat.max_tokens=80"]
    return main(["rollout", *given, "env.tools={find: {}}", *more])


@pytest.fixture(scope="module")
def serving(vale_dir: Path, tasks: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    command = [sys.executable, "-c", "import torch, transformers, fastapi, uvicorn"]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("transformers serve is not installed: pip install 'transformers[serving]'")
    folder = tmp_path_factory.mktemp("served")
    teacher = Server(lambda body, number: TURNS[number])
    assert rollout(teacher.url, "teacher", vale_dir, tasks, folder / "lesson") == 0
    teacher.stop()
    learn([body["messages"] for body in teacher.bodies], folder / "tiny")
    found = Serving(folder / "tiny")
    found.start()
    yield found
    found.kill()


def learn(lessons: list[list[dict[str, str]]], folder: Path) -> None:
    """Trains a model until it says each turn after its prompt, and nothing else."""
    torch: Any = pytest.importorskip("torch")
    transformers: Any = pytest.importorskip("transformers")
    texts = [*(message["content"] for lesson in lessons for message in lesson), *TURNS] * 3
    build(folder, texts=texts, vocabulary=1_500, initializer_range=0.02)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    words = transformers.AutoTokenizer.from_pretrained(folder)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    losses = [1.0] * len(lessons)
    for step in range(400):
        which = step % len(lessons)
        prompt = words.apply_chat_template(lessons[which], tokenize=False, add_generation_prompt=True)
        read, said = (
            words(text, add_special_tokens=False)["input_ids"] for text in (prompt, f"{TURNS[which]}<|im_end|>")
        )
        loss = model(input_ids=torch.tensor([read + said]), labels=torch.tensor([[-100] * len(read) + said])).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses[which] = loss.item()
        if max(losses) < 0.01:
            break
    assert max(losses) < 0.05
    model.save_pretrained(folder)


def test_a_served_model_researches_and_the_run_replays(
    serving: Serving, vale_dir: Path, tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    stop = 'policy.chat.stop=["</toolcall>","</answer>"]'
    assert rollout(serving.url, str(serving.model), vale_dir, tasks, out, "samples=4", stop) == 0
    found = [trajectory for trajectory, _ in Store(out).trajectories()]
    assert [trajectory.answer for trajectory in found] == ["It was lit in 1874."] * 4, found[0].error
    assert [step.action for step in found[0].steps] == TURNS
    assert "1874" in found[0].steps[0].observation
    assert all(turn.usage["tokens_in"] > 100 and turn.usage["tokens_out"] > 5 for turn in found[0].sampled)
    assert json.loads((out / "summary.json").read_text())["reward"]["mean"] == 1.0
    capsys.readouterr()
    assert main(["replay", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"replayed": 4, "differences": []}


def test_a_server_that_is_killed_in_mid_run_loses_no_episode(
    serving: Serving, vale_dir: Path, tasks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    status: list[int] = []
    more = ["samples=24", "policy.chat.service.backoff=0.5", "policy.chat.service.concurrency=1"]

    def run() -> None:
        status.append(rollout(serving.url, str(serving.model), vale_dir, tasks, out, *more))

    running = threading.Thread(target=run)
    running.start()
    while running.is_alive() and not any(path.stat().st_size for path in out.glob("journal/*.jsonl")):
        time.sleep(0.01)
    serving.kill()
    assert running.is_alive()
    serving.start()
    running.join(300)
    assert status == [0]
    found = [trajectory for trajectory, _ in Store(out).trajectories()]
    assert [trajectory.status for trajectory in found] == ["answered"] * 24
    assert sum(turn.usage["retries"] for trajectory in found for turn in trajectory.sampled) >= 1
