"""Search ranges: every form a study file can write, and what is wrong with those it cannot."""

import json
from dataclasses import asdict

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.config import Choice, FloatRange, IntRange, Range, Value, parse_range
from ser_tune.errors import ConfigError

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{low: 1, high: 4}", IntRange(low=1, high=4)),
        ("{low: 100, high: 300, step: 50}", IntRange(low=100, high=300, step=50)),
        ("{low: 1, high: 64, log: true}", IntRange(low=1, high=64, log=True)),
        ("{low: 0.0, high: 0.5}", FloatRange(low=0.0, high=0.5)),
        ("{low: 0, high: 0.5}", FloatRange(low=0.0, high=0.5)),
        ("{low: 1e-4, high: 1e-2, log: true}", FloatRange(low=1e-4, high=1e-2, log=True)),
        ("{low: 2, high: 2}", IntRange(low=2, high=2)),
        ("[adam, sgd]", Choice(("adam", "sgd"))),
        ("[true, false]", Choice((True, False))),
        ("{choices: [1, 2.5, null]}", Choice((1, 2.5, None))),
    ],
)
def test_a_range_is_read_as_it_is_written(written: str, expected: Range) -> None:
    parsed = parse_range("a.b", yaml.safe_load(written))
    assert parsed == expected
    assert type(parsed) is type(expected)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("3", "is 3; expected a list of choices"),
        ("wide", "is 'wide'; expected a list of choices"),
        ("[]", r"is \[\]; expected a list of choices"),
        ("{choices: few}", "is 'few'; expected a list of choices"),
        ("{low: 1}", "has high None; expected a number"),
        ("{high: 1}", "has low None; expected a number"),
        ("{low: little, high: 1}", "has low 'little'; expected a number"),
        ("{low: true, high: 2}", "has low True; expected a number"),
        ("{low: 2, high: 1}", "has high 1; expected at least low, 2"),
        ("{low: 0, high: 1, log: true}", "has log True with low 0; .* only with low above 0"),
        ("{low: 1, high: 2, log: maybe}", "has log 'maybe' with low 1"),
        ("{low: 1, high: 9, step: 0}", "has step 0; expected a whole number of at least 1"),
        ("{low: 1, high: 9, step: 0.5}", "has step 0.5; expected a whole number"),
        ("{low: 1, high: 9, step: 2, log: true}", "has step 2; expected .*, without log"),
        ("{low: 0.1, high: 0.9, step: 0.1}", "has a step; only a range of whole numbers can have one"),
        ("{low: 1, high: 2, base: 10}", "has unknown key 'base'; expected high, log, low, step"),
    ],
)
def test_a_wrong_range_is_named_with_its_path(written: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^search\.optimizer\.learning_rate {message}"):
        parse_range("optimizer.learning_rate", yaml.safe_load(written))


@pytest.mark.parametrize("span", [FloatRange(0.1, 0.2), IntRange(1, 3), Choice(("a",))])
def test_a_range_that_was_read_stays_as_it_is(span: Range) -> None:
    assert parse_range("a", span) is span


@pytest.mark.parametrize(
    "span",
    [
        FloatRange(0.1, 0.2),
        FloatRange(1.0, 2.0, log=True),
        IntRange(1, 9, step=2),
        IntRange(1, 64, log=True),
        Choice(("a", 1, 1.0, None, True)),
    ],
)
def test_a_range_that_was_stored_is_read_again(span: Range) -> None:
    stored = yaml.safe_load(json.dumps(asdict(span)))
    assert parse_range("a", stored) == span
    assert type(parse_range("a", stored)) is type(span)


def test_corners_are_the_extreme_values() -> None:
    assert FloatRange(0.1, 0.2).corners() == (0.1, 0.2)
    assert IntRange(1, 9, step=2).corners() == (1, 9)
    assert Choice(("a", None, 2)).corners() == ("a", None, 2)


@pytest.mark.parametrize(
    ("span", "inside", "outside"),
    [
        (FloatRange(0.0, 1.0), [0.0, 0.5, 1.0, 1], [-0.1, 1.1, True, "0.5", None]),
        (IntRange(100, 300, step=50), [100, 150, 300], [50, 120, 350, 150.0, True, "100", None]),
        (IntRange(0, 1), [0, 1], [False, True]),
        (Choice((1, "a", None)), [1, "a", None], [True, 1.0, "b"]),
    ],
)
def test_a_range_contains_what_a_search_can_propose(span: Range, inside: list[Value], outside: list[Value]) -> None:
    assert [value for value in inside if not span.contains(value)] == []
    assert [value for value in outside if span.contains(value)] == []


@QUICK
@given(st.integers(-50, 50), st.integers(0, 50), st.integers(1, 9), st.integers(-60, 110))
def test_a_range_of_whole_numbers_contains_its_steps_only(low: int, extent: int, step: int, value: int) -> None:
    span = IntRange(low=low, high=low + extent, step=step)
    assert span.contains(value) == (value in range(low, low + extent + 1, step))


def test_ranges_read_as_text() -> None:
    assert str(FloatRange(1e-4, 1e-2, log=True)) == "0.0001 … 0.01 (log)"
    assert str(IntRange(150, 400, step=50)) == "150 … 400 step 50"
    assert str(IntRange(1, 8, log=True)) == "1 … 8 (log)"
    assert str(Choice((0.25, "a", None))) == "0.25 | a | None"
