"""How tokens are counted: by a rule that needs nothing, or by the tokenizer of a model."""

from pathlib import Path

from murk.envs.budget import Counter, count_tokens
from murk.envs.errors import UsageError


def token_counter(tokenizer: str | None) -> Counter:
    """What counts the tokens of a text.

    Args:
        tokenizer: A `tokenizer.json` file, as the models on Hugging Face have it, or None for the rule
            `murk.envs.budget.count_tokens`: a quarter of the UTF-8 bytes, rounded up. The file's own truncation,
            padding and special tokens are left out.

    Raises:
        UsageError: the file cannot be read, or the package `tokenizers` is not installed.
    """
    if tokenizer is None:
        return count_tokens
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise UsageError(
            f"counting with {tokenizer!r} needs the package tokenizers: pip install tokenizers."
        ) from error
    try:
        model = Tokenizer.from_str(Path(tokenizer).read_text("utf-8"))
    except Exception as error:  # the library raises bare Exceptions
        raise UsageError(f"tokenizer {tokenizer!r} is not a readable tokenizer.json file: {error}.") from None
    model.no_truncation()
    model.no_padding()

    def count(text: str, size: int | None = None) -> int:
        return len(model.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False).ids)

    return count
