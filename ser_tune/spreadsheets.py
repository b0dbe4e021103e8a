"""Cells of CSV tables that people open in spreadsheets: text from data never becomes a formula."""

import re

__all__ = ["safe_cell"]

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of formulas (OWASP, CSV injection); the last two are skipped by some programs."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


def safe_cell(value: object) -> object:
    """A cell as spreadsheets take it for text: with a quote before what would be a formula. Numbers stay as they are.

    >>> safe_cell("=1+1"), safe_cell("-0.02"), safe_cell(-0.02), safe_cell("-anna")
    ("'=1+1", '-0.02', -0.02, "'-anna")
    """
    if isinstance(value, str) and value.startswith(FORMULA) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return value
