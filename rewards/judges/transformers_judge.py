"""The judge `transformers`: a language model from a folder, in process, with the prompts and rules of `chat`.

Greedy, in batches of like length. For many reports a served model (`chat`) is faster; this one needs no server.
"""

import threading
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from murk.envs.codec import canonical_json
from murk.envs.errors import UsageError
from murk.envs.tasks import Criterion
from murk.envs.web.manifest import file_digest
from murk.envs.web.vectors import library
from murk.rewards.judges import Case, Verdict
from murk.rewards.judges.chat_verdicts import Answer, Asked, Limits, decide
from murk.rewards.judges.prompts import Messages
from murk.rewards.judges.prompts import version as prompts_version


class TransformersJudge:
    """Judges by a language model that this process runs.

    Args:
        folder: A Hugging Face model with safetensors and a tokenizer that has a chat template.
        device: Where torch runs it.
        dtype: Its numbers: `float32`, `bfloat16` or `float16`.
        batch: Conversations at a time, from 1.
        max_tokens: Tokens of a reply, from 16.
        limits: Settings of `Limits`; trials would all be equal, so there is one.

    Raises:
        UsageError: the folder cannot be loaded, a setting is wrong, or a library of the extra `dense` is missing.
    """

    def __init__(
        self,
        folder: str,
        device: str = "cpu",
        dtype: str = "float32",
        batch: int = 8,
        max_tokens: int = 512,
        limits: dict[str, Any] | None = None,
    ) -> None:
        self.limits = Limits(**(limits or {}))
        if self.limits.trials != 1 or batch < 1 or max_tokens < 16 or dtype not in ("float32", "bfloat16", "float16"):
            raise UsageError(
                f"trials {self.limits.trials}, batch {batch}, max_tokens {max_tokens}, dtype {dtype!r}; allowed: "
                "1, from 1, from 16, and float32, bfloat16 or float16."
            )
        self.batch, self.max_tokens, self.device, self.dtype = batch, max_tokens, device, dtype
        self._torch = library("torch")
        self._load(Path(folder), library("transformers"))
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """Model, prompts and settings; the size of batches and the device are none of them."""
        settings = [asdict(self.limits), self.max_tokens, self.dtype]
        digest = blake2b(canonical_json(settings).encode(), digest_size=4).hexdigest()
        return f"transformers 1 ({self._digest}, prompts {prompts_version()}, settings {digest})"

    def judge(self, case: Case, criteria: Sequence[Criterion]) -> list[Verdict]:
        """One verdict for each criterion, in their order; None for those that the model could not decide."""
        return decide(case, criteria, self.ask, self.limits)

    def ask(self, asked: Sequence[Asked]) -> list[Answer]:
        """Puts requests to the model, and gives their answers in the same order."""
        with self._lock:
            return self._answers(asked)

    def _load(self, folder: Path, transformers: Any) -> None:
        weights = sorted(folder.glob("*.safetensors"))
        if not weights:
            raise UsageError(f"{folder} has no *.safetensors; other formats of weights can run code and are refused.")
        files = [*weights, *(p for p in (folder / "tokenizer.json", folder / "chat_template.jinja") if p.is_file())]
        self._digest = blake2b(" ".join(map(file_digest, files)).encode(), digest_size=6).hexdigest()
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), padding_side="left", **options)
            model = transformers.AutoModelForCausalLM.from_pretrained(
                str(folder), use_safetensors=True, dtype=getattr(self._torch, self.dtype), **options
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise UsageError(f"{folder} cannot be loaded as a language model: {error}") from error
        if not self._tokenizer.chat_template:
            raise UsageError(f"the tokenizer of {folder} has no chat template; a judge needs an instructed model.")
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._model = model.to(self.device).eval()

    def _answers(self, asked: Sequence[Asked]) -> list[Answer]:
        prompts = [self._tokens(request.messages) for request in asked]
        room = int(getattr(self._model.config, "max_position_embeddings", 1 << 30)) - self.max_tokens
        fitting = [i for i, tokens in enumerate(prompts) if len(tokens) <= room]
        answers = [Answer(None, True, f"the prompt has more than {room} tokens")] * len(asked)
        order = sorted(fitting, key=lambda i: (len(prompts[i]), i))
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            for row, answer in zip(rows, self._generate([prompts[i] for i in rows]), strict=True):
                answers[row] = answer
        return answers

    def _tokens(self, messages: Messages) -> list[int]:
        text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def _generate(self, prompts: Sequence[list[int]]) -> list[Answer]:
        padded = self._tokenizer.pad({"input_ids": list(prompts)}, return_tensors="pt").to(self.device)
        with self._torch.inference_mode():
            out = self._model.generate(
                input_ids=padded["input_ids"],
                attention_mask=padded["attention_mask"],
                max_new_tokens=self.max_tokens,
                do_sample=False,
                pad_token_id=self._tokenizer.pad_token_id,
            )
        answers = []
        for prompt, row in zip(prompts, out[:, padded["input_ids"].shape[1] :].tolist(), strict=True):
            text = self._tokenizer.decode(row, skip_special_tokens=True)
            spoken = sum(token != self._tokenizer.pad_token_id for token in row)
            spent = {"calls": 1.0, "tokens_in": float(len(prompt)), "tokens_out": float(spoken), "money": 0.0}
            answers.append(Answer(text, usage=spent))
        return answers
