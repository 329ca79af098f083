"""Files of an episode: whole texts that are promised, edits that stay, patches that touch nothing else."""

import time
from typing import Any

import pytest

from murk.envs.desk import Desk
from murk.envs.patch import PatchRefused, apply_patch
from murk.envs.records import Call, Failure, FileOp, Response, Text
from murk.envs.tools import profile
from murk.envs.workspace import MAX_DEPTH, Workspace, path_problem


def told(answer: Response) -> str:
    return answer.text if isinstance(answer, Text) else answer.message  # type: ignore[union-attr]


def do(workspace: Workspace, action: str, path: str, content: str = "", anchor: str = "") -> str:
    return told(workspace.answer(FileOp(action, path, content, anchor, limit=1 << 20), Call()))


def test_the_promised_file_holds_what_was_laid_aside_last() -> None:
    workspace = Workspace()
    assert workspace.lay_aside("pages/a.md", lambda: "first", 20) == "pages/a.md"
    assert workspace.lay_aside("pages/a.md", lambda: "second", 24) == "pages/a.md"
    assert do(workspace, "read", "pages/a.md") == "second"
    assert workspace.lay_aside("pages/a.md", lambda: "third", 20) == "pages/a.md"
    assert do(workspace, "read", "pages/a.md") == "third"


@pytest.mark.parametrize("edit", ["write", "append", "patch", "command"])
def test_an_edit_of_the_agent_is_never_overwritten(edit: str) -> None:
    workspace = Workspace()
    workspace.lay_aside("pages/a.md", lambda: "first", 20)
    if edit == "command":
        assert workspace.change("pages/a.md", b"edited") is None
    else:
        do(workspace, edit, "pages/a.md", "edited", "first")
    before = do(workspace, "read", "pages/a.md")
    assert workspace.lay_aside("pages/a.md", lambda: "again", 20) == "pages/a-2.md"
    assert (do(workspace, "read", "pages/a.md"), do(workspace, "read", "pages/a-2.md")) == (before, "again")


def test_no_file_is_promised_that_is_not_kept() -> None:
    workspace = Workspace(total_bytes=100, max_files=2)
    assert workspace.lay_aside("a", lambda: "x" * 60, 60) == "a"
    assert workspace.lay_aside("b", lambda: "y" * 60, 60) is None
    assert workspace.lay_aside("b", lambda: "y" * 40, 40) == "b"
    assert workspace.lay_aside("c", lambda: "z", 1) is None
    assert workspace.lay_aside("b", lambda: "z" * 40, 40) == "b"
    assert workspace.files == {"a": b"x" * 60, "b": b"z" * 40}
    full = Workspace()
    do(full, "write", "pages", "a file")
    assert full.lay_aside("pages/a.md", lambda: "x", 4) is None
    do(full, "write", "links/a.txt/b", "x")
    assert full.lay_aside("links/a.txt", lambda: "x", 4) is None


def test_a_text_is_kept_whole_or_not_at_all() -> None:
    workspace = Workspace(file_bytes=10)
    assert workspace.lay_aside("a", lambda: "x" * 11, 44) is None
    assert workspace.lay_aside("a", lambda: "x" * 10, 40) == "a"
    assert workspace.lay_aside("a", lambda: "x" * 11, 44) is None
    assert workspace.files == {"a": b"x" * 10}


@pytest.mark.parametrize("looked", [False, True])
def test_what_is_kept_does_not_depend_on_when_the_workspace_was_used(looked: bool) -> None:
    workspace = Workspace(total_bytes=100)
    assert workspace.lay_aside("a", lambda: "x" * 25, 100) == "a"
    if looked:
        assert workspace.files
    assert workspace.lay_aside("b", lambda: "y" * 25, 100) == "b"
    assert workspace.lay_aside("c", lambda: "z" * 51, 204) is None
    assert workspace.files == {"a": b"x" * 25, "b": b"y" * 25}


def test_nothing_is_both_a_file_and_a_folder() -> None:
    workspace = Workspace()
    assert "wrote" in do(workspace, "write", "a/b", "x")
    assert do(workspace, "write", "a", "x") == "a is a folder, not a file"
    assert do(workspace, "write", "a/b/c", "x") == "no room for a/b/c: a/b is a file and no folder"
    assert workspace.change("a", b"x") == "a folder has this name"
    assert workspace.change("a/b/c/d", b"x") == "a/b is a file and no folder"
    assert workspace.change("a/b", None) is None
    assert workspace.change("a", b"x") is None
    assert workspace.files == {"a": b"x"}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "empty"),
        ("a\nb", "cannot be printed"),
        ("a\xa0b", "cannot be printed"),
        ("x" * 300, "longer than 240"),
        ("../a", "without '..'"),
        ("d/" * (MAX_DEPTH + 1) + "f", f"deeper than {MAX_DEPTH}"),
    ],
)
def test_what_is_wrong_with_a_path_is_told(path: str, why: str) -> None:
    assert why in do(Workspace(), "write", path, "x")
    assert why in str(Workspace().change(path, b"x"))


def test_odd_names_are_no_way_out() -> None:
    for path in ("..a", "...", "a/..b/...", "d/" * MAX_DEPTH + "f"):
        assert path_problem(path) is None
        assert "wrote" in do(Workspace(), "write", path, "x")


def test_many_files_cost_no_more_than_their_number() -> None:
    workspace = Workspace()
    began = time.perf_counter()
    for i in range(2_000):
        assert workspace.change(f"a/b/{i}", b"x") is None
    for i in range(2_000):
        assert workspace.change(f"a/b/{i}", None) is None
        assert workspace.change(f"a/c/{i}", b"x") is None
    assert time.perf_counter() - began < 1
    assert len(workspace.files) == 2_000


def test_what_is_no_text_is_not_patched() -> None:
    workspace = Workspace()
    workspace.change("a", b"abc\xff\xfe\n\x80tail")
    assert "no text in UTF-8" in do(workspace, "patch", "a", "x", "abc")
    assert workspace.files["a"] == b"abc\xff\xfe\n\x80tail"


LINE = "  It was lit in 1874, says the harbour register [1]. It stands.\n"


@pytest.mark.parametrize(
    ("text", "anchor", "content", "after"),
    [
        (LINE, "in 1874 , says the harbour register", "in 1875", "  It was lit in 1875 [1]. It stands.\n"),
        (LINE, "It was lit in 1874, said the harbour registry [1].", "It is.", "  It is. It stands.\n"),
        ("def f():\n    a = 1\n    b = 2\n", "a  = 1", "a = 3", "def f():\n    a = 3\n    b = 2\n"),
        ("def f():\n    a = 1\n", "  a =  1\n", "  a = 3\n  c = 4\n", "def f():\n    a = 3\n    c = 4\n"),
        ("one\ntwo\n  three\nfour\n", "two\nthree", "2\n3", "one\n2\n3\nfour\n"),
        ("a b\nc\n", "b c", "d", "a d\n"),
        (
            "class A:\n    def f(self):\n        return 1\n",
            "def f(self):\n    return 1\n",
            "def f(self):\n    return 2\n",
            "class A:\n    def f(self):\n        return 2\n",
        ),
        (
            "def f():\n    a = 1\n\n    b = 2\n",
            "a = 1\n    b = 2",
            "a = 3\n\n    b = 4",
            "def f():\n    a = 3\n\n    b = 4\n",
        ),
        ("import os.path\n", "import  os", "import sys", "import sys.path\n"),
    ],
)
def test_a_patch_replaces_what_the_anchor_means_and_no_more(text: str, anchor: str, content: str, after: str) -> None:
    assert apply_patch(text, anchor, content)[0] == after


@pytest.mark.parametrize(
    ("text", "anchor", "why"),
    [
        ("aaa\n", "aa", "2 times"),
        (LINE, "was lit in 1874, said the harbour register [1]. It stand", "not clear in its ends"),
        ("a, b\na  , b\n", "a , b", "but for white space the anchor occurs 2 times"),
        ("year: 18905\n", "year: 1890\n", "does not occur|goes on|not clear"),
        ("import os.path\nx = 1\n", "import os\n", "goes on beside it"),
        ("total 1 23 4\n", "12 3", "does not occur"),
        (
            "def foo(a, b, c):\n\n    return compute(a, b, c)\n}\nrest\n",
            "def foo(a, b, c):\n    retrun compute(a, b, c)\n}",
            "not clear in its ends",
        ),
        (
            "The first sentence of it all is here.\nEnd of the line\n",
            "The first sentense of it all is here. End",
            "not clear in its ends",
        ),
        ("The keeper was Ada Merrow of Skerry.\n", "The keeper was Ada Merrow off", "not clear in its ends"),
    ],
)
def test_a_patch_in_doubt_is_refused(text: str, anchor: str, why: str) -> None:
    with pytest.raises(PatchRefused, match=why):
        apply_patch(text, anchor, "new")


@pytest.mark.parametrize(
    ("text", "anchor"),
    [
        ("a\n" * 100_000, "a\n" * 30_000 + "b"),
        ("a " * 400_000, "a" * 5_000),
        (" " * 8_000_000, "a"),
        ("ab\n" * 90_000, "b a"),
        (" " * 400_000 + "a b c d e f g h i j k l m " * 8 + "Q\n", "a b c d e f g h i j k l m " * 8 + "RR and more"),
        ("a b " * 2_000_000, "b  b"),
        (
            "\n".join("".join("ab"[(i * i + j * i) % 11 % 2] for i in range(540)) for j in range(500)),
            "".join("ab"[(i * i + 3 * i) % 13 % 2] for i in range(540)),
        ),
    ],
)
def test_no_patch_takes_long(text: str, anchor: str) -> None:
    began = time.perf_counter()
    with pytest.raises(PatchRefused):
        apply_patch(text, anchor, "new")
    assert time.perf_counter() - began < 1


def test_a_file_is_written_only_with_content() -> None:
    class World:
        def answer(self, request: Any, call: Call) -> Response:
            return Failure("refused", 400, "asked")

    from murk.envs.budget import Budget, Prices, count_tokens

    tool = profile("research")["file"].tool
    desk = Desk(World(), Workspace(), Budget(), Prices(), count_tokens)
    base = {"path": "a", "offset": 0, "limit": 10}
    for action in ("write", "append", "patch"):
        assert "needs content" in tool.run(base | {"action": action}, desk)
        assert "asked" in tool.run(base | {"action": action, "content": ""}, desk)
    assert tool.parameters["properties"]["limit"]["minimum"] == 1
