"""The results of a model's tests as one page of HTML that needs no other file and no network."""

from pathlib import Path

from ..pages import page_from
from ..results import ModelCheck

__all__ = ["check_page"]


def check_page(check: ModelCheck) -> str:
    """Write the page; the template escapes every name that comes from data."""
    setup = check.setup
    return page_from(
        Path(__file__).parent / "check_page.html",
        check=check,
        setup=setup,
        corpus=setup.networks.corpus,
        tests=check.tests.read_text(encoding="utf-8"),
    )
