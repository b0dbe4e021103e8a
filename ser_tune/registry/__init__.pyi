"""Champions: promoting a study's trial to a registered model, and finding registered models by name."""

from .card import markdown_table
from .promotion import Promotion, promote, promote_combination, refuse_unusable
from .verdict import Confirmed
from .versions import RegisteredVersion, list_versions, load_model, registered_name, resolve

__all__ = [
    "Confirmed",
    "Promotion",
    "RegisteredVersion",
    "list_versions",
    "load_model",
    "markdown_table",
    "promote",
    "promote_combination",
    "refuse_unusable",
    "registered_name",
    "resolve",
]
