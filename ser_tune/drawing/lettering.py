"""Names of data in pictures: in a font that has their letters, else as a number with a legend."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

__all__ = ["PLAIN", "Lettering", "lettering_for", "shortened"]

FONT = "DejaVu Sans"
"""Matplotlib's own: every installation draws the same picture of names that it has."""
NO_LETTERS = re.compile(r"last ?resort|blank|tofu|notdef|fallback", re.IGNORECASE)
"""Fonts that have a box, or nothing, for every character."""
JOINERS = "\u200c\u200d"
"""Invisible characters of Persian, Indic scripts and emoji; no font need have them."""


@dataclass(frozen=True, slots=True)
class Lettering:
    """The fonts and numbers by which names are drawn in a picture."""

    families: tuple[str, ...] = (FONT,)
    """Fonts, the preferred first."""
    numbers: Mapping[str, str] = field(default_factory=dict)
    """The text that is drawn for each name that no font has."""

    def __call__(self, name: str, most: int | None = None) -> str:
        """The text that is drawn for a name: itself, of at most so many characters, or its number."""
        if name in self.numbers:
            return self.numbers[name]
        return _visible(name) if most is None else shortened(_visible(name), most)

    @property
    def legend(self) -> list[str]:
        """Every number with its name."""
        return [f"{number} = {_visible(name)}" for name, number in self.numbers.items()]


PLAIN = Lettering()
"""For pictures without names from data."""


def lettering_for(names: Iterable[str]) -> Lettering:
    """Find fonts for the names of a picture.

    Matplotlib 3.11 shapes Arabic and Indic scripts and draws from right to left (libraqm): they need a font, and no
    legend. Emoji in colour cannot be drawn: they are numbers where no font has them as outlines.

    Args:
        names: All names from data in the picture: labels, speakers, studies, files.
    """
    names = list(dict.fromkeys(names))
    if all(name.isascii() for name in names):
        return PLAIN
    missing = frozenset("".join(map(_visible, names))) - _own_characters() - frozenset(JOINERS)
    if not missing:
        return PLAIN
    families, found = _fonts_for(missing)
    without = [name for name in names if not (missing - found).isdisjoint(_visible(name))]
    free = (form for number in range(1, 2 * len(names) + 1) if (form := f"[{number}]") not in names)
    return Lettering((FONT, *families), dict(zip(without, free, strict=False)))


def shortened(name: str, length: int) -> str:
    """A name of at most so many characters, as pictures have room for.

    >>> shortened("happiness", 5), shortened("joy", 5)
    ('happ…', 'joy')
    """
    return name if len(name) <= length else f"{name[: length - 1]}…"


def _visible(name: str) -> str:
    r"""A name with its control characters escaped: no font has them, and some turn the text around them.

    >>> print(_visible("a\tb"))
    a\tb
    """
    unseen = {letter for letter in name if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    return "".join(ascii(letter)[1:-1] if letter in unseen - set(JOINERS) else letter for letter in name)


@lru_cache(maxsize=1)
def _own_characters() -> frozenset[str]:
    """Every character of Matplotlib's own font."""
    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    return frozenset(map(chr, FT2Font(str(Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf"))).get_charmap()))


@lru_cache(maxsize=64)
def _fonts_for(missing: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Families of installed fonts that have characters, as few as possible, and the characters that they have.

    The folders are searched anew: Matplotlib's list is of the day on which it was installed.
    """
    from matplotlib.font_manager import findSystemFonts

    candidates = [found for path in sorted(findSystemFonts()) if (found := _candidate(path, missing)) is not None]
    families: list[str] = []
    covered: frozenset[str] = frozenset()
    while candidates and covered != missing:
        best = max(candidates, key=lambda font: (len(font.characters - covered), font.rank))
        if best.characters <= covered:
            break
        candidates.remove(best)
        usable = best.registered(missing)
        if not usable <= covered:
            families.append(best.family)
            covered |= usable
    return tuple(families), covered


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An installed font that has some of the characters."""

    path: str
    family: str
    characters: frozenset[str]
    rank: int
    """The highest of fonts with the same characters is taken: upright, regular, without serifs."""

    def registered(self, missing: frozenset[str]) -> frozenset[str]:
        """Those of the characters that Matplotlib has under the family's name, which may be another file's."""
        from matplotlib.font_manager import FontProperties, fontManager
        from matplotlib.ft2font import FT2Font

        if self.family not in fontManager.get_font_names():
            fontManager.addfont(self.path)
        try:
            found = fontManager.findfont(FontProperties(family=[self.family]), fallback_to_default=False)
            font = FT2Font(found)
        except (ValueError, OSError, RuntimeError):
            return frozenset()
        return _characters_of(font, missing) if _has_outlines(font) else frozenset()


def _candidate(path: str, missing: frozenset[str]) -> _Candidate | None:
    """A font file as far as it has the characters; None where it cannot be used."""
    from matplotlib.ft2font import FT2Font, StyleFlags

    try:
        font = FT2Font(path)
    except (OSError, RuntimeError, ValueError):  # bitmaps alone, damaged, or no font
        return None
    characters = _characters_of(font, missing)
    if not characters or not _has_outlines(font) or NO_LETTERS.search(font.family_name):
        return None
    style = f"{font.family_name} {font.style_name}".casefold()
    is_regular = not font.style_flags & (StyleFlags.BOLD | StyleFlags.ITALIC)
    rank = 2 * is_regular + any(word in style for word in ("sans", "gothic")) - ("mono" in style)
    return _Candidate(path, font.family_name, characters, rank)


def _characters_of(font: "FT2Font", missing: frozenset[str]) -> frozenset[str]:
    """Those of the characters that a font has."""
    return frozenset(character for character in missing if font.get_char_index(ord(character)))


def _has_outlines(font: "FT2Font") -> bool:
    """Whether a font's letters are outlines of one colour: others cannot be drawn."""
    from matplotlib.ft2font import FaceFlags

    flags = font.face_flags
    return bool(flags & FaceFlags.SCALABLE) and not flags & FaceFlags.COLOR
