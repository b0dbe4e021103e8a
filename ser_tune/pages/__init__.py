"""Pages of HTML that need no other file and no network, in one look: on a screen, on a phone, dark, on paper."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["page_from"]


def page_from(template: Path, **values: Any) -> str:  # noqa: ANN401 - as the template takes them
    """Write a page; every name that comes from data is escaped.

    Args:
        template: It extends `base.html`, and may import from `parts.html`.
        values: The template's, functions among them.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["address"] = _address
    return environment.get_template(template.name).render(values)


def _address(content: bytes, kind: str) -> str:
    """A picture or sound as an address that contains it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
