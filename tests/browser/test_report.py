"""The report in Chromium, opened as a file: every picture drawn, tables sorted, no network, no error."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(searched: Path, call: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report."""
    out = tmp_path_factory.mktemp("report") / "report.html"
    told = call(searched, "report", "searched", "--out", out)
    assert told.code == 0, told.err
    return out.as_uri()


def test_every_picture_is_drawn_without_a_network_or_an_error(report: str, visit: Callable[..., Any]) -> None:
    watched = visit(report)
    widths = watched.page.eval_on_selector_all("img", "pictures => pictures.map(one => one.naturalWidth)")
    assert len(widths) >= 6
    assert all(width > 20 for width in widths)
    assert watched.requests == [report]
    assert watched.errors == []


def test_a_click_on_a_head_sorts_a_table_by_number(report: str, visit: Callable[..., Any]) -> None:
    table = visit(report).page.locator("#trials")
    head = table.locator("th button").first

    def numbers() -> list[int]:
        return [int(text) for text in table.locator("td:first-child").all_inner_texts()]

    assert len(numbers()) == 12
    head.click()
    head.click()
    assert numbers() == list(range(11, -1, -1))
    head.click()
    assert numbers() == list(range(12))


def test_a_recording_plays(report: str, visit: Callable[..., Any]) -> None:
    watched = visit(report)
    assert watched.page.locator("audio").count() >= 1
    seconds = watched.page.evaluate(
        """async () => {
            const audio = document.querySelector("audio");
            audio.muted = true;
            await audio.play();
            await new Promise(resolve => audio.addEventListener("timeupdate", resolve, {once: true}));
            return [audio.readyState, audio.duration, audio.error];
        }"""
    )
    assert seconds[0] >= 2  # HAVE_CURRENT_DATA
    assert 0.3 < seconds[1] < 7.0
    assert seconds[2] is None
    assert watched.errors == []


HOSTILE = "<img src=x onerror=alert(1)>"


def test_hostile_names_of_a_corpus_are_text_wherever_they_are_shown(
    root: Path, call: Callable[..., Any], make_corpus: Callable[..., Path], study_file: Path, visit: Callable[..., Any]
) -> None:
    """The speaker, the emotion and the recording's name would each run a script, or break a table in LaTeX."""
    table = make_corpus(root / "corpus")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        name = f"{number}\"'><svg onload=alert(2)>.wav"
        (table.parent / row["path"]).rename(table.parent / name)
        row["path"] = name
        row["speaker"] = row["speaker"].replace("ada", HOSTILE)
        row["emotion"] = row["emotion"].replace("joy", "[9cm]</script><script>alert(3)</script>")
    with table.open("w", encoding="utf-8", newline="") as file:
        written = csv.DictWriter(file, fieldnames=list(rows[0]))
        written.writeheader()
        written.writerows(rows)
    told = call(root, "train", study_file, "--corpus", "manifest", "--data", table, "--name", "hostile")
    assert told.code == 0, told.err
    told = call(root, "report", "hostile", "--out", root / "a.html", "--latex", root / "a.tex")
    assert told.code == 0, told.err
    watched = visit((root / "a.html").as_uri())
    watched.page.on("dialog", lambda dialog: watched.errors.append(f"dialog {dialog.message}"))
    watched.page.reload()
    assert watched.page.get_by_text(HOSTILE).count() >= 2
    assert watched.page.locator("script").count() == 1
    assert watched.page.locator("img[onerror], svg[onload]").count() == 0
    assert set(watched.requests) == {(root / "a.html").as_uri()}
    assert watched.errors == []
    assert not [line for line in (root / "a.tex").read_text(encoding="utf-8").splitlines() if line.startswith("[")]


def test_trials_are_listed_the_best_first_and_the_honest_number_is_largest(
    report: str, visit: Callable[..., Any]
) -> None:
    page = visit(report).page
    scores = [float(text) for text in page.locator("#trials td:nth-child(3)").all_inner_texts() if text]
    assert scores == sorted(scores, reverse=True)
    sizes = page.eval_on_selector_all(
        ".tile b", "tiles => tiles.map(tile => parseFloat(getComputedStyle(tile).fontSize))"
    )
    assert sizes[0] > max(sizes[1:])
    assert page.locator(".tile").first.inner_text().startswith("Corrected UAR")
