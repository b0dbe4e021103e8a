"""Exit codes: the home of their meanings, which help and documentation show."""

from collections.abc import Mapping

__all__ = ["EXIT_CODES"]

EXIT_CODES: Mapping[int, str] = {
    0: "the command did what it was asked",
    1: "the command ran, and its result is negative: a fault was found, trials failed or wait, or files are unusable",
    2: "the command did not run, or not to its end, for a reason that you can correct: one sentence says which",
    3: "audit found nothing, but could not check the speakers: the split does not name them",
    129: "ended by SIGHUP; the same command continues",
    130: "ended by Ctrl-C; the same command continues",
    143: "ended by SIGTERM; the same command continues",
}
"""Code to its meaning. A traceback, also with 1, is a bug of ser-tune."""
