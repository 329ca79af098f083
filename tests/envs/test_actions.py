import itertools
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.envs.actions import (
    _FORMS,
    DIALECTS,
    MAX_ACTION,
    MAX_CALLS,
    REMINDER,
    ToolCall,
    Turn,
    _read_closely,
    parse,
    read,
    render_results,
    render_turn,
    system_prompt,
)
from murk.envs.codec import canonical_json
from murk.envs.dialects.loose_json import MAX_DEPTH, read_json
from murk.envs.errors import UnknownName

TOOLS = ["batch_web_surfer", "file", "find", "todo"]
TAGGED = {"step": "toolcall", "hermes": "tool_call"}


def call(name: str = "find", id_: str = "call_1", **values: Any) -> ToolCall:
    return ToolCall(name, canonical_json(values), id_)


def written(dialect: str, *bodies: str, before: str = "", after: str = "") -> str:
    """Calls of `find` with arguments as the agent might have written them."""
    if dialect == "react":
        return before + "".join(f"\nAction: find\nAction Input: {body}" for body in bodies) + after
    if dialect == "openai":
        calls = [{"id": "", "type": "function", "function": {"name": "find", "arguments": body}} for body in bodies]
        return json.dumps({"role": "assistant", "content": before + after, "tool_calls": calls})
    tag = TAGGED[dialect]
    calls = [f'<{tag}>{{"name": "find", "arguments": {body}}}</{tag}>' for body in bodies]  # type: ignore[misc]
    return before + "".join(map(str, calls)) + after


BITS = ["<think>", "</think>", "plan", " ", "\n", '"', "\\", "<answer>", "done", "<\\answer>", "</answer>", "{}", "</"]
BODIES = [
    '{"name": "find"}',
    '{"name": "find", "arguments": {"a": "<think>"}}',
    '{"name": "find"',
    '{"name": "f\\"d"}',
    "",
]


@pytest.mark.parametrize(("dialect", "tag"), sorted(TAGGED.items()))
@given(data=st.data())
def test_a_usual_turn_says_what_it_would_beside_something_unusual(dialect: str, tag: str, data: Any) -> None:
    texts = st.lists(st.sampled_from(BITS), max_size=4).map("".join)
    bodies = st.sampled_from(BODIES).map(lambda body: f"<{tag}>{body}</{tag}>")
    text = data.draw(texts) + data.draw(bodies) + data.draw(texts)
    usual, other = parse(text, dialect, TOOLS), parse(text + ".", dialect, TOOLS)
    assert usual.calls == other.calls
    if usual.calls:
        assert usual.problems == other.problems
        assert usual.thought == other.thought.removesuffix(".").strip()


GIVEN = ["1", "-0", "0.5", "1e3", "1e999", str(1 << 64), "9" * 400, "true", "NaN", "null", "'a'", "01", ""]
GIVEN += ['"é"', '"a\\u0041"', '"\ud800"', '"\x01"', '["a", 1]', "[1e3]", "[[]]", '{"b": 2}', "[" * 70 + "]" * 70]
GIVEN += ['"a", "a": "b"', '"</answer>"', '["a", null, true]']
HEADS = ["", " \n", "<think>go on</think>\n", "<think></think>", "<think>a\\b</think>", "<think>x", "text "]


@pytest.mark.parametrize(("dialect", "tag"), sorted(TAGGED.items()))
@pytest.mark.parametrize("name", ['"find"', '"fnd"', '" find"', "3", '["find"]'])
def test_the_quick_reading_of_a_turn_is_the_close_one(dialect: str, tag: str, name: str) -> None:
    form, quick = _FORMS[dialect], 0
    for head, value, tail in itertools.product(HEADS, GIVEN, ["", "\n ", " x", ', "id": "7"']):
        more, after = (tail, "") if "id" in tail else ("", tail)
        text = f'{head}<{tag}>{{"name": {name}, "arguments": {{"a": {value}}}{more}}}</{tag}>{after}'
        quick += form.usual(text, TOOLS) is not None
        one, other = read(text, dialect, TOOLS), _read_closely(text, form, TOOLS)
        assert repr(replace(one, thoughts=[])) == repr(replace(other, thoughts=[]))  # 1 is not 1.0
        assert "".join(one.thoughts).strip() == "".join(other.thoughts).strip()
    assert quick > 20 if name == '"find"' else quick == 0


LIKE_CALLS = [
    '<tool_calls>[{"name": "find", "arguments": {}}]</tool_calls>',
    '<toolcall>{"name": "find", "arguments": {}}</toolcall>',
    '<function_call> {"name": "find"}</function_call>',
    "I search.\n<function=find><parameter=text>a</parameter></function>",
    '<invoke name="find"></invoke>',
    '{"name": "find", "arguments": {"text": "a"}}',
    '```json\n[{"name": "find", "parameters": {}}]\n```',
    '{"type": "function", "function": {"name": "find", "arguments": "{}"}}',
]


@pytest.mark.parametrize("dialect", ["hermes", "openai"])
def test_what_was_meant_as_a_call_does_not_end_the_episode(dialect: str) -> None:
    for text in LIKE_CALLS + ['I search.\n{"role": "assistant", "tool_calls": []}'] * (dialect == "openai"):
        turn = parse(text, dialect, TOOLS)
        assert (turn.answer, turn.calls, len(turn.problems)) == (None, (), 1), text
        assert "looks like a call but is none" in turn.problems[0]
    for text in LIKE_CALLS[:5]:
        quoted = text.replace("<", "<\\")
        assert parse(quoted, dialect, TOOLS).answer is not None
        assert parse(render_turn(Turn(answer=text), dialect), dialect, TOOLS).answer == text
    plain = ['{"year": 1890}', "The tag <toolcall> holds JSON.", '{"name": "Skerry", "built": 1890}', "f<invoke"]
    plain += ['{"function": "sigmoid"}', '[{"name": "France", "function": "capital"}]', 'see <invoke name="x" for it']
    plain += ['The field "tool_calls" holds the calls: those of a message.', '<invoke name="x<y">']
    for text in plain:
        assert parse(text, dialect, TOOLS).answer == text


def test_a_message_without_a_role_is_a_message() -> None:
    assert parse('{"content": "1890"}', "openai", TOOLS).answer == "1890"
    assert parse('{"content": "1890", "title": "x"}', "openai", TOOLS).answer == '{"content": "1890", "title": "x"}'


@pytest.mark.parametrize(("dialect", "tag"), [("step", "<toolcall> nor an <answer>"), ("hermes", "a <tool_call> or")])
def test_a_notice_shows_the_tags_as_they_have_to_be_written(dialect: str, tag: str) -> None:
    assert tag in render_results([], parse("", dialect, TOOLS).problems, dialect)
    named = f'<{TAGGED[dialect]}>{{"name": "<think>"}}</{TAGGED[dialect]}>'
    assert "tool '<\\think>'" in render_results([], parse(named, dialect, TOOLS).problems, dialect)


# What each dialect reads

READ = [
    # step
    (
        "step",
        '<think>plan</think><toolcall>{"name": "find", "arguments": {"b": 1, "a": "é"}}</toolcall>',
        Turn("plan", (ToolCall("find", '{"a":"é","b":1}'),)),
    ),
    ("step", "<think>done</think>\n<answer>\nIt is 1890.\n</answer>", Turn("done", (), "It is 1890.")),
    ("step", "Let me see.\n<answer>yes</answer> bye", Turn("Let me see.\nbye", (), "yes")),
    ("step", "thought opened by the template</think><answer>a", Turn("thought opened by the template", (), "a")),
    ("step", '<toolcall>{"name": "todo"}', Turn("", (call("todo"),))),
    ("step", '<toolcall>{"name": "todo"}</toolc', Turn("", (call("todo"),))),
    (
        "step",
        '<toolcall>{"name": "find", "arguments": {"t": "</toolcall><answer>"}}</toolcall>',
        Turn("", (call(t="</toolcall><answer>"),)),
    ),
    (
        "step",
        "<answer>Close with <\\/answer> or <\\\\/answer>.</answer>",
        Turn("", (), "Close with </answer> or <\\/answer>."),
    ),
    (
        "step",
        "<think>a <toolcall>{}</toolcall> b</think><answer>c</answer>",
        Turn("a <toolcall>{}</toolcall> b", (), "c"),
    ),
    ("step", "a </answer> b<answer>c</answer>", Turn("a </answer> b", (), "c")),
    # hermes
    ("hermes", "<think>done</think>\nIt is 1890.", Turn("done", (), "It is 1890.")),
    ("hermes", "done</think>It is 1890.", Turn("done", (), "It is 1890.")),
    ("hermes", "It is 1890.", Turn("", (), "It is 1890.")),
    (
        "hermes",
        'I look.\n<tool_call>\n{"name": "find", "arguments": {}}\n</tool_call>',
        Turn("I look.", (call(),)),
    ),
    ("hermes", "Models <think> before they act.", Turn("", (), "Models <think> before they act.")),
    ("hermes", "<toolcall>", Turn("", (), "<toolcall>")),
    # openai
    ("openai", "It is 1890.", Turn("", (), "It is 1890.")),
    ("openai", "<think>done</think>It is 1890.", Turn("done", (), "It is 1890.")),
    ("openai", '{"role": "assistant", "content": "It is 1890."}', Turn("", (), "It is 1890.")),
    ("openai", '{"role": "assistant", "content": [{"type": "text", "text": "a"}]}', Turn("", (), "a")),
    ("openai", '{"year": 1890}', Turn("", (), '{"year": 1890}')),
    ("openai", "[1890](https://a.example/) is the year", Turn("", (), "[1890](https://a.example/) is the year")),
    ("openai", "```\n1890\n```", Turn("", (), "```\n1890\n```")),
    (
        "openai",
        '{"role": "assistant", "content": "I look.", "reasoning_content": "plan", "tool_calls": [{"id": "x1", "type": '
        '"function", "function": {"name": "find", "arguments": "{\\"q\\": 1}"}}]}',
        Turn("plan\nI look.", (call("find", "x1", q=1),)),
    ),
    (
        "openai",
        '```json\n{"tool_calls": [{"function": {"name": "find", "arguments": {"q": 1}}}]}\n```',
        Turn("", (call(q=1),)),
    ),
    # react
    ("react", 'Thought: plan\nAction: find\nAction Input: {"q": 1}', Turn("plan", (call(q=1),))),
    ("react", "Thought: done\nFinal Answer: It is 1890.\nAction: buy", Turn("done", (), "It is 1890.\nAction: buy")),
    (
        "react",
        "plan, the prompt gave the label\nAction: todo\nAction Input:",
        Turn("plan, the prompt gave the label", (call("todo"),)),
    ),
    ("react", "Final Answer: a\n\\Action: b\n\\\\Action: c", Turn("", (), "a\nAction: b\n\\Action: c")),
    (
        "react",
        'Action: find\nAction Input: {"q": "a\nObservation: b"}\nThought: and\n  more',
        Turn("and\n  more", (call(q="a\nObservation: b"),)),
    ),
]


@pytest.mark.parametrize(("dialect", "text", "turn"), READ)
def test_reads_a_well_written_turn(dialect: str, text: str, turn: Turn) -> None:
    assert parse(text, dialect, TOOLS) == turn


# What is wrong, and what is said about it

WRONG = [
    ("step", "just text", "neither a <toolcall> nor an <answer>"),
    ("step", "<think>the whole turn <answer>x</answer>", "neither a <toolcall> nor an <answer>"),
    ("step", "<answer>  </answer>", "The answer is empty"),
    ("step", "<answer>a</answer><answer>b</answer>", "2 answers; exactly one"),
    ("step", "<toolcall></toolcall>", "expecting value at character 1, near ''"),
    ("step", '<toolcall>{"name": find}</toolcall>', "expecting value at character 10, near '{\"name\": find}'"),
    ("step", "<toolcall>[1]</toolcall>", "not a JSON object but [1]"),
    (
        "step",
        '<toolcall>{"arguments": {}}</toolcall>',
        "name is null; it must be one of batch_web_surfer, file, find, todo",
    ),
    ("step", '<toolcall>{"name": ["find"]}</toolcall>', 'name is ["find"]'),
    ("step", '<toolcall>{"name": "find", "query": 1}</toolcall>', "unknown key 'query'"),
    (
        "step",
        '<toolcall>{"name": "fin"}</toolcall>',
        "Unknown tool 'fin'. Did you mean 'find'? Known: batch_web_surfer",
    ),
    ("step", '<toolcall>{"name": "find"}<toolcall>{"name": "todo"}</toolcall>', "extra data at character 17"),
    (
        "step",
        '<toolcall>{"name": "find", "arguments": [1]}</toolcall>',
        "arguments of find are [1]; they must be a JSON object",
    ),
    ("step", '<toolcall>{"name": "find", "arguments": "[}"}</toolcall>', "arguments of find are not valid JSON"),
    ("hermes", " ", "The turn is empty"),
    ("hermes", "<think>cut off", "The turn is empty"),
    ("hermes", "An answer? <tool_call>{</tool_call>", "not valid JSON"),
    ("openai", "", "The message is empty"),
    ("openai", '{"role": "assistant", "content": null, "tool_calls": []}', "The message is empty"),
    ("openai", '{"role": "assistant", "tool_calls": [', "The message is not valid JSON"),
    ("openai", '{"role": "tool", "content": "fake"}', "role 'tool'"),
    ("openai", '[{"role": "assistant", "content": "a"}]', "a list of messages"),
    ("openai", '{"role": "assistant", "tool_calls": 7}', "tool_calls is not a list but 7"),
    ("openai", '{"role": "assistant", "tool_calls": [7]}', "no function: 7"),
    ("openai", '{"role": "assistant", "content": 7}', "content is not text but 7"),
    ("openai", '{"role": "assistant", "content": [7]}', "content is not text but [7]"),
    ("react", "just text", "neither an Action: nor a Final Answer:"),
    ("react", "Action: find", "Action: 'find' has no Action Input: after it"),
    ("react", "Action Input: {}", "Action Input: '{}' has no Action: before it"),
    ("react", "Action: find\nAction Input: {} and more", "extra data at character 4"),
    ("react", "Final Answer:", "The answer is empty"),
]


@pytest.mark.parametrize(("dialect", "text", "problem"), WRONG)
def test_says_what_is_wrong(dialect: str, text: str, problem: str) -> None:
    turn = parse(text, dialect, TOOLS)
    assert len(turn.problems) == 1
    assert problem in turn.problems[0]
    assert turn.problems[0].endswith(".")
    assert (turn.calls, turn.answer) == ((), None)


def test_text_of_a_refused_turn_is_kept_as_thought() -> None:
    assert parse("just text", "step", TOOLS).thought == "just text"
    assert parse("just text", "react", TOOLS).thought == "just text"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "body",
    [
        '{"q": [true, null, "it\'s"]}',
        '{"q": [true, null, "it\'s",],}',
        "{'q': [True, None, 'it\\'s']}",
        "{'q': [True, None, \"it's\", ], }",
        '{"q": 1, "q": [true, null, "it\'s"]}',
    ],
)
def test_common_slips_are_mended(dialect: str, body: str) -> None:
    turn = parse(written(dialect, body), dialect, TOOLS)
    assert turn == Turn("", (call(q=[True, None, "it's"]),))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("[" * 100_000, f"nested deeper than {MAX_DEPTH}"),
        ('{"a":' * 900, f"nested deeper than {MAX_DEPTH}"),
        ('{"a": ' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", f"nested deeper than {MAX_DEPTH}"),
        ('{"a": NaN}', "NaN is not a JSON value"),
        ('{"a": -Infinity}', "-Infinity is not a JSON value"),
        ('{"a": 1e999}', "the number '1e999' is too large"),
        ('{"a": ' + "9" * 5_000 + "}", "a number has 5000 digits"),
        ("{'a': 'b}", "expecting property name enclosed in double quotes at character"),
        ('{"a" 1}', "expecting ':' delimiter"),
        ("{a: 1}", "expecting property name"),
    ],
)
def test_json_that_cannot_be_read_is_a_problem(dialect: str, body: str, problem: str) -> None:
    turn = parse(written(dialect, body), dialect, TOOLS)
    assert turn.calls == ()
    assert len(turn.problems) == 1
    assert problem in turn.problems[0]
    assert len(turn.problems[0]) < 400


@pytest.mark.parametrize("dialect", DIALECTS)
def test_lone_surrogates_and_control_characters_become_plain_data(dialect: str) -> None:
    turn = parse(written(dialect, '{"\\ud800": "a\x00\n\\udfff", "\\ud801": 1}'), dialect, TOOLS)
    assert len(turn.calls) == 1
    arguments = turn.calls[0].arguments
    arguments.encode()
    assert arguments == canonical_json(turn.calls[0].values)
    for text in (
        "\ud800",
        "<answer>\ud800</answer>",
        '{"role": "assistant", "content": "\\ud800"}',
        "Final Answer: \ud800",
    ):
        repr(parse(text, dialect, TOOLS)).encode()
        render_results([(call(), text)], [text], dialect).encode()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_calls_keep_their_order_and_have_a_limit(dialect: str) -> None:
    bodies = [f'{{"q": {n}}}' for n in range(MAX_CALLS + 3)]
    turn = parse(written(dialect, *bodies), dialect, TOOLS)
    assert [c.values["q"] for c in turn.calls] == list(range(MAX_CALLS))
    assert [c.id for c in turn.calls] == [f"call_{n}" for n in range(1, MAX_CALLS + 1)]
    assert turn.problems == (f"3 calls beyond the first {MAX_CALLS} of the turn are dropped.",)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_broken_call_does_not_stop_the_others(dialect: str) -> None:
    turn = parse(written(dialect, '{"q": 1}', "{", '{"q": 3}'), dialect, TOOLS)
    assert [turn.calls[0].values, turn.calls[-1].values] == [{"q": 1}, {"q": 3}]
    assert len(turn.problems) == 1


@pytest.mark.parametrize(("dialect", "answer"), [("step", "<answer>a</answer>"), ("react", "\nFinal Answer: a")])
@pytest.mark.parametrize("body", ["{}", "{"])
@pytest.mark.parametrize("first", [True, False])
def test_an_answer_beside_calls_is_set_aside(dialect: str, answer: str, body: str, first: bool) -> None:
    turn = parse(written(dialect, body, before=answer * first, after=answer * (not first)), dialect, TOOLS)
    assert turn.answer is None
    assert turn.problems[-1].startswith("The answer is set aside")
    assert turn.calls == ((call(),) if body == "{}" else ())


@pytest.mark.parametrize("dialect", ["hermes", "openai"])
def test_text_beside_calls_is_thought(dialect: str) -> None:
    turn = parse(written(dialect, "{}", before="I look.", after="Then I read."), dialect, TOOLS)
    assert turn.calls == (call(),)
    assert turn.thought.replace("\n", "") == "I look.Then I read."
    assert turn.problems == ()


def test_what_only_the_environment_writes_is_ignored() -> None:
    fake = "<tool_response>\n1890 <tool_call>{}</tool_call></tool_response>"
    for dialect, text, answer in [
        ("step", f"{fake}<answer>a</answer>{fake}", "a"),
        ("hermes", f"{fake}a{fake}", "a"),
        ("react", "Observation: 1890\nThought: so\nFinal Answer: a", "a"),
    ]:
        turn = parse(text, dialect, TOOLS)
        assert turn.answer == answer
        assert "1890" not in turn.thought
        assert len(turn.problems) == 1
        assert "you wrote yourself is ignored" in turn.problems[0]


def test_ids_are_kept_unless_taken_or_unusable() -> None:
    def ids(*given: object) -> tuple[list[str], tuple[str, ...]]:
        text = "".join(f"<toolcall>{json.dumps({'name': 'find', 'id': i})}</toolcall>" for i in given)
        turn = parse(text, "step", TOOLS)
        return [c.id for c in turn.calls], turn.problems

    assert ids("b", "a") == (["b", "a"], ())
    assert ids(None, 7, "", "x" * 129) == (["call_1", "call_2", "call_3", "call_4"], ())
    assert ids(None, "call_1") == (["call_2", "call_1"], ())
    assert ids("a", "a") == (["a", "call_2"], ("Two calls have the id 'a'; the later one is now 'call_2'.",))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_oversized_text_is_not_read(dialect: str) -> None:
    turn = parse("x" * (MAX_ACTION + 1), dialect, TOOLS)
    assert turn == Turn(
        problems=(f"The turn has {MAX_ACTION + 1} characters and was not read; at most {MAX_ACTION} are.",)
    )
    assert parse("x" * MAX_ACTION, dialect, TOOLS).problems != turn.problems


def test_an_unknown_dialect_is_an_error_of_construction() -> None:
    uses: list[Callable[[str], Any]] = [
        lambda d: parse("", d, TOOLS),
        lambda d: render_turn(Turn(), d),
        lambda d: render_results([], [], d),
        lambda d: system_prompt([], d),
    ]
    for use in uses:
        with pytest.raises(UnknownName, match=r"unknown dialect 'reakt'\. Did you mean 'react'"):
            use("reakt")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_system_prompt_explains_and_lists(dialect: str) -> None:
    prompt = system_prompt([{"name": "find", "parameters": {"type": "object"}}, {"name": "todo"}], dialect)
    assert prompt.startswith(REMINDER[dialect])
    assert prompt.splitlines()[-2:] == ['{"name": "find", "parameters": {"type": "object"}}', '{"name": "todo"}']
    assert set(REMINDER) == set(DIALECTS)
    assert str(MAX_CALLS) in REMINDER[dialect]


def test_results_are_readable() -> None:
    results = [(call(), "one"), (call("find", "x"), "two </tool_response>\nObservation: three")]
    assert render_results(results, ["7 calls left"], "step") == (
        "<tool_response>\none\n</tool_response>\n"
        "<tool_response>\ntwo <\\/tool_response>\nObservation: three\n</tool_response>\nNotice: 7 calls left"
    )
    assert render_results(results, [], "hermes") == render_results(results, [], "step")
    assert render_results(results, ["7 calls left"], "react") == (
        "Observation: one\nObservation: two </tool_response>\n\\Observation: three\nNotice: 7 calls left"
    )
    assert json.loads(render_results(results, ["7 calls left", "be brief"], "openai")) == [
        {"role": "tool", "tool_call_id": "call_1", "content": "one"},
        {"role": "tool", "tool_call_id": "x", "content": results[1][1]},
        {"role": "user", "content": "Notice: 7 calls left\nNotice: be brief"},
    ]


def test_read_json_keeps_what_is_right() -> None:
    assert read_json('{"a": "True, \'x\',}"}') == {"a": "True, 'x',}"}
    assert read_json("{'a': 'say \"hi\" \\n'}") == {"a": 'say "hi" \n'}


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("step", '<toolcall>```json\n{"name": "find"}\n```</toolcall>'),
        ("hermes", '<tool_call>\n```\n{"name": "find"}\n```\n</tool_call>'),
        ("react", "Action: find\nAction Input: ```json\n{}\n```"),
        ("openai", '```json\n{"tool_calls": [{"function": {"name": "find"}}]}\n```'),
        ("openai", '{"tool_calls": [{"function": {"name": "find", "arguments": "```{}```"}}]}'),
    ],
)
def test_code_fences_around_json_are_taken_off(dialect: str, text: str) -> None:
    assert parse(text, dialect, TOOLS) == Turn("", (call(),))


# Properties

PIECES = [
    *("<think>", "</think>", "<toolcall>", "</toolcall>", "<tool_call>", "</tool_call>", "<answer>", "</answer>"),
    *("<tool_response>", "</tool_response>", "</TOOL_RESPONSE >", "<\\/answer>", "<\\\\think>", "<", "\\", "```"),
    *("Thought:", "Action:", "Action Input:", "Final Answer:", "Observation:", "observation :", "\\Action:", "Notice:"),
    *("\n", "\r", "\u2028", "\x85", " ", "\t", "\u200b", '{"a": 1}', '"', "'", "{", "}", "[", ",", "a", "é", "\x00"),
]
TEXT = st.lists(
    st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=12
).map("".join)
PLAIN = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def turns(draw: st.DrawFn, dialect: str) -> Turn:
    thought = draw(TEXT.map(str.strip))
    if draw(st.booleans()):
        return Turn(thought, (), draw(TEXT.map(str.strip).filter(bool)))
    count = draw(st.integers(1, 4))
    ids = [f"call_{n}" for n in range(1, count + 1)]
    if dialect != "react":
        some = st.sampled_from(["call_1", "call_2", "call_9"]) | PLAIN.filter(bool)
        ids = draw(st.just(ids) | st.lists(some, min_size=count, max_size=count, unique=True))
    objects = st.dictionaries(TEXT, VALUES, max_size=3).map(canonical_json)
    return Turn(thought, tuple(ToolCall(draw(st.sampled_from(TOOLS)), draw(objects), id_) for id_ in ids))


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_what_is_rendered_is_parsed_back(dialect: str, data: st.DataObject) -> None:
    turn = data.draw(turns(dialect))
    assert parse(render_turn(turn, dialect), dialect, TOOLS) == turn


def frames(text: str, dialect: str) -> list[str]:
    """The results within rendered text, found as leniently as a model might."""
    if dialect == "openai":
        return [m["content"] for m in json.loads(text) if m["role"] == "tool"]
    if dialect == "react":
        lines = re.split(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text)
        return [line for line in lines if re.match(r"[\s\u200b\ufeff]*observation\s*:", line, re.IGNORECASE)]
    opened = re.findall(r"<\s*tool_response\s*>", text, re.IGNORECASE)
    assert len(opened) == len(re.findall(r"<\s*/\s*tool_response\s*>", text, re.IGNORECASE))
    return opened


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=300, deadline=None)
@given(texts=st.lists(TEXT, max_size=4), notices=st.lists(TEXT, max_size=2))
def test_no_result_leaves_its_frame(dialect: str, texts: list[str], notices: list[str]) -> None:
    rendered = render_results([(call(), text) for text in texts], notices, dialect)
    assert len(frames(rendered, dialect)) == len(texts)


# Hostile text

HOSTILE = [
    *("<think>", "</think>", "<toolcall>", "<toolcall>{", "<tool_call>{\n</tool_call>", '<tool_call>{"a</tool_call>'),
    *('"\\"', "\\", '"', "'", "'\\'", "[", "{", '{"a":', "<", " ", "\n", "\u2028", "\nAction:", "\nAction Input: {"),
    *(
        '\nAction: a\nAction Input: {"',
        "\nFinal Answer:",
        "\nObservation:",
        "<\\",
        "</ ",
        "<answer></answer>",
        ", ",
        "1",
    ),
    *("\ud800", "<toolcall>{}</toolcall>", "{},", "<tool_response>", "\nAction:a\nAction Input:{}", "\n\\Action:", "é"),
]
OPENINGS = [
    *(
        "",
        "<toolcall>",
        "<tool_call>",
        "<think>",
        '{"role":"assistant","tool_calls":[',
        "{'role':'assistant','content':",
    ),
    *("Action: find\nAction Input: ", '<toolcall>{"name":"find","arguments":{"a":', "Final Answer: ", "```json\n"),
]


def timed(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


@pytest.mark.parametrize("dialect", DIALECTS)
def test_repetition_takes_linear_time(dialect: str) -> None:
    for piece in HOSTILE:
        for opening in OPENINGS:
            text = (opening + piece * (MAX_ACTION // len(piece)))[:MAX_ACTION]
            assert timed(lambda text=text: parse(text, dialect, TOOLS)) < 0.5, (opening, piece)  # type: ignore[misc]
        text = piece * (MAX_ACTION // len(piece))
        assert timed(lambda text=text: render_results([(call(), text)], [text], dialect)) < 0.5, piece  # type: ignore[misc]


VALID = [text for _, text, _ in READ] + [text for _, text, _ in WRONG]


def mutate(random: Random) -> str:
    text = random.choice(VALID)
    for _ in range(random.randrange(1, 6)):
        i, j = sorted(random.randrange(len(text) + 1) for _ in range(2))
        piece = random.choice([*PIECES, *HOSTILE, chr(random.randrange(0x110000)), random.choice(VALID)])
        kind = random.randrange(5)
        if kind == 0:
            text = text[:i] + text[j:]
        elif kind == 1:
            text = text[:i] + piece + text[i:]
        elif kind == 2:
            text = text[:i] + piece + text[j:]
        elif kind == 3:
            text = text[:j] + text[i:j] * random.randrange(1, 50) + text[j:]
        else:
            text = text[:i] + "".join(chr(random.randrange(0x110000)) for _ in range(random.randrange(30))) + text[i:]
    return text[: MAX_ACTION // 4]  # what is rendered again, with its quotes, must not be too long


def fuzz(seed: int, count: int) -> None:
    random = Random(seed)
    for _ in range(count):
        text = mutate(random)
        for dialect in DIALECTS:
            start = time.process_time()
            turn = parse(text, dialect, TOOLS)
            assert time.process_time() - start < 0.5, text
            assert turn == parse(text, dialect, TOOLS)
            assert not (turn.calls and turn.answer is not None)
            assert turn.calls or turn.answer or turn.problems
            assert len(turn.calls) <= MAX_CALLS
            assert len({c.id for c in turn.calls}) == len(turn.calls)
            assert all(c.name in TOOLS and c.arguments == canonical_json(c.values) for c in turn.calls)
            "".join(
                [turn.thought, turn.answer or "", *turn.problems, *(c.arguments + c.id for c in turn.calls)]
            ).encode()
            again = Turn(turn.thought, turn.calls, turn.answer)
            assert parse(render_turn(again, dialect), dialect, TOOLS) == again or turn.problems


def test_no_text_raises() -> None:
    fuzz(1, 2_000)


@pytest.mark.slow
def test_no_text_raises_at_length() -> None:
    fuzz(2, 20_000)
