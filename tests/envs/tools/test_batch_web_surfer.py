"""What a search shows of a hit: a snippet, and the text of the page around its best passage."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs.budget import Budget, Prices, count_tokens
from murk.envs.codec import canonical_json, encode
from murk.envs.desk import Cached, Desk, NoShell, Router
from murk.envs.records import Call, Hit, Hits, Request, Response, World, decode
from murk.envs.tools.batch_web_surfer import BatchWebSurfer
from murk.envs.web.build import Options, build
from murk.envs.web.snapshot import Snapshot
from murk.envs.web.text import CONTENT_SIZE, SNIPPET_CHARS, excerpt
from murk.envs.workspace import Workspace


def rows(world: World, tool: BatchWebSurfer, *queries: str) -> list[dict[str, Any]]:
    workspace = Workspace()
    desk = Desk(Router(Cached(world), workspace, NoShell()), workspace, Budget(), Prices(), count_tokens)
    arguments = {"action": "batch_search", "queries": list(queries), "topk": 10, "shelf": "web"}
    return [row for block in json.loads(tool.run(arguments, desk)) for row in block["results"]]


@pytest.fixture(scope="module")
def long_pages(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = tmp_path_factory.mktemp("long")
    filler = [f"Line {i} tells of nothing much, and then it ends [here](https://a.example/{i})." for i in range(400)]
    end = "\n".join([*filler, "The kiln stood at the harbour."])
    middle = "\n".join([*filler[:200], "", "A dovecote was built of slate.", *filler[200:]])
    texts = {"end": end, "middle": middle, "short": "A smithy.", "chinese": "水" * 2_000 + " granary " + "山" * 2_000}
    lines = [json.dumps({"url": f"https://a.example/{name}", "text": text}) for name, text in texts.items()]
    (folder / "pages.jsonl").write_text("\n".join(lines))
    build([folder / "pages.jsonl"], folder / "out", Options(workers=1))
    return Snapshot.open(folder / "out")


@pytest.mark.parametrize(
    ("query", "least"), [("kiln", 600), ("dovecote", 600), ("smithy", 9), ("granary", 600), ("kiln dovecote", 600)]
)
def test_content_is_the_text_around_the_best_passage(long_pages: Snapshot, query: str, least: int) -> None:
    hits = long_pages.search(query).hits
    assert hits
    for hit in hits:
        text = excerpt(long_pages.page(hit.url).text, begins=True, ends=True)
        assert hit.content in text
        assert least <= len(hit.content) <= CONTENT_SIZE
        assert any(word in hit.content for word in query.split())
        assert len(hit.snippet) <= SNIPPET_CHARS
        begin = text.index(hit.content)
        for edge in (text[begin - 1 : begin], text[begin + len(hit.content) :][:1]):
            assert edge.isspace() or not edge or not hit.content.isascii()


def test_rows_show_as_much_as_the_tool_is_set_to(long_pages: Snapshot) -> None:
    (row,) = rows(long_pages, BatchWebSurfer(), "dovecote")
    assert list(row) == ["title", "url", "cite", "snippet", "content"]
    assert row["content"] == long_pages.search("dovecote").hits[0].content
    assert rows(long_pages, BatchWebSurfer(content=20), "dovecote")[0]["content"] == row["content"][:20]
    assert "content" not in rows(long_pages, BatchWebSurfer(content=0), "dovecote")[0]


def test_worlds_and_records_without_content_still_serve() -> None:
    class Engine:
        def answer(self, request: Request, call: Call) -> Response:
            return Hits((Hit("https://a.example/", "A", "about a"),))

    assert "content" not in rows(Engine(), BatchWebSurfer(), "a")[0]
    hit = Hit("u", "t", "s", content="c")
    old = encode(Hits((hit,)))
    del old["hits"][0]["content"]
    assert decode(json.loads(canonical_json(old))) == Hits((replace(hit, content=""),))


@given(st.text(max_size=200), st.booleans(), st.booleans())
def test_an_excerpt_is_part_of_the_text(text: str, begins: bool, ends: bool) -> None:
    assert excerpt(text, begins, ends) in text or "](" in text


def test_words_cut_in_two_are_left_out() -> None:
    text = "alf a word and another wo"
    assert excerpt(text, begins=False, ends=False) == "a word and another"
    assert excerpt(text, begins=True, ends=True) == text
    assert excerpt("\ufffd水山\ufffd", begins=False, ends=False) == "水山"
    assert excerpt("[a](https://a.example/b) c", begins=True, ends=True) == "[a] c"
