"""Every page that is written: fits a phone and a screen, light and dark, whatever the names; no markup in pictures."""

import base64
import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ser_tune import api
from ser_tune.coordination.status import RunningTrial
from ser_tune.project import Project

pytestmark = pytest.mark.slow

NAME = "ser-manifest-alex_net"
PAGES = ("report", "comparison", "check", "audit", "live")
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
        (0, "status", "searched", "--html", found["live"]),
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
    if name == "audit":  # its sentences are read without scrolling
        assert page.evaluate(
            "[...document.querySelectorAll('.wide')].every(wide => wide.scrollWidth <= wide.clientWidth)"
        )
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


def test_a_live_page_is_loaded_again_in_its_place_and_tells_when_nobody_writes_it(
    searched: Path, visit: Callable[..., Any], tmp_path: Path
) -> None:
    urls = (f"sqlite:///{searched}/mlruns/mlflow.db", f"sqlite:///{searched}/studies/optuna.db")
    project = Project(searched, *urls, cache=searched / ".cache")
    (status,) = api.status("searched", project=project)
    running = RunningTrial(number=11, fold=2, folds=4, process="here:1", heartbeat_age_s=1.0, alive=True)
    file = tmp_path / "live.html"

    def write(complete: int) -> None:
        state = replace(status, complete=complete, pruned=0, running=[running])
        file.write_text(api.live_page([state], refresh_s=1, project=project), encoding="utf-8")

    write(10)
    page = visit(file.as_uri()).page
    page.get_by_text("10 of 12").wait_for()
    page.locator("svg circle").nth(10).wait_for()
    page.evaluate("window.scrollTo(0, 200)")
    write(11)
    page.get_by_text("11 of 12").wait_for(timeout=20_000)
    page.wait_for_function("window.scrollY === 200", timeout=20_000)
    assert page.locator("#late").is_hidden()
    written = page.locator("time").get_attribute("datetime")
    file.write_text(file.read_text(encoding="utf-8").replace(written, "2026-01-01T00:00:00+00:00"), encoding="utf-8")
    page.get_by_text("Nobody has written this page since").wait_for(timeout=20_000)
    # A page that is not written again is not loaded again
    assert "refresh" not in api.live_page([status], project=project).partition("<style>")[0]


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
