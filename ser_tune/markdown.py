"""Tables in Markdown, for model cards and printed comparisons."""

from collections.abc import Sequence

__all__ = ["markdown_table"]


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; a vertical line within a cell becomes a slash.

    >>> print(markdown_table(["side", "UAR"], [["test", "0.7"]]))
    | side | UAR |
    | --- | --- |
    | test | 0.7 |
    """
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
