"""Text that can be encoded, and its size."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs.actions import DIALECTS, ToolCall, render_results, render_sized
from murk.envs.utf8 import encodable

TEXTS = st.text(st.characters() | st.sampled_from('<>"\\\n\ud800é–🌍'), max_size=30) | st.sampled_from(
    [
        "</tool_response>",
        "<answer>–",
        "Observation: é",
        "",
        "a < b",
        "<b>",
        "<function=a>",
        "< Invoke name=x>",
        "<tool_calls>",
        "<\\/ Answer>",
        "<\u2003think>",
        "<\x1f/ think>",
    ]
)


@given(TEXTS)
def test_what_is_encodable_has_its_size_and_loses_nothing_else(text: str) -> None:
    clean, size = encodable(text)
    assert size == len(clean.encode())
    assert clean == "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
def test_the_size_of_what_is_rendered_is_known_without_another_look(dialect: str, data: Any) -> None:
    results = data.draw(st.lists(st.tuples(TEXTS, TEXTS, st.booleans()), max_size=3))
    notices = data.draw(st.lists(TEXTS, max_size=2))
    plain = [(ToolCall("find", id=name), encodable(text)[0]) for name, text, _ in results]
    known = [
        (call, text.encode() if encoded else text) for (call, text), (_, _, encoded) in zip(plain, results, strict=True)
    ]
    said = render_sized(known, notices, dialect)
    assert type(said.text) is str
    assert said.text == render_results(plain, notices, dialect)
    assert said.size == len(said.text.encode())
