"""Wording by a language model: a paragraph is told anew by an OpenAI-compatible server, once, and kept on disk.

What was told once is found again by its content, so that a replay needs no server and gives the same bytes.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from murk.envs.codec import canonical_json
from murk.envs.errors import MurkError, UsageError

_PROMPT = (
    "Reword the paragraph between the marks for a web page. Keep its language, its meaning and every name and figure; "
    "write {keep!r} exactly so. Answer with the paragraph alone.\n<<<\n{text}\n>>>"
)
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Writer:
    """Words paragraphs.

    Attributes:
        base_url: Of the server, such as `http://127.0.0.1:8000/v1`.
        model: Name of the model.
        folder: Where wordings are kept.
        key_env: Environment variable with the key; empty for none.
        timeout: Seconds for one answer.

    Raises:
        UsageError: the address, the model or the folder is missing.
    """

    base_url: str
    model: str
    folder: str
    key_env: str = ""
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")) or not self.model or not self.folder:
            raise UsageError(f"a writer is {self}; allowed are an http(s) address, a model, and a folder for wordings.")

    def reword(self, text: str, keep: str) -> str:
        """A paragraph in other words.

        Args:
            text: The paragraph.
            keep: What must stay as it is; where the model loses it, the paragraph stays as it was.

        Raises:
            MurkError: there is no wording on disk, and the server gives none.
        """
        from murk.envs.web.cache import open_cache

        prompt = _PROMPT.format(keep=keep, text=text)
        with open_cache(Path(self.folder)) as cache:
            kept = cache.get(key := canonical_json([self.model, prompt]))
            if isinstance(kept, str):
                return kept
            told = " ".join(self._ask(prompt).split())
            told = told if keep in told else text
            cache[key] = told
            return told

    def _ask(self, prompt: str) -> str:
        import httpcore

        key = os.environ.get(self.key_env, "") if self.key_env else ""
        headers = [("content-type", "application/json"), *([("authorization", f"Bearer {key}")] if key else [])]
        body = {"model": self.model, "temperature": 0, "messages": [{"role": "user", "content": prompt}]}
        times = dict.fromkeys(("connect", "read", "write", "pool"), self.timeout)
        url = f"{self.base_url.rstrip('/')}/chat/completions"
        try:
            content, more = json.dumps(body).encode(), {"timeout": times}
            with httpcore.stream("POST", url, headers=headers, content=content, extensions=more) as answer:
                data = b""
                for chunk in answer.iter_stream():
                    data += chunk
                    if len(data) > _MOST_BYTES:
                        raise MurkError(f"the writer at {url} gave more than {_MOST_BYTES} bytes.")
            if answer.status != 200:
                raise MurkError(f"the writer at {url} answered with status {answer.status}.")
            said = json.loads(data)["choices"][0]["message"]["content"]
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise MurkError(f"the writer at {url} cannot be reached: {error!r}.") from error
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise MurkError(f"the writer at {url} gave no completion: {error!r}.") from error
        return said if isinstance(said, str) else ""
