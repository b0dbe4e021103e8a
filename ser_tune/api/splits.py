"""`audit`: leaks in a split, and a check of the numbers that were published with it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ..audit import Audit, audit_split, read_claim, read_split

__all__ = ["audit"]


def audit(
    *paths: str | Path,
    data: str | Path | None = None,
    claims: Sequence[str] = (),
    speaker_from: str | None = None,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> Audit:
    """Check a split: what is on two sides, its labels and classes, its words, and claimed numbers.

    Args:
        paths: A table `path,emotion,fold|split[,speaker][,start,end][,text][,prediction]`; a table for each side, as of
            autrainer, audformat or Hugging Face; JSON of EmoBox, s3prl or SpeechBrain; folders of these, or of
            recordings in `train/anger/`; or a pattern such as `splits/*.csv`.
        data: The folder that its paths start at; None leaves out the checks of sound.
        claims: Published numbers, such as `UAR=0.723`, to recompute from its predictions.
        speaker_from: A regular expression whose group `speaker`, or first group, takes the speaker from a path.
        progressed: Told how many recordings were decoded, of how many.

    Raises:
        SerTuneError: A file, a recording or a claim cannot be read.
    """
    wanted = [read_claim(one) for one in claims]
    folder = None if data is None else Path(data)
    split = read_split([Path(path) for path in paths], data=folder, speaker_from=speaker_from)
    return audit_split(split, claims=wanted, with_sound=folder is not None, progressed=progressed)
