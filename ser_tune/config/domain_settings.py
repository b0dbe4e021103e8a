"""Settings of training on several corpora: the weights of their utterances."""

from typing import Annotated

from pydantic import Field

from .base import Settings

__all__ = ["BalanceSettings"]


class BalanceSettings(Settings):
    """Weights of training utterances where corpora, classes or speakers have unequal numbers of them.

    Exponents: with 0 every utterance has the same weight, with 1 every corpus, class or speaker has, with 0.5 in
    between. Solvers weigh utterances; gradient descent draws them as often as their weights ask for. Class weights of a
    solver or of a loss come on top, of the weighted classes.
    """

    corpora: Annotated[float, Field(ge=0, le=1)] = 0.0
    """A corpus of n utterances weighs n to the power of 1 less this. Only in a study of several corpora."""
    classes: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The same for the classes (or the task's other strata) within every corpus, as far as a corpus has them."""
    speakers: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The same for the speakers within every class of a corpus, or where `classes` is 0 within every corpus."""

    @property
    def is_even(self) -> bool:
        """Whether every utterance has the same weight."""
        return not (self.corpora or self.classes or self.speakers)
