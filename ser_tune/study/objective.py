"""The objective: a trial's folds, trained one after another, to the pooled validation UAR.

Nothing here reads a test utterance: folds hand over their training and validation sides only.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import optuna
import torch

from ..architectures import ARCHITECTURES
from ..config import Value
from ..corpora import Corpus
from ..device import pick_device, pick_precision
from ..errors import AudioError, ConfigError, NonFiniteLossError
from ..features import FEATURE_SETS, copy_key, corpus_features
from ..folds import Fold
from ..metrics import Scores, score
from ..prediction import UtteranceFeatures, scaling_of_utterances
from ..training import (
    AnyTrial,
    EpochReport,
    FittedNetwork,
    TrainingData,
    fit,
    fold_seed,
    recipe_of,
)
from .definition import StudyDefinition
from .leaks import refuse_fitted_leaks, refuse_leaks, refuse_misplaced_copies
from .observer import FoldOutcome, StudyObserver, TrialOutcome, TrialState
from .pruning import CURVE_DIGITS, CURVES, Race, race_of
from .sampling import sample
from .storage import note_process, place_of

__all__ = ["FAILURES", "Objective", "speaker_numbers"]

FAILURES = (NonFiniteLossError, ConfigError, AudioError, torch.OutOfMemoryError, MemoryError)
"""What fails a trial and lets the study go on: its own values are to blame, as when a recording is too short for the
window that it proposes. Any other exception ends the study."""


def speaker_numbers(corpus: Corpus) -> np.ndarray:
    """A number for each utterance's speaker, shape (U,), int64."""
    return np.array([corpus.speakers.index(one.speaker) for one in corpus.utterances])


def _kept(fitted: FittedNetwork) -> EpochReport:
    """The report of the epoch whose weights were kept."""
    return fitted.history[fitted.epoch - 1]


def _count_failure(trial: optuna.Trial, error: Exception) -> None:
    """Note that the failure is the trial's own doing: it counts, and is not tried again."""
    trial.set_user_attr("failure", f"{type(error).__name__}: {error}")


class Objective:
    """One trial, from its sampled values to its score."""

    def __init__(
        self,
        *,
        definition: StudyDefinition,
        corpus: Corpus,
        folds: Sequence[Fold],
        cache: Path,
        observer: StudyObserver,
        precision: str | None = None,
    ) -> None:
        """Extract the features of the published configuration, look for leaks, and pick device and arithmetic.

        Args:
            definition: What to train and what varies.
            corpus: What to train on.
            folds: Who trains and who validates.
            cache: The project's cache folder.
            observer: Is told of everything.
            precision: The arithmetic an earlier session of the study picked.

        Raises:
            AudioError: A recording cannot be used.
            ConfigError: The device is not there.
            LeakError: Something of held-out speakers would reach training.
        """
        self.definition, self.corpus, self.folds = definition, corpus, folds
        self._cache, self._observer = cache, observer
        self._loaded: dict[tuple[str, str], UtteranceFeatures] = {}
        self._labels = np.array([corpus.emotions.index(one.emotion) for one in corpus.utterances])
        self._speakers = speaker_numbers(corpus)
        self.device = pick_device(definition.config.training.device)
        base = definition.trial({})
        data = self.data(base)
        refuse_leaks(corpus, folds, self._sounds, text_independent=definition.config.protocol.text_independent)
        refuse_fitted_leaks(base, data, folds)
        self.precision = precision or self._measured_precision(base)

    def __call__(self, trial: optuna.Trial) -> float:
        """Run a trial and return its pooled validation UAR.

        Raises:
            optuna.TrialPruned: A pruner gave it up.
        """
        note_process(trial)
        sampled = sample(trial, self.definition.search)
        started = time.perf_counter()
        try:
            config = self._concrete(sampled, self.definition.config.seed + place_of(trial))
        except ConfigError as error:  # the ends of all ranges go together, but perhaps not all that lies between
            _count_failure(trial, error)
            raise
        self._observer.trial_started(trial.number, config, sampled)
        done: list[FoldOutcome] = []
        race = race_of(self.definition.config.study, trial.study.get_trials(deepcopy=False), len(self.folds))

        def finish(state: TrialState, reason: str = "") -> TrialOutcome:
            outcome = TrialOutcome(
                number=trial.number,
                state=state,
                config=config,
                sampled=sampled,
                folds=tuple(sorted(done, key=lambda one: one.fold.number)),
                scores=self.scores(done) if done else None,
                seconds=time.perf_counter() - started,
                reason=reason,
            )
            self._observer.trial_finished(outcome)
            return outcome

        try:
            for position in range(len(self.folds)) if race is None else race.order:
                done.append(self._train(config, position, race))
                uars = [_kept(one.fitted).validation_uar for one in done]
                trial.report(float(np.mean(uars)), len(done))
                if race is not None and race.fold_ended(position, uars[-1]) and len(done) < len(self.folds):
                    raise optuna.TrialPruned(f"racing: behind the best trials in {len(done)} paired folds")
        except optuna.TrialPruned as pruned:
            finish("PRUNED", str(pruned))
            raise
        except KeyboardInterrupt:
            finish("FAIL", "interrupted")
            raise
        except Exception as error:
            if isinstance(error, FAILURES):
                _count_failure(trial, error)
            finish("FAIL", f"{type(error).__name__}: {error}")
            raise
        complete = finish("COMPLETE")
        curves = [[round(one.kept_uar, CURVE_DIGITS) for one in fold.fitted.history] for fold in complete.folds]
        trial.set_user_attr(CURVES, curves)
        scores = complete.scores
        assert scores is not None
        return scores.uar

    def _train(self, config: AnyTrial, position: int, race: Race | None) -> FoldOutcome:
        """Train one fold, and give the trial up where the race is lost."""
        fold = self.folds[position]

        def on_epoch(report: EpochReport) -> None:
            self._observer.epoch_finished(fold.number, report)
            if race is not None and race.epoch_ended(position, report.epoch, report.kept_uar):
                raise optuna.TrialPruned(
                    f"racing: UAR {report.kept_uar:.3f} in fold {fold.number}, epoch {report.epoch} is hopelessly low"
                )

        return self.train_fold(config, fold, on_epoch)

    def train_fold(self, config: AnyTrial, fold: Fold, on_epoch: Callable[[EpochReport], None]) -> FoldOutcome:
        """Train one fold of a concrete configuration."""
        fitted = fit(
            config,
            self.data(config),
            fold.train,
            fold.validation,
            seed=fold_seed(config.seed, fold.number),
            aggregation=self.definition.config.protocol.aggregation,
            on_epoch=on_epoch,
        )
        return FoldOutcome(fold=fold, fitted=fitted, truth=self._labels[fold.validation])

    def scores(self, done: Sequence[FoldOutcome]) -> Scores:
        """Of the validation utterances of these folds."""
        return score(
            [(one.truth, one.fitted.validation.argmax(axis=1), self._speakers[one.fold.validation]) for one in done]
        )

    def data(self, config: AnyTrial) -> TrainingData:
        """The corpus with a trial's features, and its copies, extracted where the cache does not have them."""
        features, numbers = config.features.model_dump_json(), range(config.perturbation.copies + 1)
        keys = [(features, copy_key(config.perturbation, number)) for number in numbers]
        # What this trial reads, and no more: a search over feature settings must not pile them up
        self._loaded = {key: self._loaded[key] for key in keys if key in self._loaded}
        for number, key in zip(numbers, keys, strict=True):
            if key not in self._loaded:
                self._loaded[key] = self._read(config, number)
        clean, *copies = (self._loaded[key] for key in keys)
        return TrainingData(
            features=clean,
            labels=self._labels,
            speakers=self._speakers,
            emotions=self.corpus.emotions,
            copies=tuple(copies),
        )

    def _read(self, config: AnyTrial, copy: int) -> UtteranceFeatures:
        """The features of all utterances, or of one of their copies."""
        store = corpus_features(
            self.corpus,
            FEATURE_SETS.get(config.features.name),
            config.features,
            self._cache / "features",
            perturbation=config.perturbation,
            copy=copy,
            progress=self._observer.extraction_progressed,
        )
        if copy == 0:
            self._sounds = store.sounds
        refuse_misplaced_copies(self.corpus, self._sounds, store.sounds)
        return UtteranceFeatures.of(store, self.device)

    def _concrete(self, sampled: dict[str, Value], seed: int) -> AnyTrial:
        """A trial's configuration with nothing left to decide: no `auto`."""
        decided: dict[str, Value] = {"training.device": self.device.type, "training.precision": self.precision}
        return self.definition.trial(sampled | decided, seed=seed)

    def _measured_precision(self, base: AnyTrial) -> str:
        """The arithmetic for the published configuration: where it is `auto`, the faster one."""
        if ARCHITECTURES.get(base.model.name).solve is not None:
            return "float32"
        data = self.data(base)
        recipe = recipe_of(base, data.emotions, self.definition.config.protocol.aggregation)
        train = self.folds[0].train
        scaling = data.features.moments.scaling(train, base.normalisation)
        scalings = scaling_of_utterances(
            data.features.moments, base.normalisation, train=scaling, speakers=data.speakers
        )
        reader = recipe.reader(data.features, train, *scalings, overlap=True)
        inputs = reader.gather(np.arange(min(base.training.batch_size, len(reader))))
        network = recipe.build_network().to(self.device)
        return pick_precision(base.training.precision, self.device, network, inputs, self._cache / "precision")
