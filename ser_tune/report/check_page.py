"""The results of a model's tests as one page of HTML that needs no other file and no network."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..resampling import Interval
from ..results import ModelCheck

__all__ = ["check_page"]


def check_page(check: ModelCheck) -> str:
    """Write the page; the template escapes every name that comes from data."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"number": _number, "interval": _interval}
    setup = check.setup
    return environment.get_template("check_page.html").render(
        check=check,
        setup=setup,
        corpus=setup.networks.corpus,
        tests=check.tests.read_text(encoding="utf-8"),
    )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


def _interval(interval: Interval) -> str:
    return str(interval) if interval.known else ""
