"""Pictures in one style, and fonts that have the letters of every name in them."""

from .densities import COLUMNS, draw_ratings, fill_ratings
from .figures import BLUE, GREY, RED, WIDTH, Picture, draw, draw_to, legend_beside, refuse_other_picture
from .lettering import Lettering, lettering_for, shortened

__all__ = [
    "BLUE",
    "COLUMNS",
    "GREY",
    "RED",
    "WIDTH",
    "Lettering",
    "Picture",
    "draw",
    "draw_ratings",
    "draw_to",
    "fill_ratings",
    "legend_beside",
    "lettering_for",
    "refuse_other_picture",
    "shortened",
]
