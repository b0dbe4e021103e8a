"""Settings as a user meets them: dotted paths, bounds that can be read, and errors that can be acted on."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, create_model

from ser_tune.config import (
    Flag,
    FloatRange,
    Leaf,
    Role,
    Settings,
    flagged_settings,
    flatten,
    leaves,
    nest,
    paths_with,
    validated,
)
from ser_tune.errors import ConfigError

QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Engine(Settings):
    power_kw: Annotated[float, Field(gt=0, le=500), FloatRange(low=50.0, high=200.0)] = 90.0
    """Power of the engine."""
    gears: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """Gears;
    none means stepless."""
    fuel: Annotated[Literal["petrol", "wood"], Role.IDENTITY] = "petrol"
    """What it burns."""


class LargeEngine(Engine):
    fuel: Literal["wood"] = "wood"  # type: ignore[assignment]
    """Of an engine, other fuels; what the setting is stays."""
    power_kw: Annotated[float, Field(gt=0)] = 900.0


class Car(Settings):
    engine: Annotated[Engine, Role.RESUMABLE] = Engine()
    doors: Annotated[int, Field(ge=0)] | Literal["open"] = 4
    """How one gets in."""
    owners: Annotated[tuple[str, ...], Role.FIXED, Flag("--owner", metavar="NAME")] = ()
    """Everybody who had it."""
    notes: Annotated[str, Field(json_schema_extra={"leaf": False})] = ""
    """Nothing that a user sets."""


def _car(values: Mapping[str, object]) -> Car:
    return validated(Car, values, lambda path: f"car.yaml<{path}>")


def test_leaves_are_listed_in_the_order_of_declaration() -> None:
    found = {leaf.path: leaf for leaf in leaves(Car)}
    assert list(found) == ["engine.power_kw", "engine.gears", "engine.fuel", "doors", "owners"]
    assert found["engine.power_kw"] == Leaf(
        path="engine.power_kw",
        settings=Engine,
        type_name="float",
        number=float,
        optional=False,
        bounds="> 0, ≤ 500",
        default=90.0,
        search=FloatRange(low=50.0, high=200.0),
        option_type=float,
        roles=frozenset({Role.RESUMABLE}),
    )
    assert found["engine.power_kw"].help == "Power of the engine."
    assert [leaf.help for leaf in leaves(LargeEngine)] == [
        "Power of the engine.",
        "Gears; none means stepless.",
        "Of an engine, other fuels; what the setting is stays.",
    ]
    assert found["engine.gears"].help == "Gears; none means stepless."
    assert found["engine.gears"].search is None


def test_a_package_may_give_the_help_of_a_setting_in_its_field_or_none() -> None:
    engine = create_model(
        "Engine", __base__=Settings, gears=(int, Field(5, description="Gears\nin all.")), bolts=(int, 3)
    )
    engine.__module__ = "gone"
    assert {leaf.path: leaf.help for leaf in leaves(engine)} == {"gears": "Gears in all.", "bolts": ""}


def test_types_read_as_a_user_would_say_them() -> None:
    assert {leaf.path: leaf.type_name for leaf in leaves(Car)} == {
        "engine.power_kw": "float",
        "engine.gears": "int or none",
        "engine.fuel": "petrol | wood",
        "doors": "int or open",
        "owners": "list of text",
    }


def test_what_is_a_number_and_what_can_be_absent_is_known() -> None:
    found = {leaf.path: (leaf.number, leaf.optional) for leaf in leaves(Car)}
    assert found["engine.gears"] == (int, True)
    assert found["doors"] == (int, False)
    assert found["engine.fuel"] == found["owners"] == (None, False)


def test_roles_are_those_of_the_setting_its_section_and_the_setting_that_it_replaces() -> None:
    roles = {leaf.path: leaf.roles for leaf in leaves(Car)}
    assert roles["engine.fuel"] == {Role.RESUMABLE, Role.IDENTITY}
    assert roles["engine.gears"] == {Role.RESUMABLE}
    assert roles["owners"] == {Role.FIXED}
    assert roles["doors"] == set()
    assert paths_with(Role.IDENTITY, LargeEngine) == {"fuel"}


def test_options_of_settings_have_the_type_of_their_values_and_a_sentence_that_ends() -> None:
    owners = next(leaf for leaf in leaves(Car) if leaf.flag)
    assert (owners.flag, owners.option_type, owners.several) == (Flag("--owner", metavar="NAME"), str, True)
    flagged = flagged_settings()
    types = {name: leaf.option_type for name, leaf in flagged.items()}
    assert (types["trials"], types["timeout"], types["data"], types["text_independent"]) == (int, float, Path, bool)
    assert (types["max_failures"], types["keep_models"]) == (str, str)  # `none` and `all` are values too
    assert {name for name, leaf in flagged.items() if leaf.several} == {"holdout", "test_corpus", "warm_start"}
    assert [leaf.path for leaf in flagged.values() if not re.fullmatch(r"[A-Z].*[^.]\.", leaf.summary)] == []
    assert all(leaf.flag and leaf.flag.name == name for name, leaf in flagged.items())


def test_bounds_within_a_union_are_shown_and_large_ones_are_exact() -> None:
    bounds = {leaf.path: leaf.bounds for leaf in leaves(Car)}
    assert bounds["engine.gears"] == "≥ 1, < 2147483648"
    assert bounds["doors"] == "≥ 0"


@pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        (
            {"engine": {"power_kw": 501}},
            "engine.power_kw",
            "engine.power_kw is 501; input should be less than or equal",
        ),
        (
            {"engine": {"power_kw": "much"}},
            "engine.power_kw",
            "engine.power_kw is 'much'; input should be a valid number",
        ),
        ({"engine": {"power_kw": float("nan")}}, "engine.power_kw", "engine.power_kw is nan; input should be a finite"),
        ({"engine": {"gears": 2.5}}, "engine.gears", "engine.gears is 2.5; input should be a valid integer"),
        ({"engine": {"gears": 0}}, "engine.gears", "engine.gears is 0; input should be greater than or equal to 1"),
        ({"engine": {"fuel": "coal"}}, "engine.fuel", "engine.fuel is 'coal'; input should be 'petrol' or 'wood'"),
        ({"engine": "steam"}, "engine", "engine is 'steam'; expected settings below it"),
        ({"doors": "shut"}, "doors", r"doors is 'shut'; input should be a valid integer.*, or input should be 'open'"),
        ({"owners": ["Ada", 3]}, "owners", "owners is 3; input should be a valid string"),
        ({"colour": 1}, "colour", "unknown key 'colour'; expected one of: doors, engine, notes, owners"),
        (
            {"engine": {"turbo": 1}},
            "engine.turbo",
            "unknown key 'engine.turbo'; expected one of: fuel, gears, power_kw",
        ),
        ({"engine": {"power_kw": {"a": 1}}}, "engine.power_kw", "engine.power_kw is {'a': 1}; input should be a valid"),
    ],
)
def test_a_wrong_value_is_named_with_its_path_and_source(values: dict[str, object], path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^car\.yaml<{path}>: {message}") as caught:
        _car(values)
    assert "\n" not in str(caught.value)


def test_a_missing_value_is_named() -> None:
    class Needy(Settings):
        engine: Engine
        name: str

    with pytest.raises(ConfigError, match=r"^needy: name is missing$"):
        validated(Needy, {"engine": {}}, lambda _: "needy")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(Car().engine, "power_kw", 1.0)  # noqa: B010 - the type checker knows


def test_a_number_written_as_text_is_a_number() -> None:
    # YAML 1.1 reads 1e2 as text
    assert _car({"engine": {"power_kw": "1e2"}}).engine.power_kw == 100.0


KEYS = st.sampled_from(("a", "b", "long key"))
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just("text"),
    lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@QUICK
@given(st.dictionaries(KEYS, TREES, max_size=4))
def test_flatten_and_nest_are_inverse(nested: dict[str, object]) -> None:
    assert nest(flatten(nested)) == nested
    assert flatten(nest(flatten(nested))) == flatten(nested)


@pytest.mark.parametrize(
    "flat",
    [
        {"optimizer": "adam", "optimizer.learning_rate": 0.1},
        {"optimizer": None, "optimizer.learning_rate": 0.1},
        {"a.optimizer": 3, "a.optimizer.b.c": 0.1},
    ],
)
def test_a_value_where_another_path_needs_a_section_is_refused(flat: dict[str, object]) -> None:
    with pytest.raises(
        ConfigError, match=r"^(a\.)?optimizer is .*; expected a section, because .*optimizer\..* is set"
    ):
        nest(flat)


@pytest.mark.slow
def test_the_settings_load_neither_torch_nor_librosa() -> None:
    code = "import sys, ser_tune.config; print(sorted({'torch', 'librosa', 'mlflow', 'optuna'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
