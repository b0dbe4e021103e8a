"""Settings of training on several corpora: the weights of their utterances, and ways to make them alike."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import Settings

__all__ = ["AlignmentSettings", "BalanceSettings"]

SOLVED = ("whitening", "coral")
"""Kinds of alignment for models with a solver."""


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


class AlignmentSettings(Settings):
    """Ways to make corpora alike for a model.

    Between the training corpora alone they use nothing of held-out speakers. Where `corpus.unlabelled` names speech of
    the target, they adapt the model to it, which is transductive if that speech is tested.
    """

    kind: Literal["none", "whitening", "coral", "adversarial", "mean_teacher"] = "none"
    """whitening, for solved models: the features of every training corpus get the mean covariance and the mean of all
    of them. coral: they get those of the unlabelled speech (Sun, Feng, Saenko 2016, arXiv 1511.05547). adversarial, for
    networks: reversed gradients of a classifier of corpora, of which the unlabelled speech is one (Ganin et al. 2016,
    arXiv 1505.07818). mean_teacher: a moving average of the network teaches it on the unlabelled speech (Tarvainen,
    Valpola 2017, arXiv 1703.01780)."""
    strength: Annotated[float, Field(gt=0, le=100)] = 1.0
    """whitening, coral: the share of the way, at most 1. adversarial: the weight of the reversed gradient at the end.
    mean_teacher: the weight of the divergence from the teacher's outputs at the end."""
    shrinkage: Annotated[float, Field(gt=0, le=1)] | None = None
    """whitening, coral: shrinkage of covariances towards a multiple of the identity; with 1 the means and the total
    variance are aligned. none takes the estimate of Ledoit and Wolf (2004, Journal of Multivariate Analysis 88(2))."""

    @model_validator(mode="after")
    def _share_of_the_way(self) -> Self:
        if self.kind in SOLVED and self.strength > 1:
            raise ValueError(
                f"alignment.strength is {self.strength:g} with alignment.kind {self.kind}; expected at most 1, all of "
                "the way"
            )
        return self

    @property
    def is_solved(self) -> bool:
        """Whether it is for models with a solver, not for gradient descent."""
        return self.kind in SOLVED

    @property
    def needs_unlabelled(self) -> bool:
        """Whether it needs unlabelled speech of the target."""
        return self.kind in ("coral", "mean_teacher")

    @property
    def reads_unlabelled(self) -> bool:
        """Whether it reads unlabelled speech where there is any."""
        return self.kind in ("coral", "adversarial", "mean_teacher")
