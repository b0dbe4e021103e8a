"""Exit codes: the home of their meanings, which help and documentation show."""

from collections.abc import Mapping

__all__ = ["EXIT_CODES"]

EXIT_CODES: Mapping[int, str] = {
    0: "all went well",
    1: "the command ran and found a fault: of a check, an audit or a replay; or trials failed, or files cannot be used",
    2: "it did not run, or not to its end, for a reason that you can correct: one sentence says which",
    130: "interrupted by Ctrl-C; the same command goes on",
    143: "ended by SIGTERM; the same command goes on",
}
"""Code to its meaning. A traceback, also with 1, is a mistake in ser-tune."""
