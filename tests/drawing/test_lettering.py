"""Names in every script are drawn, or numbered, without a warning."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fontTools.colorLib.builder import buildCOLR, buildCPAL
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from ser_tune.drawing import draw, draw_to, legend_beside, lettering, lettering_for

Installed = Callable[..., str]
JAPANESE, ARABIC, EMOJI = "怒り", "غضب", "\U0001fae0"
"""A melting face: DejaVu Sans has older ones."""


@pytest.fixture(autouse=True)
def fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The system's fonts: none but what a test adds."""
    paths: list[str] = []
    known = list(fontManager.ttflist)
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda *_, **__: list(paths))
    lettering._fonts_for.cache_clear()
    yield paths
    fontManager.ttflist[:] = known
    fontManager._findfont_cached.cache_clear()
    lettering._fonts_for.cache_clear()


@pytest.fixture
def installed(fonts: list[str], tmp_path: Path) -> Installed:
    """A font with a square for each of some characters."""

    def install(family: str, characters: str, *, colour: bool = False, style: str = "Regular") -> str:
        pen = TTGlyphPen(None)
        pen.moveTo((100, 0))
        for corner in ((100, 700), (800, 700), (800, 0)):
            pen.lineTo(corner)
        pen.closePath()
        square = pen.glyph()
        names = [".notdef", *(f"u{ord(one):05X}" for one in characters)]
        font = FontBuilder(1000, isTTF=True)
        font.setupGlyphOrder(names)
        font.setupCharacterMap({ord(one): name for one, name in zip(characters, names[1:], strict=True)})
        font.setupGlyf(dict.fromkeys(names, square))
        font.setupHorizontalMetrics(dict.fromkeys(names, (900, 100)))
        font.setupHorizontalHeader(ascent=800, descent=-200)
        font.setupNameTable({"familyName": family, "styleName": style})
        font.setupOS2()
        font.setupPost()
        if colour:
            font.font["COLR"] = buildCOLR({names[1]: [(names[1], 0)]}, version=0)
            font.font["CPAL"] = buildCPAL([[(1.0, 0.0, 0.0, 1.0)]])
        path = str(tmp_path / f"{family}-{style}.ttf")
        font.save(path)
        fonts.append(path)
        return family

    return install


def _draw(names: list[str], folder: Path) -> None:
    """Have names drawn as titles, ticks and legend; warnings are errors."""
    letters = lettering_for(names)

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        lines = [axes.plot([0, 1])[0] for _ in names]
        axes.set_title(letters(names[0]))
        axes.set_xticks(range(len(names)), [letters(name, 9) for name in names])
        legend_beside(axes, lines, [letters(name) for name in names])

    draw("names", "Names.", 2.0, fill, letters=letters, width=4.0)
    draw_to(folder / "names.png", 2.0, fill, letters=letters, width=4.0, dpi=50)


def test_names_that_the_own_font_has_cost_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: pytest.fail("the fonts were searched"))
    letters = lettering_for(["joy", "Ärger", "$x_1$", "_joy", ARABIC, "гнев", "שמחה"])
    assert letters.families == ("DejaVu Sans",)
    assert not letters.numbers


def test_names_are_drawn_in_an_installed_font_that_has_them(installed: Installed, tmp_path: Path) -> None:
    families = {installed("Own Kana", JAPANESE), installed("Own Emoji", EMOJI)}
    letters = lettering_for(["joy", JAPANESE, EMOJI])
    assert set(letters.families[1:]) == families
    assert letters(JAPANESE) == JAPANESE
    assert not letters.legend
    _draw(["joy", JAPANESE, EMOJI, JAPANESE + EMOJI], tmp_path)
    assert not list(tmp_path.glob("*.txt"))


def test_names_that_no_font_has_are_numbers_and_the_legend_is_text(tmp_path: Path) -> None:
    names = [JAPANESE, "joy", EMOJI, "[1]"]
    letters = lettering_for(names)
    assert [letters(name) for name in names] == ["[2]", "joy", "[3]", "[1]"]  # [1] is a name of its own
    _draw(names, tmp_path)
    assert (tmp_path / "names.labels.txt").read_text(encoding="utf-8") == f"[2] = {JAPANESE}\n[3] = {EMOJI}\n"
    picture = draw("names", "Names.", 2.0, lambda figure: None, letters=letters)
    assert picture.caption == f"Names. [2] = {JAPANESE}, [3] = {EMOJI}."


def test_a_font_that_has_part_of_a_name_is_not_enough(installed: Installed) -> None:
    installed("Own Kana", JAPANESE[0])
    assert list(lettering_for([JAPANESE, JAPANESE[0]]).numbers) == [JAPANESE]


def test_fonts_without_letters_of_their_own_are_never_taken(
    installed: Installed, fonts: list[str], tmp_path: Path
) -> None:
    installed("Own Colour", EMOJI, colour=True)
    installed("Last Resort High-Efficiency", EMOJI)
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    fonts += [str(tmp_path / "damaged.ttf"), str(tmp_path / "absent.ttf")]
    assert list(lettering_for([EMOJI]).numbers) == [EMOJI]
    _draw([EMOJI], tmp_path)


def test_of_a_familys_files_the_drawn_one_counts(installed: Installed, tmp_path: Path) -> None:
    installed("Own Kana", JAPANESE, style="Bold")
    _draw([JAPANESE], tmp_path)
    installed("Own Pair", "x", style="Regular")
    installed("Own Pair", EMOJI, style="Bold")
    _draw([EMOJI], tmp_path)


def test_a_name_is_drawn_as_it_is_written(tmp_path: Path) -> None:
    names = ["$x_1$", "_joy", "__", "a_b^c", "\\alpha", "100 %", "a\tb\x00\x1b[1m", "line\nbreak", "$", ""]
    letters = lettering_for(names)
    assert [letters(name) for name in names[:2]] == ["$x_1$", "_joy"]
    assert letters(names[6]) == "a\\tb\\x00\\x1b[1m"
    _draw(names, tmp_path)
    axes = Figure().subplots()
    legend_beside(axes, [axes.plot([0, 1])[0] for _ in names], names)
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == names


@pytest.mark.slow
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(), max_size=4), min_size=1, max_size=4))
def test_no_name_warns(tmp_path: Path, names: list[str]) -> None:
    _draw(names, tmp_path)
    letters = lettering_for(names)
    assert len({letters(name) for name in names if name in letters.numbers}) == len(letters.numbers)
