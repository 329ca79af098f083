"""The workspace, patch edits, tools and citations, one by one."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs.budget import Budget, Prices, Spending, count_tokens
from murk.envs.citations import citations, cite_key
from murk.envs.desk import Cached, Desk, NoShell, Router
from murk.envs.errors import UsageError
from murk.envs.patch import PatchRefused, apply_patch
from murk.envs.records import (
    Call,
    Failure,
    FileOp,
    Hits,
    Link,
    LinkList,
    Links,
    Open,
    Page,
    Request,
    Response,
    Run,
    Search,
    Text,
)
from murk.envs.tools import check_arguments, profile
from murk.envs.web.snapshot import Snapshot
from murk.envs.web.urls import dated
from murk.envs.workspace import Workspace, clean_path


@pytest.fixture
def desk(vale: Snapshot) -> Desk:
    workspace = Workspace()
    return Desk(Router(Cached(vale), workspace, NoShell()), workspace, Budget(), Prices(), count_tokens)


def use(desk: Desk, name: str, **arguments: Any) -> str:
    tool = profile("research")[name].tool
    desk.begin(name, 0)
    fitted, problem = check_arguments(arguments, tool.parameters)
    return problem or tool.run(fitted, desk)


TEXT = "# Notes\n\nThe light was lit in 1874.\nIts keeper was Ada Merrow.\n\nThe light was lit in 1874.\n"


@pytest.mark.parametrize(
    ("anchor", "content", "changed"),
    [
        ("Ada Merrow", "A. Merrow", "Its keeper was A. Merrow."),
        ("  Its keeper   was Ada Merrow.  ".strip() + " ", "She kept it.", "She kept it.\n"),
        ("Its keeper was Ada Merow.", "Gone.", "Gone.\n"),
        ("Notes\n\nThe light", "Log\n\nThe light", "# Log\n\nThe light was"),
    ],
)
def test_a_patch_finds_its_place(anchor: str, content: str, changed: str) -> None:
    assert changed in apply_patch(TEXT, anchor, content)[0]


@pytest.mark.parametrize(
    ("anchor", "why"),
    [
        ("The light was lit in 1874.", r"2 times \(lines 3, 6\)"),
        ("  The light was lit in 1874.\n", "2 (times|places)"),
        ("The light was lit in 1875.", "as much like line 3 as line 6"),
        ("The ferry sails at noon.", "does not occur"),
        ("", "empty"),
        (" \n", "empty"),
        ("x" * 100_000, "too long"),
    ],
)
def test_a_patch_that_is_not_clear_is_refused(anchor: str, why: str) -> None:
    with pytest.raises(PatchRefused, match=why):
        apply_patch(TEXT, anchor, "new")


@given(st.text(max_size=300), st.text(max_size=60), st.text(max_size=60))
def test_any_patch_applies_once_or_is_refused(text: str, anchor: str, content: str) -> None:
    try:
        after, _ = apply_patch(text, anchor, content)
    except PatchRefused:
        return
    assert content in after


def test_patching_a_monster_ends_in_time() -> None:
    started = time.process_time()
    for text in ("a\n" * 100_000, "ab" * 100_000, ("x" * 500 + "\n") * 400):
        with pytest.raises(PatchRefused):
            apply_patch(text, "x" * 400 + "y" * 300 + "\nzz", "new")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/passwd", "a/../../x", "a\0b", "a\nb", "", "x" * 500, "..", "/workspace/../x", "a/\u202eb", "\ud800"],
)
def test_no_path_leads_out_of_the_workspace(path: str) -> None:
    answer = Workspace().answer(FileOp("write", path, "x"), Call())
    assert isinstance(answer, Failure)
    assert clean_path(path) is None


@given(st.text(max_size=60))
def test_a_clean_path_is_clean(path: str) -> None:
    clean = clean_path(path)
    assert clean is None or (clean_path(clean) == clean and not clean.startswith("/") and ".." not in clean.split("/"))


def test_files_are_written_read_listed_and_bounded() -> None:
    files = Workspace(file_bytes=100, total_bytes=250, max_files=3)

    def do(action: str, path: str, content: str = "", **more: Any) -> Response:
        return files.answer(FileOp(action, path, content, **more), Call())

    assert isinstance(do("write", "a/b.md", "hello"), Text)
    assert isinstance(do("append", "./a//b.md", " world"), Text)
    assert do("read", "a/b.md").text == "hello world"  # type: ignore[union-attr]
    assert "bytes 0 to 5 of 11; read on with offset 5" in do("read", "a/b.md", limit=5).text  # type: ignore[union-attr]
    assert do("stat", "a/b.md").text == "a/b.md: 11 bytes, 1 lines"  # type: ignore[union-attr]
    assert do("list", ".").text == "a/b.md  11 bytes"  # type: ignore[union-attr]
    for action, path, content, kind in (
        ("read", "none", "", "not_found"), ("read", "a", "", "not_found"), ("list", "none", "", "not_found"),
        ("write", "a", "x", "refused"), ("write", "a/b.md/c", "x", "disk_full"),
        ("write", "big", "x" * 101, "disk_full"),
        ("patch", "none", "x", "not_found"), ("patch", "a/b.md", "x", "refused"), ("delete", "a/b.md", "", "refused"),
    ):  # fmt: skip
        answer = do(action, path, content)
        assert isinstance(answer, Failure), (action, path)
        assert answer.kind == kind, (action, path)
    do("write", "c", "x" * 100)
    assert isinstance(do("write", "d", "x" * 100), Text)
    assert isinstance(do("write", "e", "x"), Failure)
    assert isinstance(files.answer(Run("ls"), Call()), Failure)


def test_searches_share_out_their_hits_and_name_a_page_once(desk: Desk) -> None:
    import json

    text = use(desk, "batch_web_surfer", action="batch_search", queries='["ferry", "harbour", "ferry"]', topk=3)
    blocks = json.loads(text)
    assert [block["query"] for block in blocks] == ["ferry", "harbour"]
    urls = [row["url"] for block in blocks for row in block["results"]]
    assert len(urls) == len(set(urls)) == 3
    assert blocks[0]["results"][0]["cite"] == cite_key(urls[0])
    assert [exchange.call.item for exchange in desk.exchanges] == [0, 1]
    assert desk.spent.seconds == 1.0


def test_a_long_page_is_cut_and_kept_as_a_file(vale: Snapshot) -> None:
    class Long:
        def answer(self, request: Request, call: Call) -> Response:
            return Page("https://a.example/", "T", "x" * 10_000, cost=1.5)

    workspace = Workspace()
    desk = Desk(Router(Long(), workspace, NoShell()), workspace, Budget(), Prices(), count_tokens)
    text = use(desk, "batch_web_surfer", action="batch_open", urls=["https://a.example/"])
    path = f"pages/{cite_key('https://a.example/')}.md"
    assert f"cut at 4096 of 10000 characters; the whole text is the file {path}" in text
    assert len(use(desk, "file", action="read", path=path, limit=20_000)) == 10_000
    whole = Desk(Router(Long(), workspace, NoShell()), workspace, Budget(), Prices(), count_tokens, summaries=False)
    assert len(use(whole, "batch_web_surfer", action="batch_open", urls=["https://a.example/"])) > 10_000


def test_of_more_queries_than_hits_the_first_have_one(desk: Desk) -> None:
    found = json.loads(
        use(desk, "batch_web_surfer", action="batch_search", queries=["lighthouse", "ferry", "keeper"], topk=2)
    )
    assert [len(block["results"]) for block in found] == [1, 1, 0]
    found = json.loads(
        use(desk, "batch_web_surfer", action="batch_search", queries=["zyzzyva", "quokka", "ferry"], topk=2)
    )
    assert [len(block["results"]) for block in found] == [0, 0, 2]


def test_the_whole_list_of_links_is_that_of_the_capture_asked_for() -> None:
    class Dated:
        def answer(self, request: Request, call: Call) -> Response:
            assert isinstance(request, Links)
            address, date = dated(request.url)
            return LinkList(address, tuple(Link(f"https://b.example/{request.at or date}/{i}") for i in range(200)))

    workspace = Workspace()
    desk = Desk(Router(Dated(), workspace, NoShell()), workspace, Budget(), Prices(), count_tokens)
    url = "https://a.example/"
    for at, name in ((None, ""), ("2019-03-01T10:00:00Z", "-2019-03-01T100000Z")):
        path = f"links/{cite_key(url)}{name}.txt"
        assert f"the whole text is the file {path}" in use(desk, "links", url=url, at=at)
        assert f"/{at}/199" in use(desk, "file", action="read", path=path, limit=100_000)
    use(desk, "links", url=f"/web/2020/{url}")
    use(desk, "links", url=url)
    assert "/2020/199" in use(desk, "file", action="read", path=f"links/{cite_key(url)}-2020.txt", limit=100_000)
    unread = Desk(Router(Dated(), workspace, NoShell()), workspace, Budget(), Prices(), count_tokens, readable=False)
    assert use(unread, "links", url=url).endswith(" characters]")


def test_the_cache_keeps_no_failure_and_counts_what_it_saves(vale: Snapshot) -> None:
    class Flaky:
        asked = 0

        def answer(self, request: Request, call: Call) -> Response:
            self.asked += 1
            return vale.answer(request, call) if self.asked > 1 else Failure("timeout", 0, "no answer")

    world = Flaky()
    cached = Cached(world)
    assert isinstance(cached.answer(Search("ferry", 5), Call()), Failure)
    first = cached.answer(Search("ferry", 5), Call())
    assert isinstance(first, Hits)
    fewer = cached.answer(Search(" FERRY", 2), Call())
    assert isinstance(fewer, Hits)
    assert fewer.hits == first.hits[:2]
    assert (fewer.cost, cached.saved_calls, cached.saved_seconds, world.asked) == (0.0, 1, 1.0, 2)
    cached.answer(Search("ferry", 50), Call())
    assert world.asked == 3


def test_the_plan_is_kept_and_checked(desk: Desk) -> None:
    assert "empty" in use(desk, "todo")
    use(desk, "todo", updates={"a": {"task": "read", "priority": "high"}, "b": {"task": "write"}})
    assert '"status": "completed"' in use(desk, "todo", updates={"a": {"status": "completed"}, "b": None})
    assert list(desk.todo) == ["a"]
    for updates, why in (
        ({"c": {"status": "pending"}}, "needs a task"), ({"a": {"status": "done"}}, "status must be one of"),
        ({"a": {"owner": "me"}}, "unknown field"), ({"a": 3}, "must be a mapping"), ({"": {"task": "x"}}, "the id"),
        ({"a": {"tags": "x"}}, "list"), ({"a": {"task": "x" * 5000}}, "at most"),
        ({str(i): {"task": "x"} for i in range(300)}, "allowed are 200"),
    ):  # fmt: skip
        assert why in use(desk, "todo", updates=updates)
    assert list(desk.todo) == ["a"]


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("find", {"text": "x"}, "either url or path"),
        ("find", {"text": " ", "path": "a"}, "1 to 500"),
        ("find", {"text": "x", "path": "none"}, "404"),
        ("find", {"txt": "x"}, "Did you mean 'text'"),
        ("links", {}, "'url' is missing"),
        ("links", {"url": "https://vale.example/none"}, "404"),
        ("wait", {"seconds": 1e9}, "allowed are 0 to 3600"),
        ("wait", {"seconds": "NaN"}, "allowed"),
        ("wait", {"seconds": True}, "of type number"),
        ("batch_web_surfer", {"action": "batch_serch"}, "Did you mean 'batch_search'"),
        ("batch_web_surfer", {"action": "batch_open"}, "needs urls"),
        ("batch_web_surfer", {"action": "batch_open", "urls": ["x"] * 9 + [str(i) for i in range(30)]}, "at most 20"),
        ("batch_web_surfer", {"action": "batch_open", "urls": [3]}, "a list of strings"),
        ("batch_web_surfer", {"action": "batch_search", "queries": ["x"], "topk": 999}, "allowed are 1 to 200"),
        ("file", {"action": "write", "path": "../x", "content": "y"}, "not allowed"),
    ],
)
def test_wrong_arguments_are_told(desk: Desk, name: str, arguments: dict[str, Any], why: str) -> None:
    assert why in use(desk, name, **arguments)


def test_citations_resolve_to_pages_that_were_delivered(desk: Desk) -> None:
    url = "https://vale.example/ferry.html"
    desk.ask(Open(url))
    report = (
        f"A \\cite{{{cite_key(url)}}}, [b](http://vale.example/ferry.html#x), [c](https://vale.example/index.html)."
    )
    assert [citation.url for citation in citations(report, desk.pages)] == [url, url, None]
    assert citations("[" * 50_000 + "](", desk.pages) == []


def test_budgets() -> None:
    assert Budget(calls=2).exceeded(Spending(calls=2)) is None
    assert Budget(calls=2).exceeded(Spending(calls=3)) == "calls: spent 3 of 2"
    assert Budget.of({"seconds": 1.5, "money": None}).left(Spending(seconds=2.0))["seconds"] == 0
    with pytest.raises(UsageError, match="finite"):
        Budget.of({"seconds": float("nan")})


def test_every_schema_is_an_openai_function() -> None:
    for name, offer in profile("research").items():
        schema = offer.schema
        assert schema["function"]["name"] == name
        assert schema["function"]["description"]
        assert schema["function"]["parameters"]["type"] == "object"


def test_nothing_here_touches_the_disk(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    use(desk, "file", action="write", path="x.md", content="x")
    assert list(tmp_path.iterdir()) == []
