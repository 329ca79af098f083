"""Arguments that pass at the first look are those that the second would let pass, and as it would."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs.arguments import Fit, canonical_text, values_of
from murk.envs.tools import check_arguments, profile

SCHEMAS = {name: offer.tool.parameters for name, offer in profile("full").items()}
NAMES = sorted({name for schema in SCHEMAS.values() for name in schema["properties"]})
TEXTS = st.sampled_from(["batch_search", "read", "web", "wbe", "é", "\ud800", "", "3", '["a"]', "plain words"])
NUMBERS = st.integers(-2, 205) | st.booleans() | st.sampled_from([3.0, 0.5, 1 << 40, 1e300])
VALUES = TEXTS | NUMBERS | st.none() | st.lists(TEXTS | st.integers(), max_size=2) | st.just({"b": 1, "a": {}})


@given(st.sampled_from(sorted(SCHEMAS)), st.dictionaries(st.sampled_from([*NAMES, "other", "\ud800"]), VALUES))
def test_what_fits_is_what_checking_gives(tool: str, arguments: dict[str, Any]) -> None:
    known = {name: value for name, value in arguments.items() if name in SCHEMAS[tool]["properties"]}
    for some in (arguments, known):
        fitted = Fit(SCHEMAS[tool]).fitted(some)
        checked, problem = check_arguments(values_of(canonical_text(some)), SCHEMAS[tool])
        if fitted is not None:
            assert problem is None
            assert repr(fitted) == repr(checked)  # in this order, too


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("batch_web_surfer", {"topk": 10, "queries": ["ferry"], "action": "batch_search"}),
        ("file", {"path": "a.md", "action": "read", "offset": 0}),
        ("links", {"url": "https://vale.example/"}),
        ("budget", {}),
    ],
)
def test_usual_arguments_fit_at_once(tool: str, arguments: dict[str, Any]) -> None:
    assert (Fit(SCHEMAS[tool]).fitted(arguments), None) == check_arguments(arguments, SCHEMAS[tool])


@pytest.mark.parametrize("rule", [{"type": ["string", "null"]}, {}, {"type": "integer", "minimum": 0.5, "maximum": 2}])
def test_rules_that_are_not_understood_are_left_to_checking(rule: dict[str, Any]) -> None:
    fit = Fit({"properties": {"a": rule, "b": {"type": "string"}}}).fitted
    assert fit({"a": 1}) is None
    assert fit({"b": "x"}) == {"b": "x"}
