"""Emotions in sound that is still coming."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..audio import SAMPLE_RATE_HZ, Heard
from .batches import label_of
from .speech import PAUSE_S, SHORTEST_S, SpeechDetector
from .timeline import LEAST_S, STEP_S, WINDOW_S

if TYPE_CHECKING:
    from ..tracking import LoadedModel

__all__ = ["Change", "follow"]


@dataclass(frozen=True, slots=True)
class Change:
    """Another emotion than before."""

    at_s: float
    """Seconds from the first sample to the end of the speech that was judged."""
    label: str
    """An emotion, or `uncertain`."""
    numbers: Mapping[str, float]
    """The shown number of each output, such as its probability."""


def follow(
    model: "LoadedModel",
    pieces: Iterable[np.ndarray],
    detector: SpeechDetector,
    *,
    window_s: float | None = None,
    min_confidence: float = 0.0,
    before: "Sequence[Mapping[str, np.ndarray]] | None" = None,
) -> Iterator[Change]:
    """Recognise emotions while somebody speaks: once a second, and at the end of every stretch of speech.

    Args:
        model: Loaded; it does not normalise by speaker, unless something was heard before.
        pieces: Sound as it comes, each (N,), float32, 16 kHz mono. Of a long piece only its end is judged.
        detector: Detects speech; its state is reset first.
        window_s: Newest seconds of speech that are judged together; None is 3.
        min_confidence: Where no emotion has this probability, the label is `uncertain`.
        before: Statistics of the speaker, as `SpeakerMemory.before`; None where nothing was heard.

    Yields:
        The first emotion, and every other one.
    """
    detector.forget()
    window, step, least = (round(s * SAMPLE_RATE_HZ) for s in (window_s or WINDOW_S, STEP_S, LEAST_S))
    kept = max(window, least) + 2 * round(PAUSE_S * SAMPLE_RATE_HZ)
    recent = np.zeros(0, dtype=np.float32)
    now = judged = 0
    since: int | None = None
    last = None
    for piece in pieces:
        now += len(piece)
        recent = np.concatenate([recent, piece])[-max(kept, len(piece)) :]
        spoken: list[tuple[int, int]] = []
        for kind, sample in detector.follow(piece):
            if kind == "start":
                since = sample
            elif since is not None:
                spoken = [(since, sample)] if sample - since >= SHORTEST_S * SAMPLE_RATE_HZ else []
                since = None
        if since is not None and now - since >= least:
            spoken.append((since, now))
        for start, end in spoken[-1:]:
            first = min(max(start, end - window), end - least) - (now - len(recent))
            if end - judged < (step if since is not None else step // 2) or first < 0:
                continue
            judged = end
            heard = [Heard("microphone", recent[first : len(recent) - (now - end)])]
            (told,) = model.predict_heard(heard) if before is None else model.predict_speaker(heard, before)[0]
            label = label_of(model, told.numbers, min_confidence)
            if label != last:
                last = label
                yield Change(end / SAMPLE_RATE_HZ, label, told.numbers)
