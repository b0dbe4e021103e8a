"""YAML of strangers: plain values, or one sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.config import read_yaml
from ser_tune.config.study import refuse_unwritable
from ser_tune.errors import ConfigError, brief

REFUSED = {
    "!!timestamp x": "could not determine a constructor",
    "!!timestamp 2026-01-01": "could not determine a constructor",
    "!!binary aGk=": "could not determine a constructor",
    "!!python/object/apply:os.system [x]": "could not determine a constructor",
    "!!int x": "not of the type that its tag names",
    "!!int ''": "not of the type that its tag names",
    "!!float x": "not of the type that its tag names",
    "!!bool x": "not of the type that its tag names",
    "9" * 5000: "a number of 5000 characters; expected at most 300",
    "0x" + "f" * 5000: "a number of 5002 characters",
    "1:" * 2000 + "1": "a number of 4001 characters",
    "[" * 3000: "more than 30 brackets within each other",
    "{a: " * 3000: "more than 30 brackets within each other",
    "[" * 3000 + "]" * 3000: "more than 30 brackets within each other",
    "&a [*a]": "an alias refers to what contains it",
    "&a {x: {y: *a}}": "an alias refers to what contains it",
    "[1, &b [2, *b]]": "an alias refers to what contains it",
    "{[a]: b}": "unhashable key",
    "--- a\n--- b": "expected a single document in the stream",
    "\x00": "special characters are not allowed",
    "[": "expected the node content",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_what_is_no_plain_value_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--set x has no YAML value: ") as refused:
        read_yaml(text, "--set x has no YAML value")
    assert REFUSED[text] in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_aliases_that_multiply_are_refused_before_anything_is_built() -> None:
    layers = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]"]
    layers += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    with pytest.raises(ConfigError, match="more than 100000 values"):
        read_yaml("\n".join(layers), "study file")


def test_plain_values_are_read() -> None:
    text = "a: [1, 2.5, true, null, 'x']\nb: &b {c: 2026-01-01}\nd: {<<: *b, e: 0x10}\n"
    assert read_yaml(text, "") == {
        "a": [1, 2.5, True, None, "x"],
        "b": {"c": "2026-01-01"},
        "d": {"c": "2026-01-01", "e": 16},
    }
    assert read_yaml("", "") is None


@given(st.text(alphabet=st.sampled_from("!&*[]{}:-,?|>'\"#%@`0123456789axe. \n\t~=<\\é😀\x00\x7f")))
def test_any_text_is_read_or_refused_in_a_sentence(text: str) -> None:
    refusal = ""
    try:
        read_yaml(text, "the text")
    except ConfigError as error:
        refusal = str(error)
    assert not refusal or refusal.startswith("the text: ")
    assert "\n" not in refusal


@given(st.text())
def test_a_name_is_refused_where_no_line_can_have_it(name: str) -> None:
    refusal = ""
    try:
        refuse_unwritable("a study's name", name)
    except ValueError as error:
        refusal = str(error)
    assert "\n" not in refusal
    fine = name.strip() and len(name) <= 200 and len(name.splitlines()) == 1 and "\x00" not in name
    assert fine or refusal


@pytest.mark.parametrize("name", ['it\'s "a/b" 😀', "日本語", "a, b; c", "100% [x] {y}", "-x", "..", "'", '"', "\\"])
def test_names_with_signs_are_fine(name: str) -> None:
    refuse_unwritable("a study's name", name)


@given(st.one_of(st.text(), st.integers(), st.lists(st.text())))
def test_values_in_messages_are_short(value: object) -> None:
    assert len(brief(value)) <= 200
