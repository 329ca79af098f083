"""Speed of the policy `transformers`: many episodes at once, one after another, and plain batched `generate`.

A model of about 2 million random weights takes 3 turns in each of 32 episodes that share nothing but the system prompt;
a tool result of some 300 tokens comes after each turn. `generate` gets the same prompts, whole, in batches, and samples
as many tokens. Prints sampled tokens a second, reading of prompts included, and the share of the best `generate`.

    python tests/benchmarks/decode_speed.py [--threads 1]
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import ROOT, table, versions

from murk.rollout.policies import Start
from murk.rollout.policies.transformers import TransformersPolicy

sys.path.insert(0, str(ROOT / "tests" / "rollout"))
import tiny

EPISODES, TURNS, TOKENS = 32, 3, 128
WORDS = [path.read_text("utf-8", "replace") for path in sorted((ROOT / "tests" / "pages").rglob("*.html"))]


def main() -> None:
    """Measures and prints."""
    given = argparse.ArgumentParser()
    given.add_argument("--threads", type=int, default=1)
    threads = given.parse_args().threads
    sizes: dict[str, Any] = {"hidden_size": 160, "intermediate_size": 480, "num_hidden_layers": 5, "head_dim": 40}
    with tempfile.TemporaryDirectory() as folder:
        path = tiny.build(Path(folder), texts=WORDS, vocabulary=3000, **sizes)
        measured: list[tuple[str, int, int, float, str]] = []
        prompts: list[list[list[int]]] = []
        for name, batch, at_once in (("one after another", 1, 1), ("at once", 8, 32), ("at once", 32, 32)):
            policy = TransformersPolicy(str(path), micro_batch=batch, max_tokens=TOKENS, threads=threads)
            asyncio.run(episode(policy, 1000))
            began = time.perf_counter()
            sampled = asyncio.run(episodes(policy, at_once))
            took = time.perf_counter() - began
            count = sum(len(turn.token_ids) for one in sampled for turn in one)
            reused = sum(turn.usage["tokens_reused"] for one in sampled for turn in one)
            share = reused / sum(turn.usage["tokens_in"] for one in sampled for turn in one)
            measured.append((f"{EPISODES} episodes {name}", batch, count, took, f"{share:.0%}"))
            prompts = [whole_prompts(one) for one in sampled]
        limits = [("plain generate", batch, *generate(path, prompts, batch, threads), "") for batch in (1, 8, 32)]
    best = max(count / took for _, _, count, took, _ in limits)
    shown = [
        [name, batch, count, f"{took:.1f}", f"{count / took:,.0f}", f"{count / took / best:.2f}", share]
        for name, batch, count, took, share in measured + limits
    ]
    print(versions("torch", "transformers"))
    head = ["what", "batch", "tokens", "seconds", "tokens/s", "share of best generate", "prompt reused"]
    table(f"Decoding on {threads} thread(s)", head, shown)


async def episodes(policy: TransformersPolicy, at_once: int) -> list[list[Any]]:
    """What was sampled in each episode."""
    gate = asyncio.Semaphore(at_once)

    async def one(number: int) -> list[Any]:
        async with gate:
            return await episode(policy, number)

    return await asyncio.gather(*map(one, range(EPISODES)))


async def episode(policy: TransformersPolicy, number: int) -> list[Any]:
    """What was sampled in the turns of one episode."""
    agent = policy.begin(Start(number, "step", [{"function": {"name": "find", "description": WORDS[0][:2_000]}}]))
    conversation = [{"role": "user", "content": f"Question {number}?"}]
    sampled = []
    for turn in range(TURNS):
        completion = await agent.act(conversation)
        sampled.append(completion.sampled)
        words = WORDS[(number + turn) % len(WORDS)][number : number + 1_000]
        conversation += [{"role": "assistant", "content": completion.text}, {"role": "tool", "content": words}]
    return sampled


def whole_prompts(sampled: Sequence[Any]) -> list[list[int]]:
    """All ids that stood before each turn."""
    ids: list[int] = []
    prompts = []
    for turn in sampled:
        ids = [*(ids if turn.prefix else []), *turn.prompt_ids]
        prompts.append(ids)
        ids = [*ids, *turn.token_ids]
    return prompts


def generate(path: Path, prompts: Sequence[Sequence[list[int]]], batch: int, threads: int) -> tuple[int, float]:
    """Tokens and seconds of `generate` for the same turns."""
    import torch
    import transformers

    torch.set_num_threads(threads)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(path)
    settings = {"max_new_tokens": TOKENS, "do_sample": True, "top_k": 0, "eos_token_id": None, "pad_token_id": 2}
    count, took = 0, 0.0
    for turn in range(TURNS):
        for first in range(0, EPISODES if batch > 1 else 4, batch):
            some = [one[turn] for one in prompts[first : first + batch]]
            longest = max(map(len, some))
            ids = torch.tensor([[2] * (longest - len(one)) + one for one in some])
            mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in some])
            began = time.perf_counter()
            out = model.generate(input_ids=ids, attention_mask=mask, **settings)
            took += time.perf_counter() - began
            count += out.shape[0] * (out.shape[1] - longest)
    return count, took


if __name__ == "__main__":
    main()
