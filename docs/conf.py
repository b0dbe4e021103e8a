"""The site of README.md, docs/ and studies/README.md: `sphinx-build -W -c docs . build/site`.

Sphinx with MyST, because it reads pages outside of a single folder, such as README.md, checks links and their anchors,
and shows notebooks. MkDocs does not (its last release is of August 2024).
"""

import re
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

TABLE = Path(__file__).with_name("README.md")
LAST = ("studies/README", "CONTRIBUTING", "CHANGELOG", "SECURITY")

project = "ser-tune"
copyright = "the ser-tune developers, MIT licence"  # noqa: A001 - Sphinx's name
extensions = ["myst_nb"]
root_doc = "README"
include_patterns = ["*.md", "docs/**", "studies/README.md"]
exclude_patterns = [".*", "build", "dist", "mlruns", "ser_tune", "tests"]
templates_path = ["site"]
html_additional_pages = {"index": "index.html"}
html_copy_source = False
html_show_sourcelink = False
html_theme = "furo"
html_title = "ser-tune"
html_use_index = False
myst_heading_anchors = 4  # as on the code host
nb_execution_mode = "off"  # tests/docs/test_notebooks.py executes them


def _add_navigation(_app: Sphinx, page: str, text: list[str]) -> None:
    """Append to the first page the list of all pages, in the order of the table of docs/README.md."""
    if page == root_doc:
        linked = re.findall(r"^\| \[.*?\]\((.+?)\.(?:md|ipynb)\)", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
        entries = "\n".join(["docs/README", *(f"docs/{name}" for name in linked), *LAST])
        text[0] += f"\n```{{toctree}}\n:hidden:\n\n{entries}\n```\n"


def setup(app: Sphinx) -> None:
    """Register the navigation, and the language of tables, which is plain text."""
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", _add_navigation)
