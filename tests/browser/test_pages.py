"""Every page that is written: fits a phone and a screen, light and dark, whatever the names; no markup in pictures."""

import base64
import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

NAME = "ser-manifest-alex_net"
PAGES = ("report", "comparison", "check", "audit")
FITS = "document.documentElement.scrollWidth <= innerWidth"
BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(23, 28, 38)"}
TESTS = """
scores:
  uar: 0.99
gaps:
  speaker: 0.1
"""


@pytest.fixture(scope="module")
def pages(
    searched: Path, corpus_csv: Path, call: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Every page of a project with a study."""
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in PAGES}
    (folder / "tests.yaml").write_text(TESTS, encoding="utf-8")
    corpus = ("--corpus", "manifest", "--data", corpus_csv, "--tests", folder / "tests.yaml")
    for code, *command in (
        (0, "report", "searched", "--out", found["report"]),
        (0, "compare", "searched:0", "searched:1", "--html", found["comparison"]),
        (1, "check-model", NAME, *corpus, "--out", found["check"]),
    ):
        told = call(searched, *command)
        assert told.code == code, told.err
    with corpus_csv.open(encoding="utf-8", newline="") as file:
        rows = [
            {**row, "fold": 0, "split": "test" if row["speaker"] == "ada" else "train"} for row in csv.DictReader(file)
        ]
    with (folder / "split.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    found["audit"].write_text(call(folder, "audit", folder / "split.csv", "--format", "html").out, encoding="utf-8")
    return found


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_a_phone_and_a_screen_whatever_the_names(
    pages: dict[str, Path], visit: Callable[..., Any], name: str, width: int, scheme: str
) -> None:
    watched = visit(pages[name].as_uri())
    page = watched.page
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate(FITS)
    # The name of a speaker, class, setting or study may be long, and without blanks
    page.evaluate("for (const cell of document.querySelectorAll('td, h1, b')) cell.append('x'.repeat(200))")
    assert page.evaluate(FITS)
    tallest = page.evaluate("Math.max(0, ...[...document.querySelectorAll('.wide tr')].map(row => row.clientHeight))")
    assert tallest < 1000
    shades = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert shades[0] == BACKGROUNDS[scheme]
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == BACKGROUNDS["light"]
    assert watched.errors == []
    assert watched.requests == [pages[name].as_uri()]


@pytest.mark.parametrize("name", PAGES)
def test_pictures_of_a_page_are_drawn_and_have_no_markup_in_their_text(
    pages: dict[str, Path], visit: Callable[..., Any], name: str
) -> None:
    page = visit(pages[name].as_uri()).page
    widths = page.eval_on_selector_all("img", "pictures => pictures.map(picture => picture.naturalWidth)")
    assert all(width > 20 for width in widths)
    sources = page.eval_on_selector_all("img", "pictures => pictures.map(picture => picture.src)")
    drawn = [base64.b64decode(source.partition(",")[2]).decode() for source in sources if "svg" in source[:20]]
    assert bool(drawn) == (name in ("report", "comparison"))
    for picture in drawn:
        texts = re.findall(r"<!-- (.*?) -->", picture) + re.findall(r"<text[^>]*>(.*?)</text>", picture)
        assert texts
        assert not [text for text in texts if re.search(r"\\[a-z]|\$|\{", text)]
