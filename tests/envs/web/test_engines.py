"""Search engines described by a file, asked over a local JSON API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from badserver import BadServer

from murk.envs.errors import UnknownName, UsageError
from murk.envs.records import Failure, Hit, Hits
from murk.envs.web.live.engines import EngineConfig, JsonEngine
from murk.envs.web.live.fetch import Fetcher, FetchSettings


@pytest.fixture
def server() -> Iterator[BadServer]:
    with BadServer() as bad:
        yield bad


def engine(server: BadServer, path: str = "/api", environ: dict[str, str] | None = None, **config: Any) -> JsonEngine:
    settings = FetchSettings(delay=0, timeout=5, retries=1, allow_private=True)
    fetcher = Fetcher(settings, sleep=lambda seconds: None)
    return JsonEngine(EngineConfig(**{"url": server.url + path} | config), fetcher, environ)


def hits(answer: Hits | Failure) -> tuple[Hit, ...]:
    assert isinstance(answer, Hits), answer
    return answer.hits


def failure(answer: Hits | Failure) -> Failure:
    assert isinstance(answer, Failure), answer
    return answer


def test_results_are_found_by_their_paths(server: BadServer) -> None:
    server.api = {
        "web": {
            "pages": [
                {
                    "link": "HTTP://Example.org/a#x",
                    "name": " A \n title ",
                    "about": {"text": ["one", "two"]},
                    "age": "2024-05-01",
                },
                {"link": "http://example.org/a", "name": "the same page again"},
                {"link": "javascript:alert(1)"},
                {"link": 7},
                "no result",
                None,
                {"link": "https://example.org/b", "name": None, "age": "yesterday"},
            ]
        }
    }
    fields = {"url": "link", "title": "name", "snippet": "about.text.1", "date": "age"}
    found = hits(engine(server, results="web.pages", fields=fields).search("q", 10))
    assert [(h.url, h.title, h.snippet, h.date) for h in found] == [
        ("http://example.org/a", "A title", "two", "2024-05-01"),
        ("https://example.org/b", "https://example.org/b", "", ""),
    ]
    assert found[0].score > found[1].score


def test_an_answer_may_be_the_list_itself(server: BadServer) -> None:
    server.api = [{"url": f"http://example.org/{i}"} for i in range(9)]  # type: ignore[assignment]
    assert [h.url[-1] for h in hits(engine(server, results="").search("q", 4))] == ["0", "1", "2", "3"]


def test_the_query_is_a_value_and_nothing_else(server: BadServer) -> None:
    params = {"q": "{query} lang:en", "count": "{k}", "safe": True}
    query = '{k} & {query} "#%\ufffd?\n ${HOME} é'
    hits(engine(server, "/api?fixed=1", params=params).search(query, 7))
    asked = parse_qs(urlsplit(server.asked[-1][1]).query)
    assert asked == {
        "fixed": ["1"],
        "q": ['{k} & {query} "#%\ufffd? ${HOME} é lang:en'],
        "count": ["7"],
        "safe": ["True"],
    }


def test_a_body_is_filled_and_sent_as_json(server: BadServer) -> None:
    body = {"query": "{query}", "size": "{k}", "nested": [{"text": "about {query} x{k}"}], "n": 3, "none": None}
    hits(engine(server, method="POST", body=body).search('a "b" {k}', 5))
    assert server.asked[-1] == ("POST", "/api")
    assert server.headers[-1]["content-type"] == "application/json"
    assert json.loads(server.bodies[-1]) == {
        "query": 'a "b" {k}',
        "size": 5,
        "nested": [{"text": 'about a "b" {k} x5'}],
        "n": 3,
        "none": None,
    }


def test_keys_come_from_the_environment(server: BadServer) -> None:
    asked = engine(server, environ={"SEARCH_KEY": "s3cret"}, headers={"X-Key": "Bearer ${SEARCH_KEY}"})
    hits(asked.search("q", 1))
    assert server.headers[-1]["x-key"] == "Bearer s3cret"
    assert asked.name != engine(server).name
    assert asked.name == engine(server, environ={"SEARCH_KEY": "other"}, headers={"X-Key": "Bearer ${SEARCH_KEY}"}).name


def test_a_missing_or_unusable_key_is_told_without_it(server: BadServer) -> None:
    with pytest.raises(UsageError, match=r"X-Key.*SEARCH_KEY"):
        engine(server, environ={}, headers={"X-Key": "${SEARCH_KEY}"})
    with pytest.raises(UsageError, match="X-Key") as raised:
        engine(server, environ={"SEARCH_KEY": "s3cret\r\nX-Evil: 1"}, headers={"X-Key": "${SEARCH_KEY}"})
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api-broken", "bad_response"),
        ("/api-deep", "bad_response"),
        ("/ok", "bad_response"),
        ("/status/401", "refused"),
        ("/status/500", "server_error"),
        ("/later", "rate_limited"),
        ("/hops/0", "bad_redirect"),
        ("/reset", "unreachable"),
    ],
)
def test_broken_engines_are_failures(server: BadServer, path: str, kind: str) -> None:
    got = failure(engine(server, path, params={"q": "{query}", "key": "s3cret"}).search("q", 3))
    assert got.kind == kind
    assert got.message.startswith("the search engine failed")
    assert "s3cret" not in got.message


@pytest.mark.parametrize("answer", [{}, {"results": None}, {"results": {}}, {"results": "x"}, [], 7, None])
def test_answers_without_a_list_are_failures(server: BadServer, answer: Any) -> None:
    server.api = answer
    assert failure(engine(server).search("q", 3)).kind == "bad_response"


def test_results_are_made_harmless(server: BadServer) -> None:
    server.api = {
        "results": [{"url": "http://example.org/", "title": "a\x1b[31m\ud800" + "x" * 999, "snippet": "y " * 999}]
    }
    hit = hits(engine(server).search("q", 1))[0]
    assert hit.title.startswith("a[31m?x")
    assert (len(hit.title), len(hit.snippet)) == (300, 300)


@pytest.mark.parametrize(("query", "k"), [("", 1), ("  ", 1), ("x" * 1001, 1), ("x", 0), ("x", -1)])
def test_queries_that_cannot_be_asked(server: BadServer, query: str, k: int) -> None:
    assert failure(engine(server).search(query, k)).kind == "bad_request"
    assert server.asked == []


def test_half_a_surrogate_pair_is_asked_as_a_question_mark(server: BadServer) -> None:
    hits(engine(server, params={"q": "{query}"}).search("a\ud800b", 1))
    assert parse_qs(urlsplit(server.asked[-1][1]).query) == {"q": ["a?b"]}


def test_an_engine_of_ones_own_may_be_private(server: BadServer) -> None:
    strict = Fetcher(FetchSettings(delay=0))
    refused = JsonEngine(EngineConfig(server.url + "/api"), strict).search("q", 1)
    assert failure(refused).kind == "private_address"
    assert hits(JsonEngine(EngineConfig(server.url + "/api", private=True), strict).search("q", 1)) == ()
    assert isinstance(strict.get(server.url + "/ok"), Failure), "its pages are not"


def test_a_config_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    path.write_text(
        '{"url": "https://e.test/api", "params": {"q": "{query}"}, "results": "a.b", "fields": {"url": "u"}}'
    )
    assert EngineConfig.load(path) == EngineConfig(
        "https://e.test/api", params={"q": "{query}"}, results="a.b", fields={"url": "u"}
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "ftp://x/"}, "url.*ftp://x/.*http"),
        ({"url": 7}, "url.*7.*http"),
        ({"method": "PUT"}, "method.*PUT.*GET or POST"),
        ({"body": {}}, "body.*POST"),
        ({"params": ["q"]}, "params.*q.*mapping"),
        ({"params": {"q": ["x"]}}, "params.*mapping"),
        ({"headers": "x"}, "headers.*mapping"),
        ({"headers": {"Host": "x"}}, "headers.*Host.*allowed"),
        ({"headers": {"X:y": "x"}}, "headers.*X:y.*allowed"),
        ({"results": None}, "results.*None.*path"),
        ({"fields": {"title": "x"}}, "fields.*title.*url"),
        ({"fields": {"url": "x", "snipet": "y"}}, "snipet.*Did you mean 'snippet'"),
        ({"private": "yes"}, "private.*yes.*true or false"),
        ({"resluts": "x"}, "resluts.*Did you mean 'results'"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    path = tmp_path / "engine.json"
    path.write_text(json.dumps({"url": "http://e.test/"} | settings))
    with pytest.raises(UsageError, match=words):
        EngineConfig.load(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "{", "[" * 100_000, "\ud800"])
def test_files_that_are_no_config(tmp_path: Path, text: str) -> None:
    path = tmp_path / "engine.json"
    path.write_text(text, errors="surrogatepass")
    with pytest.raises(UsageError, match=r"engine\.json"):
        EngineConfig.load(path)
    with pytest.raises(UsageError, match="absent"):
        EngineConfig.load(tmp_path / "absent")


def test_unknown_settings_are_a_usage_error() -> None:
    assert issubclass(UnknownName, UsageError)
