"""Training on votes against training on the emotion of most votes, and what models recover of the demo corpus.

Usage, from the repository's root: python -m tests.ser_tune_benchmarks.crowd_labels [MODEL...]
           [--features NAME] [--seeds N] [--set PATH=VALUE...]

Both trainings have the same utterances to test, features, folds, seeds, configuration and loss. Utterances whose votes
are tied have no emotion of most votes: they train on votes alone, as a study of emotions leaves them out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import yaml

from ser_tune.metrics import Metric
from ser_tune.prediction import Predictor
from ser_tune.project import Project
from ser_tune.protocol import Prepared, prepare
from ser_tune.resampling import Estimate, PairedComparison, Scores, compare_paired
from ser_tune.search import HeldOut, Trainer, define_study, score_test_speakers
from ser_tune.tasks import Targets
from ser_tune.training import fold_seed, recipe_of

__all__ = ["Recovered", "Trained", "recover", "train_on_both"]


def demo(project: Project, model: str, label: str, **settings: object) -> Prepared:
    """Prepare a study of the demo corpus's `votes` or `dimensions`."""
    flags: dict[str, object] = {"model.name": model, "corpus.name": "demo", "corpus.task": label, "name": label}
    flags |= {"training.device": "cpu", "training.precision": "float32"}
    return prepare(define_study(flags=flags | settings), project)


def held_out(prepared: Prepared, cache: Path, seed: int, numbers: np.ndarray | None = None) -> HeldOut:
    """Train a study's first configuration, and predict every fold's test speakers.

    Args:
        prepared: The study.
        cache: Its features.
        seed: Of the configuration.
        numbers: Utterances that may train and validate; None is all.
    """
    trainer = Trainer(prepared, cache)
    config = trainer.concrete({}, seed=seed)
    may = np.arange(len(prepared.corpus.utterances)) if numbers is None else numbers
    fitted = []
    for fold in prepared.folds:
        train, validation = np.intersect1d(fold.train, may), np.intersect1d(fold.validation, may)
        fitted.append(trainer.train(trainer.job_of(config, train, validation, seed=fold_seed(seed, fold.number))))
    recipe = recipe_of(config, prepared.targets.names, prepared.definition.goal)
    networks, scalings = [each.network for each in fitted], [each.scaling for each in fitted]
    predictor = Predictor(recipe, networks, scalings, folds=[fold.key for fold in prepared.folds])
    return score_test_speakers(prepared, predictor, cache)


def _plurality(values: np.ndarray, names: tuple[str, ...]) -> tuple[Targets, np.ndarray]:
    """Targets of the emotions of most votes, of shares (U, K), and the numbers of utterances that have one."""
    most = values.max(axis=1, keepdims=True)
    untied = np.flatnonzero((values >= most - 1e-9).sum(axis=1) == 1)
    classes = values.argmax(axis=1).astype(np.int64)
    return Targets(names=names, values=classes, strata=classes, stratum_names=names), untied


@dataclass(frozen=True, slots=True)
class Trained:
    """Probabilities of networks that were trained on votes, and on the emotion of most votes, and the truth."""

    truth: np.ndarray
    """Shares of votes, shape (N, K)."""
    on_votes: Sequence[np.ndarray]
    """Shape (N, K), of each seed."""
    on_majority: Sequence[np.ndarray]
    speakers: np.ndarray
    metrics: Sequence[Metric]

    def means(self, metric: Metric) -> tuple[float, float]:
        """The mean score over the seeds of both."""
        outputs = self.truth.shape[1]
        on_votes, on_majority = (
            float(np.mean([metric.score(self.truth, made, outputs) for made in side]))
            for side in (self.on_votes, self.on_majority)
        )
        return on_votes, on_majority

    @property
    def over_speaker_mean(self) -> Estimate:
        """Of training on votes, by the first metric."""
        return over_speaker_mean(self.truth, self.on_votes, self.speakers, self.metrics[0], self.truth.shape[1])

    def compare(self) -> PairedComparison:
        """The difference of both, paired by speaker."""
        outputs = self.truth.shape[1]
        return compare_paired(self.truth, self.on_votes, self.on_majority, self.speakers, self.metrics, outputs)


def train_on_both(project: Project, model: str, seeds: Sequence[int], **settings: object) -> Trained:
    """Train on the demo corpus's votes, and on the emotions of most votes."""
    votes = demo(project, model, "votes", **settings)
    emotions = demo(project, model, "votes", **{"task.name": "classification", **settings})
    targets, untied = _plurality(votes.targets.values, votes.targets.names)
    majority = replace(emotions, corpus=votes.corpus, targets=targets, folds=votes.folds)
    tested = np.concatenate([fold.test for fold in votes.folds])
    return Trained(
        truth=votes.targets.values[tested],
        on_votes=[np.exp(held_out(votes, project.cache, seed).outputs) for seed in seeds],
        on_majority=[np.exp(held_out(majority, project.cache, seed, untied).outputs) for seed in seeds],
        speakers=votes.corpus.speaker_numbers[tested],
        metrics=votes.definition.metrics,
    )


@dataclass(frozen=True, slots=True)
class Recovered:
    """Scores of predictions of test speakers, and how far they are from the means of these speakers' own targets."""

    scores: Scores
    over_speaker_mean: Estimate
    """Of the first metric, paired by speaker."""


def recover(project: Project, model: str, label: str, **settings: object) -> Recovered:
    """Train on the demo corpus's `votes` or `dimensions`."""
    prepared = demo(project, model, label, **settings)
    found, width = held_out(prepared, project.cache, 0), len(prepared.targets.names)
    speakers = np.array([utterance.partition("_")[0] for utterance in found.utterances])
    numbers = np.unique(speakers, return_inverse=True)[1]
    over = over_speaker_mean(found.truth, [found.predicted], numbers, prepared.definition.metrics[0], width)
    return Recovered(found.scores, over)


def over_speaker_mean(
    truth: np.ndarray, predicted: Sequence[np.ndarray], speakers: np.ndarray, metric: Metric, outputs: int
) -> Estimate:
    """How far predictions (N, K) of each seed are from the means of the speakers' own targets, paired by speaker."""
    means = np.stack([truth[speakers == number].mean(axis=0) for number in range(speakers.max() + 1)])[speakers]
    return compare_paired(truth, predicted, [means], speakers, [metric], outputs).primary


def main(
    models: Annotated[list[str], typer.Argument()],
    features: Annotated[str | None, typer.Option()] = None,
    seeds: Annotated[int, typer.Option(help="Networks of each training; a solver needs a single one.")] = 1,
    settings: Annotated[list[str] | None, typer.Option("--set", help="PATH=VALUE of both trainings.")] = None,
) -> None:
    """Print both comparisons for each model."""
    written = {path: yaml.safe_load(value) for path, _, value in (each.partition("=") for each in settings or [])}
    project, front = Project.locate(), {} if features is None else {"features.name": features}
    for model in models:
        for label, name in (("dimensions", "ccc"), ("votes", "jsd")):
            found = recover(project, model, label, **front)
            score, over = found.scores[name], found.over_speaker_mean
            print(f"{model}, {label}: {name} {score.value:.3f} {score.interval}, ", end="")
            print(f"speaker mean {score.value - over.value:.3f}, difference {over.value:+.3f} {over.interval}")
        both = train_on_both(project, model, range(seeds), **front, **written)
        paired = both.compare()
        for metric in both.metrics:
            on_votes, on_majority = both.means(metric)
            difference = paired.differences[metric.name]
            print(
                f"  {metric.title}: votes {on_votes:.3f}, majority {on_majority:.3f}, "
                f"difference {difference.value:+.3f} {difference.interval}"
            )
        print(f"  p = {paired.p_value:.3f} of {paired.n_speakers} speakers, {both.metrics[0].title}")


if __name__ == "__main__":
    typer.run(main)
