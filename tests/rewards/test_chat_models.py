"""Judges with a real language model: served by `transformers serve`, and in process.

The model is tiny, made on the spot and trained on a few prompts until it replies with one verdict on a flaw, whatever
the report; it knows no verdict for a positive criterion.
"""

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

from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Criterion, Task
from murk.rewards.judges import Case, Judge
from murk.rewards.judges.chat import ChatJudge
from murk.rewards.judges.prompts import PROBE, messages
from murk.rewards.judges.transformers_judge import TransformersJudge

QUESTION = "When was it lit?"
FLAW, GOOD = Criterion("f", "names a wrong year", -1.0), Criterion("g", "names the year", 1.0)
REPORTS = ("It was lit in 1874.", "It was lit in 1875, says the log of its keeper.", PROBE)
REPLY = '{"reason": "none", "quotes": [], "verdict": "absent"}'
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch: Any = pytest.importorskip("torch")
    transformers: Any = pytest.importorskip("transformers")
    out = tmp_path_factory.mktemp("models") / "tiny"
    asked = [
        messages(QUESTION, criterion.text, criterion.weight > 0, report)
        for criterion in (FLAW, GOOD)
        for report in REPORTS
    ]
    tokenizer = _tokenizer([message["content"] for chat in asked for message in chat])
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=4096, tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.Qwen3ForCausalLM(config)
    _train(torch, model, tokenizer, asked)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


def _tokenizer(texts: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    transformers: Any = pytest.importorskip("transformers")
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<|im_start|>", "<|im_end|>", "<|pad|>"]
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=1_500, special_tokens=special, initial_alphabet=letters, show_progress=False
    )
    inner.train_from_iterator([*texts, REPLY] * 3, trainer)
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|pad|>")
    made.chat_template = TEMPLATE
    return made


def _train(torch: Any, model: Any, tokenizer: Any, asked: list[Any]) -> None:
    reply = tokenizer(REPLY + "<|im_end|>", add_special_tokens=False)["input_ids"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    model.train()
    losses: list[float] = []
    for step in range(600):
        text = tokenizer.apply_chat_template(asked[step % len(asked)], tokenize=False, add_generation_prompt=True)
        prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([prompt + reply])
        labels = torch.tensor([[-100] * len(prompt) + reply])
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses = [*losses[1 - len(asked) :], loss.item()]  # of each prompt the last
        if step > len(asked) * 3 and max(losses) < 0.002:
            break
    assert max(losses) < 0.01
    model.eval()


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    command = Path(sys.executable).with_name("transformers")
    if (
        not command.is_file()
        or subprocess.run([sys.executable, "-c", "import fastapi, uvicorn"], check=False).returncode
    ):
        pytest.skip("transformers serve is not installed: pip install 'transformers[serving]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = folder.parent / "home"
    (home / "hub").mkdir(parents=True)
    environ = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(home / "hub")}
    line = [str(command), "serve", str(folder), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with (folder.parent / "serve.log").open("wb") as log:
        process = subprocess.Popen(line, env=environ, stdout=log, stderr=log)
    try:
        for _ in range(600):
            if process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        assert process.poll() is None, (folder.parent / "serve.log").read_text()[-2_000:]
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def case(report: str) -> Case:
    return Case(Task("t", QUESTION), Trajectory("t", "answered", report))


def check(judge: Judge) -> None:
    """A verdict where the model gives one, and none where it gives none on a plain report either."""
    flaw, good = judge.judge(case(REPORTS[0]), [FLAW, GOOD])
    assert flaw.word == "unmet", flaw.note
    assert flaw.usage["tokens_in"] > 300
    assert 5 < flaw.usage["tokens_out"] < 64
    assert good.word is None
    assert "plain report" in good.note
    assert good.usage["calls"] == 3


def test_a_served_model_judges(served: str, folder: Path) -> None:
    judge = ChatJudge(served, str(folder), max_tokens=64, service={"timeout": 120.0, "retries": 2})
    check(judge)
    found: list[str | None] = []
    threads = [
        threading.Thread(target=lambda r=report: found.append(judge.judge(case(r), [FLAW])[0].word))
        for report in REPORTS
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["unmet"] * 3
    wrong = ChatJudge(served, "no/such-model", max_tokens=64, service={"timeout": 60.0, "retries": 0})
    assert wrong.judge(case(REPORTS[0]), [FLAW])[0].word is None


def test_a_model_in_process_judges(folder: Path, tmp_path: Path) -> None:
    judge = TransformersJudge(str(folder), batch=2, max_tokens=64)
    check(judge)
    assert judge.version == TransformersJudge(str(folder), batch=3, max_tokens=64).version
    small = TransformersJudge(str(folder), max_tokens=4_000)
    assert small.judge(case(REPORTS[0]), [FLAW])[0].word is None  # not even the probe fits
    with pytest.raises(UsageError, match="safetensors"):
        TransformersJudge(str(tmp_path))
