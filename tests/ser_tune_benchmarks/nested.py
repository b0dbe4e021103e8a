"""A nested study of `linear_probe` in two processes, from a pretrained encoder to a champion, cold."""

from .rows import Options, Row
from .study import champion_rows

__all__ = ["measure"]


def measure(options: Options) -> list[Row]:
    """50 trials, and the search again for each test fold."""
    if options.checkpoint is None:
        return []
    return champion_rows(options, options.scratch / "nested", {"cold": 360.0}, "--nested", "--workers", "2")
