"""The report in Chromium, opened as a file: every picture drawn, tables sorted, no network, no error."""

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
