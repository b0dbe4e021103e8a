"""What a registered model is made of."""

from dataclasses import dataclass, replace

__all__ = ["Networks"]


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks of a version: one or an ensemble for each fold, or for all speakers together."""

    folds: int
    ensemble: int = 1
    """Networks of each fold."""
    configurations: int = 1
    """Trials that the networks of a fold are from."""
    refit_epochs: int | None = None
    """Epochs of the one training on all speakers that replaces the folds'; None where the folds' are registered."""
    holdout: bool = False
    """Whether speakers were kept out of that training too."""

    def refitted(self, epochs: int, *, holdout: bool) -> "Networks":
        """The same, trained once on all speakers."""
        return replace(self, refit_epochs=epochs, holdout=holdout)

    def __str__(self) -> str:
        """In words.

        >>> str(Networks(10)), str(Networks(3, ensemble=4, configurations=2))
        ('10', '3; each is an ensemble of 4, of 2 configurations')
        >>> str(Networks(10).refitted(7, holdout=True))
        '1, trained on all speakers but those held out for 7 epochs'
        """
        words = str(self.folds)
        if self.refit_epochs is not None:
            held_out = " but those held out" if self.holdout else ""
            words = f"1, trained on all speakers{held_out} for {self.refit_epochs} epochs"
        if self.ensemble > 1:
            words += f"; each is an ensemble of {self.ensemble}"
        if self.configurations > 1:
            words += f", of {self.configurations} configurations"
        return words
