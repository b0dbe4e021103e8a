"""A picture of one utterance: waveform, spectrogram, the model's numbers over time, attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..audio import SAMPLE_RATE_HZ, Heard, read_speech
from ..drawing import Lettering, draw_to, lettering_for, refuse_other_picture
from ..errors import AudioError
from .curves import draw_bars, draw_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..prediction import Prediction
    from ..tracking import LoadedModel

__all__ = ["draw_utterance"]

WINDOW_S, STEP_S = 1.0, 0.1
MOST_WINDOWS = 120
LONGEST_S = 60.0
"""Longest utterance of a picture; a timeline shows longer recordings."""
GRID_S = 0.01
TICKS_HZ = (500, 1000, 2000, 4000, 8000)


def draw_utterance(model: "LoadedModel", file: Path, out: Path) -> "Prediction":
    """Draw an utterance and a model's predictions over time.

    Args:
        model: Loaded.
        file: A sound file of at most a minute.
        out: The picture, PNG, SVG or PDF.

    Returns:
        The utterance's prediction.

    Raises:
        AudioError: The file cannot be used, or is too long.
        ConfigError: The picture cannot be written there; see `refuse_other_picture`.
    """
    from .attention import over_time, recorded

    refuse_other_picture(out)
    heard = Heard(str(file), read_speech(file))
    length_s = len(heard.speech) / SAMPLE_RATE_HZ
    if length_s > LONGEST_S:
        raise AudioError(
            f"{file} has {length_s:.0f} s; a picture is of one utterance of at most {LONGEST_S:.0f} s; "
            "--timeline shows long recordings"
        )
    grid_s = np.arange(0.0, length_s, GRID_S)
    with recorded([network for predictor in model.predictors for network in predictor.networks]) as weights:
        (prediction,) = model.predict_heard([heard])
    recipe = model.recipe
    frames, hop_s = recipe.segments.frames, recipe.hop_s
    segment_s = None if frames is None or hop_s is None else frames * hop_s
    attention = over_time(weights, prediction, segment_s, grid_s) if prediction.segments else None
    windows = _windows(model, heard, prediction)
    letters = lettering_for([*prediction.numbers, file.name])

    bars_height = 0.4 + 0.22 * len(model.labels) if _has_bars(model) else 0.0

    def fill(figure: "Figure") -> None:
        heights = [1.0, 1.5, 2.0] + ([0.8] if attention is not None else [])
        grid = figure.add_gridspec(
            len(heights) + bool(bars_height), height_ratios=heights + [bars_height] * bool(bars_height)
        )
        first = figure.add_subplot(grid[0])
        axes = [first, *(figure.add_subplot(grid[row], sharex=first) for row in range(1, len(heights)))]
        _fill(axes, heard, prediction, letters)
        draw_curves(
            axes[2], [(windows.times_s, windows.numbers)], model, letters, of=f"windows of {windows.length_s:.2g} s"
        )
        if attention is not None:
            axes[-1].fill_between(grid_s, attention, color="#2b6cb0", alpha=0.5, linewidth=0)
            axes[-1].axhline(1.0, color="#a0aec0", linewidth=0.8)
            axes[-1].set(ylabel="attention\n(even: 1)", ylim=(0, None))
        for above in axes[:-1]:
            above.tick_params(labelbottom=False)
        axes[-1].set_xlabel("time in s")
        if bars_height:
            draw_bars(figure.add_subplot(grid[-1]), prediction.numbers, model, letters)

    draw_to(out, (5.6 if attention is None else 6.6) + bars_height, fill, letters=letters)
    return prediction


def _has_bars(model: "LoadedModel") -> bool:
    """Whether the numbers of the whole utterance are the answer, and not the name of the largest."""
    return model.task.named and model.task.predictions != "classes"


@dataclass(frozen=True, slots=True)
class _Windows:
    """Emotions over time."""

    length_s: float
    """Length of each window, in seconds."""
    times_s: np.ndarray
    """Centres of windows, and both ends of the utterance, which have the nearest window's numbers: (W + 2,)."""
    numbers: np.ndarray
    """The shown number of each output, shape (W + 2, K)."""


def _windows(model: "LoadedModel", heard: Heard, whole: "Prediction") -> _Windows:
    length_s = len(heard.speech) / SAMPLE_RATE_HZ
    window_s = min(WINDOW_S, length_s / 2)
    count = min(MOST_WINDOWS, int((length_s - window_s) / STEP_S) + 1)
    starts_s = np.linspace(0.0, length_s - window_s, max(2, count))
    size = int(window_s * SAMPLE_RATE_HZ)
    firsts = (starts_s * SAMPLE_RATE_HZ).astype(int)
    try:
        told = model.predict_heard([Heard(heard.source, heard.speech[first : first + size]) for first in firsts])
    except AudioError:  # too short for the model: one window, the utterance
        starts_s, window_s, told = np.zeros(1), length_s, [whole]
    found = np.array([[prediction.numbers[label] for label in model.labels] for prediction in told])
    return _Windows(
        length_s=window_s,
        times_s=np.concatenate([[0.0], starts_s + window_s / 2, [length_s]]),
        numbers=np.concatenate([found[:1], found, found[-1:]]),
    )


def _fill(axes: "Sequence[Axes]", heard: Heard, prediction: "Prediction", letters: Lettering) -> None:
    """Draw the title, the waveform and the spectrogram."""
    import librosa

    from ..report import BANDS, mel_decibels

    speech, length_s = heard.speech, len(heard.speech) / SAMPLE_RATE_HZ
    largest = float(np.abs(speech).max())
    axes[0].plot(np.arange(len(speech)) / SAMPLE_RATE_HZ, speech, color="#4a5568", linewidth=0.4)
    axes[0].set(ylabel="waveform", xlim=(0, length_s), ylim=(-1.05 * largest, 1.05 * largest))
    title = f"{letters(Path(heard.source).name)}: {letters(prediction.label)}"
    if (number := prediction.numbers.get(prediction.label)) is not None:
        title += f", {prediction.number} {number:.2f}"
    axes[0].set_title(title)
    axes[1].imshow(
        mel_decibels(speech), origin="lower", aspect="auto", cmap="magma", extent=(0.0, length_s, 0.0, BANDS)
    )
    places = librosa.hz_to_mel(np.array(TICKS_HZ)) / librosa.hz_to_mel(SAMPLE_RATE_HZ / 2) * BANDS
    axes[1].set_yticks(places, [f"{tick_hz / 1000:g}" for tick_hz in TICKS_HZ])
    axes[1].set(ylabel="frequency\nin kHz")
