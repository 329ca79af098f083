"""Tiny language models, made on the spot: a folder with weights, a tokenizer and a chat template."""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STRIPPING = TEMPLATE.replace("{{ m['content'] }}", "{{ m['content'].split('>')[-1] }}")
"""A template that leaves out what stands before the end of a tag, as others leave out thoughts."""
WORDS = (
    "The Skerry Light was lit for the first time in 1874, and the ferry Kittiwake was built in the yard of Vale.",
    '<think>I shall search.</think><toolcall>{"name": "find", "arguments": {"text": "lit"}}</toolcall>',
    "<answer>It was lit in 1874.</answer>",
)


def build(
    folder: Path,
    kind: str = "qwen3",
    template: str = TEMPLATE,
    texts: Iterable[str] = WORDS,
    vocabulary: int = 600,
    **config: Any,
) -> Path:
    """Writes a `qwen3` or `llama` model with random weights; `config` changes sizes."""
    torch: Any = import_module("torch")
    transformers: Any = import_module("transformers")
    words = tokenizer(texts, vocabulary)
    words.chat_template = template
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 8192, "vocab_size": len(words)}
    ids = {"eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id, "bos_token_id": None}
    makers = {
        "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM),
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    }
    settings, model = makers[kind]
    torch.manual_seed(0)
    made = model(settings(**sizes | ids | {"initializer_range": 0.3} | config))
    made.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer of at most so many tokens, trained on some texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    transformers: Any = import_module("transformers")
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|im_start|>", "<|im_end|>", "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|pad|>")
