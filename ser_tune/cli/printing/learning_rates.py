"""Printing and drawing of `find-lr`: the loss over the learning rate."""

from pathlib import Path
from typing import TYPE_CHECKING

from ... import api
from ...drawing import draw_to, lettering_for, refuse_other_picture
from ..console import notes, results
from ..registration import Call

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...training import RangeTest

__all__ = ["draw_rates", "print_learning_rate"]


def print_learning_rate(call: Call[api.LearningRate], *, picture: Path = Path("learning-rate.png")) -> None:
    """Print a learning rate, and draw the loss over the rate.

    Args:
        call: Runs the range test.
        picture: Where to draw the loss over the rate.
    """
    refuse_other_picture(picture, name="--picture")  # before minutes of training
    result = call()
    found, config = result.range_test, result.definition.config
    draw_rates(picture, found, f"{config.corpus.shown}, {config.model.name}, {config.optimizer.name}")
    ended = "the loss diverged" if found.diverged else "the highest was reached"
    notes.print(
        f"{len(found.rates)} steps at rates of {found.rates[0]:.1e} to {found.rates[-1]:.1e}, where {ended}; {picture}"
    )
    results.print(f"learning rate {found.suggestion:g}: --set optimizer.learning_rate={found.suggestion:g}")


def draw_rates(path: Path, found: "RangeTest", title: str) -> None:
    """A picture of the loss over the rate, with the suggestion marked."""
    letters = lettering_for([title])
    least = found.smoothed.argmin()
    # What a diverging end leaves of the rest is a flat line
    low, high = found.smoothed.min(), found.smoothed[: least + 1].max()

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.semilogx(found.rates, found.losses, color="lightsteelblue", label="training loss of a batch")
        axes.semilogx(found.rates, found.smoothed, color="tab:blue", label="smoothed")
        axes.plot(
            found.rates[least], found.smoothed[least], "o", color="tab:blue", label=f"least: {found.rates[least]:.1e}"
        )
        axes.axvline(
            found.suggestion, color="tab:red", linestyle="--", label=f"suggested, a tenth of it: {found.suggestion:.1e}"
        )
        axes.set_ylim(low - 0.3 * (high - low), high + 0.6 * (high - low))
        axes.set(xlabel="learning rate", ylabel="loss", title=letters(title))
        figure.legend(loc="outside lower center", ncols=2)

    draw_to(path, 4.5, fill, width=7, dpi=100, letters=letters)
