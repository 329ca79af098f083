"""A cross-encoder that tells whether a premise entails a statement, from a folder of safetensors."""

import math
from pathlib import Path
from typing import Any

from murk.envs.errors import UsageError
from murk.envs.web.manifest import file_digest
from murk.envs.web.vectors import library

_WEIGHTS = "model.safetensors"


class CrossEncoder:
    """A sequence classifier with a label `entailment`, or with one output, whose sigmoid is taken.

    Args:
        folder: Holds `config.json`, `model.safetensors` and a tokenizer.

    Attributes:
        name: A digest of the weights.

    Raises:
        UsageError: a file is missing, the labels are others, or torch is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / _WEIGHTS).is_file():
            raise UsageError(f"{folder} has no {_WEIGHTS}; other formats of weights can run code and are refused.")
        self._torch, transformers = library("torch"), library("transformers")
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), **options)
            model = transformers.AutoModelForSequenceClassification.from_pretrained(
                str(folder), use_safetensors=True, **options
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise UsageError(f"{folder} cannot be loaded as a cross-encoder: {error}") from error
        self._model = model.to(self._torch.float32).eval()
        labels = {str(label).lower(): int(number) for number, label in model.config.id2label.items()}
        self._entailment = 0 if len(labels) == 1 else labels.get("entailment", -1)
        if self._entailment < 0:
            raise UsageError(f"{folder} tells {sorted(labels)} apart; needed is a label 'entailment'.")
        self._single = len(labels) == 1
        self._tokens = min(int(getattr(model.config, "max_position_embeddings", 512)), 512) - 2
        self.name = f"cross-encoder {file_digest(folder / _WEIGHTS)[:12]}"

    def entails(self, premise: str, statement: str) -> float:
        """The probability of entailment, from 0 to 1; a long premise is cut."""
        tokens = self._tokenizer(
            premise, statement, truncation="only_first", max_length=self._tokens, return_tensors="pt"
        )
        with self._torch.inference_mode():
            logits = self._model(**tokens).logits[0].tolist()
        if self._single:
            return round(1 / (1 + math.exp(-logits[0])), 4)
        top = max(logits)
        powers = [math.exp(value - top) for value in logits]
        return round(powers[self._entailment] / math.fsum(powers), 4)
