"""Catalogues: built-in components, and those that installed packages add by entry points."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ser_tune import components
from ser_tune.architectures import ARCHITECTURES
from ser_tune.components import Catalogue, Library
from ser_tune.corpora import CORPORA
from ser_tune.errors import ConfigError, UnknownNameError
from ser_tune.execution import EXECUTORS
from ser_tune.features import FEATURE_SETS
from ser_tune.promotion_rules import PROMOTION_RULES
from ser_tune.search.pruners import PRUNERS
from ser_tune.search.samplers import SAMPLERS
from ser_tune.training import LOSSES

GROUP = "ser_tune.tests"
DEFINITION = "from tests_own import Spice\nTHING = Spice(name='{name}', heat=3)\n"


@dataclass(frozen=True, slots=True)
class Spice:
    name: str
    heat: int


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Make a package known to Python as if pip had installed it: `installed("salt-shop", "salt = shop:THING")`."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "tests_own", sys.modules[__name__])
    for name in ("builtin_spices", "builtin_spices.salt", "shop", "market"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "builtin_spices").mkdir()
    (tmp_path / "builtin_spices" / "__init__.py").touch()
    (tmp_path / "builtin_spices" / "salt.py").write_text(DEFINITION.format(name="salt"), encoding="utf-8")

    def _install(package: str, *points: str, shop: str = DEFINITION.format(name="chili"), module: str = "shop") -> None:
        (tmp_path / f"{module}.py").write_text(shop, encoding="utf-8")
        folder = tmp_path / f"{package.replace('-', '_')}-1.5.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n", encoding="utf-8")
        (folder / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *points]), encoding="utf-8")
        components._installed.cache_clear()

    _install("empty-shop")
    yield _install
    components._installed.cache_clear()


@pytest.fixture
def spices(installed: Callable[..., None]) -> Catalogue[Spice]:
    return Catalogue(
        kind="spice",
        component=Spice,
        package="builtin_spices",
        modules={"salt": "salt"},
        attribute="THING",
        group=GROUP,
    )


def test_built_in_components_need_no_package(spices: Catalogue[Spice]) -> None:
    assert spices.names() == ("salt",)
    assert spices.get("salt") == Spice("salt", 3)
    assert spices.requirement("salt") is None


def test_a_package_adds_a_component(spices: Catalogue[Spice], installed: Callable[..., None]) -> None:
    installed("hot-shop", "chili = shop:THING")
    assert spices.names() == ("chili", "salt")
    assert "shop" not in sys.modules  # to list it is not to import it
    assert spices.get("chili") == Spice("chili", 3)
    assert spices.requirement("chili") == "hot-shop==1.5"
    assert spices.get("salt") == Spice("salt", 3)


def test_an_unknown_name_is_answered_with_all_that_there_are(
    spices: Catalogue[Spice], installed: Callable[..., None]
) -> None:
    installed("hot-shop", "chili = shop:THING")
    with pytest.raises(UnknownNameError, match=r"unknown spice 'dill'; choose from: chili, salt$"):
        spices.get("dill")


def test_a_name_that_is_neither_built_in_nor_a_packages_is_looked_for_in_the_library(
    spices: Catalogue[Spice], installed: Callable[..., None]
) -> None:
    asked: list[str] = []

    def _get(name: str) -> Spice | None:
        asked.append(name)
        return Spice(name, 5) if name == "Curry" else None

    shelf = replace(spices, library=Library(lambda: ["Curry"], _get))
    installed("hot-shop", "chili = shop:THING")
    assert shelf.names() == ("chili", "salt")
    for name in ("salt", "chili"):
        shelf.check(name)
    assert "builtin_spices.salt" not in sys.modules  # to check is not to import
    assert [shelf.get(name).heat for name in ("salt", "chili", "Curry")] == [3, 3, 5]
    assert asked == ["Curry"]
    with pytest.raises(UnknownNameError, match=r"unknown spice 'curri'; choose from: Curry, chili, salt; .* 'Curry'"):
        shelf.check("curri")


def test_a_plug_in_cannot_take_the_name_of_a_built_in_component(
    spices: Catalogue[Spice], installed: Callable[..., None]
) -> None:
    installed("hot-shop", "salt = shop:THING")
    assert spices.names() == ("salt",)
    for ask in (spices.get, spices.requirement):
        with pytest.raises(
            ConfigError, match=r"spice 'salt' is defined by ser-tune and by hot-shop 1\.5; .* group ser_tune\.tests"
        ):
            ask("salt")


def test_two_plug_ins_cannot_have_one_name(spices: Catalogue[Spice], installed: Callable[..., None]) -> None:
    installed("hot-shop", "chili = shop:THING")
    installed("big-market", "chili = market:THING", module="market")
    with pytest.raises(ConfigError, match=r"'chili' is defined by (hot-shop|big-market) 1\.5 and by (?!\1).* 1\.5;"):
        spices.get("chili")
    assert spices.get("salt") == Spice("salt", 3)


@pytest.mark.parametrize(
    ("shop", "reason"),
    [
        ("import no_such_module", r"cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", r"cannot be imported: ZeroDivisionError: division by zero"),
        ("def", r"cannot be imported: SyntaxError: .*"),
        ("OTHER = 1", r"cannot be imported: AttributeError: .*'THING'"),
        ("THING = 'hot'", r"is str; expected an object of the class Spice"),
        ("from tests_own import Spice as THING", r"is the class Spice; expected an object of the class Spice"),
        ("class Spice:\n    name = 'chili'\nTHING = Spice()", r"is Spice, which has no heat; expected an object .*"),
        (DEFINITION.format(name="hot"), r"calls itself 'hot'; expected the entry point's name"),
    ],
    ids=["its imports", "raises", "syntax", "no object", "wrong type", "a class", "wrong fields", "wrong name"],
)
def test_a_broken_plug_in_is_named_when_it_is_asked_for(
    spices: Catalogue[Spice], installed: Callable[..., None], shop: str, reason: str
) -> None:
    installed("hot-shop", "chili = shop:THING", shop=shop)
    assert spices.names() == ("chili", "salt")
    assert spices.get("salt") == Spice("salt", 3)
    where = r"^spice 'chili' of package hot-shop 1\.5 \(entry point shop:THING\) "
    with pytest.raises(ConfigError, match=where + reason + "$"):
        spices.get("chili")


def test_a_component_made_by_another_copy_of_the_program_will_do(
    spices: Catalogue[Spice], installed: Callable[..., None]
) -> None:
    # A registered model runs a copy of ser_tune under another name; plug-ins know only the installed one
    installed("hot-shop", "chili = shop:THING", shop="class Spice:\n    name, heat = 'chili', 9\nTHING = Spice()")
    assert spices.get("chili").heat == 9


@pytest.mark.parametrize(
    ("catalogue", "group"),
    [
        (ARCHITECTURES, "ser_tune.architectures"),
        (CORPORA, "ser_tune.corpora"),
        (FEATURE_SETS, "ser_tune.features"),
        (LOSSES, "ser_tune.losses"),
        (EXECUTORS, "ser_tune.executors"),
        (PROMOTION_RULES, "ser_tune.promotion_rules"),
        (PRUNERS, "ser_tune.pruners"),
        (SAMPLERS, "ser_tune.samplers"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_the_catalogues_take_plug_ins_and_hold_what_they_say(catalogue: Catalogue[object], group: str) -> None:
    assert catalogue.group == group
    for name in catalogue.modules:
        component: Any = catalogue.get(name)
        assert isinstance(component, catalogue.component)
        assert component.name == name
