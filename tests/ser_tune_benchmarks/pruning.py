"""What pruning saves, and whether it costs anything: one sequence of proposals with and without it."""

from ser_tune.protocol import prepare
from ser_tune.search import StudyObserver, TrialOutcome, run_study
from ser_tune.training import EpochReport

from .rows import Options, Row, definition, project

__all__ = ["measure"]

SETTINGS: dict[str, object] = {
    "model.name": "fcn_attention",
    "features.name": "logmelspec",
    "features.n_mels": 64,
    "features.hop_s": 0.02,
    "segments.frames": 128,
    "model.width": 0.125,
    "training.epochs": 8,
    # Proposals that do not depend on scores are the same in both studies
    "study.sampler": "random",
}


class _Counting(StudyObserver):
    """Counts epochs, and keeps the best complete trial."""

    def __init__(self) -> None:
        self.epochs = 0
        self.best: TrialOutcome | None = None

    def epoch_finished(self, trial: int, fold: int, report: EpochReport) -> None:
        self.epochs += 1

    def trial_finished(self, outcome: TrialOutcome) -> None:
        if outcome.state == "COMPLETE" and (self.best is None or _uar(outcome) > _uar(self.best)):
            self.best = outcome


def _uar(outcome: TrialOutcome) -> float:
    assert outcome.scores is not None
    return outcome.scores["uar"].value


def measure(options: Options) -> list[Row]:
    """Epochs trained in either study, and the best validation UAR of its complete trials."""
    found = {}
    for pruner in ("none", "racing"):
        flags = {**options.corpus, **SETTINGS, "study.pruner": pruner, "study.trials": 3 if options.quick else 24}
        if options.quick:
            flags |= {"training.epochs": 1, "protocol.folds": 3}
        prepared = prepare(definition({**flags, "name": pruner}), project(options.scratch))
        found[pruner] = _Counting()
        run_study(prepared, project(options.scratch), found[pruner])
    without, pruned = found["none"], found["racing"]
    assert without.best is not None
    assert without.best.scores is not None
    assert pruned.best is not None
    interval = without.best.scores["uar"].interval
    share = 100 * pruned.epochs / without.epochs
    return [
        Row("epochs trained, of those without pruning", share, "%", plain=100.0, below=70.0),
        Row(
            f"best validation UAR (95 % of that without pruning: {interval.low:.3f} to {interval.high:.3f})",
            _uar(pruned.best),
            "",
            plain=_uar(without.best),
            at_least=interval.low,
        ),
    ]
