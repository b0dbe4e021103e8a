"""Parts of a model card, as a test reads them."""


def section(card: str, title: str) -> str:
    """The text below a heading."""
    return card.split(f"## {title}\n\n")[1].partition("\n\n## ")[0]


def table_of(section: str) -> dict[str, list[str]]:
    """A Markdown table of a card: first cell of each row to the others."""
    header, rule, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")
    ]
    assert set(rule) == {"---"}
    assert {len(row) for row in rows} == {len(header)}
    return {row[0]: row[1:] for row in rows}
