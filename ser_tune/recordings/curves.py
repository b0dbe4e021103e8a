"""Drawing a model's numbers: curves over time, of utterances and long recordings, and bars of a whole utterance."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..drawing import GREY, Lettering, draw_to, legend_beside, lettering_for, refuse_other_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from ..tracking import LoadedModel
    from .timeline import Passage, Timeline

__all__ = ["draw_bars", "draw_curves", "draw_timeline"]

MARGIN = 0.02
"""Share of the range of numbers that is empty above and below it."""


def draw_curves(
    axes: "Axes", pieces: Iterable[tuple[np.ndarray, np.ndarray]], model: "LoadedModel", letters: Lettering, *, of: str
) -> None:
    """Draw every output of a model over time, with a legend.

    Args:
        axes: To draw into.
        pieces: Times in seconds, shape (W,), and shown numbers, shape (W, K), of each uninterrupted stretch.
        model: Has the outputs' names, their scales, and the noun for their numbers.
        letters: For names.
        of: The stretches that a number is of, in words, such as `windows of 1 s`.
    """
    lines: list[Line2D] = []
    for times_s, found in pieces:
        lines = [
            axes.plot(times_s, found[:, number], _line(number), color=_colour(number))[0]
            for number in range(len(model.labels))
        ]
    axes.set(ylabel=f"{model.task.number}\n({of})")
    if (limits := _limits(model)) is not None:
        low, high = limits
        bottom, top = limits if model.task.named else axes.get_ylim()  # a rating may lie outside its scale
        axes.set_ylim(min(low, bottom) - MARGIN * (high - low), max(high, top) + MARGIN * (high - low))
    if (threshold := model.task.decides_from) is not None:
        axes.axhline(threshold, color=GREY, linewidth=0.8)
    if lines:
        legend_beside(axes, lines, [letters(name) for name in model.labels])


def draw_bars(axes: "Axes", numbers: Mapping[str, float], model: "LoadedModel", letters: Lettering) -> None:
    """Draw the number of each output of a whole utterance as a bar, the first on top."""
    places = np.arange(len(numbers))
    axes.barh(places, list(numbers.values()), color=[_colour(number) for number in range(len(numbers))])
    axes.set_yticks(places, [letters(name) for name in numbers])
    axes.invert_yaxis()
    axes.set(xlabel=f"{model.task.number}, whole utterance", xlim=(0, 1))
    if (threshold := model.task.decides_from) is not None:
        axes.axvline(threshold, color=GREY, linewidth=0.8)


def draw_timeline(model: "LoadedModel", timeline: "Timeline", out: Path) -> None:
    """Draw the numbers of a recording's windows over time, with gaps where there is no speech.

    Args:
        model: The model of the timeline.
        timeline: Of a recording.
        out: The picture: PNG, SVG or PDF, by its suffix.

    Raises:
        ConfigError: The picture cannot be written there; see `refuse_other_picture`.
    """
    refuse_other_picture(out)
    name = Path(timeline.source).name
    letters = lettering_for([*model.labels, name])
    pieces = [_piece(stretch, model.labels) for stretch in _stretches(timeline.windows)]
    length_s = max((window.end_s - window.start_s for window in timeline.windows), default=0.0)

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        draw_curves(axes, pieces, model, letters, of=f"windows of up to {length_s:.2g} s")
        axes.set(title=letters(name), xlabel="time in s", xlim=(0, timeline.length_s))

    draw_to(out, 3.6, fill, letters=letters)


def _stretches(windows: "Sequence[Passage]") -> "list[list[Passage]]":
    """Windows of each stretch of speech, which overlap."""
    stretches: list[list[Passage]] = []
    for window in windows:
        if stretches and window.start_s <= stretches[-1][-1].end_s:
            stretches[-1].append(window)
        else:
            stretches.append([window])
    return stretches


def _piece(stretch: "Sequence[Passage]", labels: "Sequence[str]") -> tuple[np.ndarray, np.ndarray]:
    """Centres of windows, and both ends of the stretch, shape (W + 2,), and numbers, shape (W + 2, K)."""
    centres = [(window.start_s + window.end_s) / 2 for window in stretch]
    found = np.array([[window.numbers[label] for label in labels] for window in stretch])
    times_s = np.array([stretch[0].start_s, *centres, stretch[-1].end_s])
    return times_s, np.concatenate([found[:1], found, found[-1:]])


def _limits(model: "LoadedModel") -> tuple[float, float] | None:
    """The lowest and highest number that is usual; None where the scale is not known."""
    if model.task.named:
        return 0.0, 1.0
    if not model.scales:
        return None
    return min(low for low, _ in model.scales.values()), max(high for _, high in model.scales.values())


def _colour(number: int) -> tuple[float, float, float, float]:
    from matplotlib import colormaps

    return colormaps["tab10"](number % 10)


def _line(number: int) -> str:
    return "-" if number < 10 else "--"
