"""Counting tokens by a model's tokenizer, and by the default rule."""

import json
import sys
from pathlib import Path

import pytest

from murk.envs.budget import count_tokens
from murk.envs.deep_research import DeepResearchEnv
from murk.envs.errors import UsageError
from murk.envs.tokens import token_counter

TASKS = [{"id": "t", "question": "When was the Skerry Light lit?"}]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Counts words, and would cut a text after two of them and frame it, were its settings heeded."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    model = Tokenizer(models.WordLevel({"[UNK]": 0, "[S]": 1}, unk_token="[UNK]"))
    model.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    model.post_processor = processors.TemplateProcessing(single="[S] $A [S]", special_tokens=[("[S]", 1)])
    model.enable_truncation(2)
    model.enable_padding(length=9)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    model.save(str(path))
    return str(path)


def test_the_file_counts(tokenizer: str) -> None:
    count = token_counter(tokenizer)
    assert [count(text) for text in ("", "one", "one two three four", "a \ud800 b")] == [0, 1, 4, 3]
    assert token_counter(None) is count_tokens
    assert [count_tokens(text) for text in ("", "abcd", "abcde", "中文", "\ud800")] == [0, 1, 2, 2, 1]


def test_budget_and_context_count_by_it(vale_dir: Path, tokenizer: str) -> None:
    turn = "five words and no call"
    env = DeepResearchEnv(str(vale_dir), TASKS, tokenizer=tokenizer, context={"upper": 150, "lower": 100})
    question, info = env.reset()
    assert info["tokens"] == len(question.split()) == env.view.tokens
    observation, *_, info = env.step(turn)
    words = len(question.split()) + 5 + len(observation.split())
    assert info["tokens"] == words == env.view.tokens
    while not env.view.struck and not env.view.dropped:
        env.step(turn)
    assert env.view.tokens == sum(len(message.content.split()) for message in env.view.messages) <= 150
    limited = DeepResearchEnv(str(vale_dir), TASKS, tokenizer=tokenizer, budget={"tokens": words - 1})
    limited.reset()
    assert limited.step(turn)[3]


@pytest.mark.parametrize("text", [None, "", "{", json.dumps({"model": 3}), "\udcff"])
def test_what_is_no_tokenizer_is_refused(vale_dir: Path, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "tokenizer.json"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=r"tokenizer\.json' is not a readable"):
        DeepResearchEnv(str(vale_dir), TASKS, tokenizer=str(path))


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, tokenizer: str) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match="pip install tokenizers"):
        token_counter(tokenizer)
