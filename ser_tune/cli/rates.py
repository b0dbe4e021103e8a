"""`find-lr`: the learning-rate range test, as a line and a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import api
from ..api import ConfigurationFlags
from ..drawing import draw_to, lettering_for
from ..errors import ConfigError
from ..search import read_assignments
from ..training import RangeTest
from .console import notes, results
from .progress import ProgressObserver

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_rates", "find_rate"]

FORMATS = (".png", ".pdf", ".svg")


def find_rate(file: Path | None, flags: ConfigurationFlags, assignments: Sequence[str], *, picture: Path) -> None:
    """Suggest a learning rate, and draw why.

    Raises:
        SerTuneError: As every room below does.
    """
    if picture.suffix not in FORMATS or not picture.parent.is_dir():  # say so before minutes of training
        raise ConfigError(
            f"--picture is '{picture}'; expected a name that ends in {', '.join(FORMATS)}, in an existing folder"
        )
    with ProgressObserver() as progress:
        result = api.find_lr(file, settings=read_assignments(assignments), observer=progress, **flags)
    found, config = result.range_test, result.definition.config
    draw_rates(picture, found, f"{config.corpus.name}, {config.model.name}, {config.optimizer.name}")
    ended = "the loss diverged" if found.diverged else "the highest was reached"
    notes.print(
        f"{len(found.rates)} steps at rates of {found.rates[0]:.1e} to {found.rates[-1]:.1e}, where {ended}; {picture}",
        markup=False,
    )
    results.print(
        f"learning rate {found.suggestion:g}: --set optimizer.learning_rate={found.suggestion:g}", markup=False
    )


def draw_rates(path: Path, found: RangeTest, title: str) -> None:
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
