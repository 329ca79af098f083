import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs import codec, records
from murk.envs.records import (
    Asked,
    Call,
    Completed,
    Failure,
    FaultEvent,
    FileOp,
    Hit,
    Hits,
    Link,
    LinkList,
    Links,
    Open,
    Page,
    Run,
    Search,
    Step,
    Text,
    Trajectory,
)

EXAMPLES = [
    Search("a  B", 5, "library"),
    Open("https://a.example/", "2021"),
    Links("https://a.example/"),
    Hits((Hit("u", "t", "s", "2021-03-01", 12, 1, 3), Hit("v", "t", "s")), 1.0),
    Page("u", "t", "text", "2021", ("2020", "2021"), 1.5),
    LinkList("u", (Link("v", "there", True),), 0.5),
    Failure("timeout", 0, "no answer", 3.0, 30.0),
    Run("ls -l", 5.0, "sub", (("A", "b"),)),
    FileOp("patch", "a.md", "new", "old"),
    Completed(1, "out", "err", (("a.md", "aGk="), ("b.md", None)), ("cut",), 2.0),
    Text("hello", 0.1),
    Call("batch_web_surfer", 3, 1, 2, 40.5),
    Trajectory(
        "t",
        "answered",
        "yes",
        ("u", None),
        {"calls": 1.0},
        {"calls": 5.0},
        "id",
        "naive",
        1,
        2,
        "spam",
        0.4,
        "why?",
        (Step("a", "b", ("seek",), 1, (Asked({"type": "Open"}, Call("x"), "Page", "ab", 1.5),), {"calls": 1.0}),),
        (("u", "ab"),),
        (("key", {"type": "Completed"}),),
        (FaultEvent("spam", "content", 0, "k", "u", 0.1, 0.4),),
    ),
]


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda r: type(r).__name__)
def test_records_survive_json(record: object) -> None:
    assert records.decode(json.loads(json.dumps(codec.encode(record)))) == record


def test_the_key_of_a_search_ignores_case_space_and_k() -> None:
    assert Search("Old  Town", 5).key == Search("old town", 50).key
    assert Search("old town").key != Search("old town", shelf="library").key
    assert Open("u").key != Links("u").key != Open("u", "2021").key


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "Nothing"},
        {"type": "Search"},
        {"type": "Search", "query": 3},
        {"type": "Search", "query": "a", "more": 1},
        {"type": "Hits", "hits": "abc"},
        {"type": "Hits", "hits": [3]},
        {"type": "Hits", "hits": [{"url": "u"}]},
        {"type": "Search", "query": "a", "k": True},
        {"type": ["Search"]},
    ],
)
def test_what_is_no_record_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        records.decode(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_canonical_json_is_stable(value: object) -> None:
    text = codec.canonical_json(value)
    assert codec.canonical_json(json.loads(text)) == text
