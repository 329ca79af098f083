"""A live search engine behind a JSON API, described by a file rather than by code.

```json
{"url": "https://search.example.org/api", "params": {"q": "{query}", "count": "{k}"},
 "headers": {"Authorization": "Bearer ${SEARCH_KEY}"},
 "results": "web.results", "fields": {"url": "url", "title": "title", "snippet": "description", "date": "page_age"}}
```
"""

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from murk.envs.codec import canonical_json
from murk.envs.errors import UnknownName, UsageError
from murk.envs.records import Failure, Hit, Hits
from murk.envs.web.text import SNIPPET_CHARS, clean
from murk.envs.web.urls import canonical_url, format_date, parse_date

if TYPE_CHECKING:
    from murk.envs.web.live.exchange import Fetched
    from murk.envs.web.live.fetch import Fetcher

METHODS = ("GET", "POST")
FIELDS = ("url", "title", "snippet", "date")
MAX_QUERY = 1_000
_MAX_CONFIG = 1 << 20
_PLACE = re.compile(r"\{(query|k)\}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HEADER = re.compile(r"[A-Za-z0-9_-]+")
_OUR_HEADERS = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How to ask a search engine.

    Attributes:
        url: Address of the API.
        method: `GET` or `POST`.
        params: Query parameters. `{query}` and `{k}` in their values stand for the query and the number of hits.
        body: JSON value that a POST sends, with the same placeholders in its texts; the text `{k}` becomes a number.
        headers: Headers; `${NAME}` in a value is taken from the environment, so that keys stay out of the file.
        results: Dotted path to the list of results, such as `web.results`; empty where the answer is that list.
        fields: Dotted paths within a result to its `url`, `title`, `snippet` and `date`; `url` is needed.
        private: The API may lie at a private address, as one's own search engine does.
    """

    url: str
    method: str = "GET"
    params: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    results: str = "results"
    fields: Mapping[str, str] = field(default_factory=lambda: {name: name for name in FIELDS})
    private: bool = False

    def __post_init__(self) -> None:
        try:
            canonical_url(self.url)
        except (ValueError, AttributeError, TypeError):
            raise _wrong("url", self.url, "an http or https address") from None
        if self.method not in METHODS:
            raise _wrong("method", self.method, " or ".join(METHODS))
        if self.body is not None and self.method != "POST":
            raise _wrong("body", self.body, "none, unless the method is POST")
        if not _is_map(self.params, (str, int, float, bool)):
            raise _wrong("params", self.params, "a mapping from names to texts or numbers")
        if not isinstance(self.results, str):
            raise _wrong("results", self.results, "a dotted path")
        if not _is_map(self.fields, (str,)) or "url" not in self.fields:
            raise _wrong("fields", self.fields, "a mapping with a dotted path for `url`")
        for name in self.fields:
            if name not in FIELDS:
                raise UnknownName("field of a search result", name, FIELDS)
        if not isinstance(self.private, bool):
            raise _wrong("private", self.private, "true or false")
        self._check_headers()

    def _check_headers(self) -> None:
        if not _is_map(self.headers, (str,)):  # values are never shown: they may be keys
            raise UsageError("headers of a search engine are wrong; allowed: a mapping from names to texts.")
        for name in self.headers:
            if not _HEADER.fullmatch(name) or name.lower() in _OUR_HEADERS:
                raise _wrong("headers", name, f"header names other than {', '.join(_OUR_HEADERS)}")

    @classmethod
    def load(cls, path: str | Path) -> "EngineConfig":
        """Reads a config from a JSON file.

        Raises:
            UsageError: the file cannot be read, or a setting is wrong; the message names it and what is allowed.
        """
        try:
            with Path(path).open("rb") as file:
                data = json.loads(file.read(_MAX_CONFIG))
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"search engine {path} cannot be read: {error}.") from None
        if not isinstance(data, dict) or "url" not in data:
            raise UsageError(f"search engine {path} must be a JSON object with at least a `url`.")
        known = [f.name for f in dataclasses.fields(cls)]
        for name in data:
            if name not in known:
                raise UnknownName("setting of a search engine", name, known)
        return cls(**data)


class JsonEngine:
    """Asks a search engine through a `Fetcher`, and so within its limits.

    Args:
        config: How to ask.
        fetcher: What asks.
        environ: Where `${NAME}` of a header is looked up.

    Raises:
        UsageError: a header needs a variable that is not set, or its value cannot stand in a header.
    """

    def __init__(self, config: EngineConfig, fetcher: "Fetcher", environ: Mapping[str, str] | None = None) -> None:
        self.config = config
        self._fetcher = fetcher
        environ = os.environ if environ is None else environ
        self._headers = {name: _filled_header(name, value, environ) for name, value in config.headers.items()}
        if config.body is not None:
            self._headers = {"Content-Type": "application/json"} | self._headers

    @property
    def name(self) -> str:
        """Tells engines apart: a digest of the config, in which no key of the environment stands."""
        return blake2b(canonical_json(dataclasses.asdict(self.config)).encode(), digest_size=8).hexdigest()

    def search(self, query: str, k: int) -> Hits | Failure:
        """The first k results for a query, each page once."""
        if not query.strip() or len(query) > MAX_QUERY or k < 1:
            return Failure("bad_request", 400, f"a query has 1 to {MAX_QUERY} characters, and k is at least 1")
        answer = self._ask(" ".join(clean(query).split()), k)
        if isinstance(answer, Failure):
            return replace(answer, message=f"the search engine failed: {answer.message}")
        try:
            results = _dig(json.loads(answer.body), self.config.results)
        except (ValueError, RecursionError):
            return Failure("bad_response", answer.status, "the search engine failed: it did not answer with JSON")
        if not isinstance(results, list):
            where = self.config.results or "its top"
            return Failure("bad_response", answer.status, f"the search engine failed: no list of results at {where}")
        return Hits(self._hits(results, k))

    def _ask(self, query: str, k: int) -> "Fetched | Failure":
        config = self.config
        url = config.url
        if config.params:
            params = {name: str(_filled(value, query, k)) for name, value in config.params.items()}
            url += ("&" if "?" in url else "?") + urlencode(params)
        body = None if config.body is None else json.dumps(_filled(config.body, query, k)).encode()
        return self._fetcher.call(config.method, url, self._headers, body, private=config.private)

    def _hits(self, results: list[Any], k: int) -> tuple[Hit, ...]:
        hits: dict[str, Hit] = {}
        for result in results:
            found = {name: _dig(result, path) for name, path in self.config.fields.items()}
            try:
                url = canonical_url(found["url"]) if isinstance(found["url"], str) else ""
            except ValueError:
                continue
            if url and url not in hits:
                title, snippet = _line(found.get("title"), 300), _line(found.get("snippet"), SNIPPET_CHARS)
                hits[url] = Hit(url, title or url, snippet, _date(found.get("date")), score=len(results) - len(hits))
            if len(hits) == k:
                break
        return tuple(hits.values())


def _filled(template: Any, query: str, k: int) -> Any:
    """A template with its placeholders filled in one pass, so that a query that holds `{k}` stays as it is."""
    if template == "{k}":
        return k
    if isinstance(template, str):
        return _PLACE.sub(lambda place: query if place[1] == "query" else str(k), template)
    if isinstance(template, list):
        return [_filled(item, query, k) for item in template]
    if isinstance(template, dict):
        return {name: _filled(item, query, k) for name, item in template.items()}
    return template


def _filled_header(name: str, value: str, environ: Mapping[str, str]) -> str:
    for variable in _VARIABLE.findall(value):
        if variable not in environ:
            raise UsageError(f"header {name} of the search engine needs the environment variable {variable}.")
    filled = _VARIABLE.sub(lambda match: environ[match[1]], value)
    if not (filled.isascii() and filled.isprintable()):
        raise UsageError(f"header {name} of the search engine has a value that is not printable ASCII.")
    return filled.strip()


def _dig(value: Any, path: str) -> Any:
    """What lies at a dotted path; None where it leads nowhere."""
    for part in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part[:9]) < len(value):
            value = value[int(part[:9])]
        else:
            return None
    return value


def _line(value: Any, limit: int) -> str:
    return " ".join(clean(value).split())[:limit] if isinstance(value, str) else ""


def _date(value: Any) -> str:
    try:
        return format_date(parse_date(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""


def _is_map(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, Mapping) and all(isinstance(k, str) and isinstance(v, kinds) for k, v in value.items())


def _wrong(name: str, value: Any, allowed: str) -> UsageError:
    return UsageError(f"{name} of a search engine is {str(value)[:80]!r}; allowed: {allowed}.")
