"""The trainer of a study: leak checks, features, device and precision, then the jobs of its folds."""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from ..architectures import ARCHITECTURES
from ..config import Value
from ..corpora import corpus_sounds
from ..device import describe_device, pick_device, pick_precision, using_threads
from ..errors import ConfigError, StorageError
from ..execution import EXECUTORS
from ..features import FEATURE_SETS, Extraction, FeatureStore, copy_key, extract_features
from ..folds import Fold
from ..project import Project
from ..protocol import (
    Prepared,
    bond_of_likeness,
    refuse_fitted_leaks,
    refuse_leaks,
    refuse_misplaced_copies,
    refuse_uncounted_sounds,
)
from ..training import (
    AnyTrial,
    CachedData,
    DataReader,
    EpochReport,
    FittedNetwork,
    FoldJob,
    RangeTest,
    TrainingData,
    fold_seed,
    fold_statistics,
    recipe_of,
    run_range_test,
    train_fold,
)
from .observer import StudyObserver

__all__ = ["Trainer", "find_learning_rate"]


class Trainer:
    """Makes and runs the jobs of a prepared study, on this machine's device and in one arithmetic."""

    def __init__(
        self,
        prepared: Prepared,
        cache: Path,
        *,
        precision: str | None = None,
        threads: int | None = None,
        observer: StudyObserver | None = None,
        led: bool = False,
    ) -> None:
        """Look for leaks, extract the features of the default configuration, and pick device, threads and precision.

        Args:
            prepared: The study.
            cache: The project's cache folder.
            precision: The arithmetic that an earlier session picked; None picks it here.
            threads: CPU threads of a fold that an earlier session picked; `training.threads` wins.
            observer: Receives the progress of decoding and of feature extraction.
            led: The process that started this one has looked for near-identical sound and statistics of other speakers.

        Raises:
            AudioError: A recording cannot be used.
            ConfigError: The device is not there.
            LeakError: Something of held-out speakers would reach training.
            StorageError: The cache cannot be written, or is damaged.
        """
        definition, corpus, folds = prepared.definition, prepared.corpus, prepared.folds
        self.prepared, self.device = prepared, pick_device(definition.config.training.device)
        self.cache, self._observer = cache, observer or StudyObserver()
        sounds = corpus_sounds(corpus, cache, progressed=self._observer.listening_progressed)
        protocol = definition.config.protocol
        self._sounds = sounds.digests
        alike = [bond_of_likeness(corpus, sounds)] if protocol.near_identical == "refuse" and not led else []
        refuse_leaks(
            corpus,
            folds,
            self._sounds,
            text_independent=protocol.text_independent,
            holdout=protocol.holdout,
            further=alike,
        )
        self._read = DataReader(cache / "features")
        settings = definition.config.study
        self.executor = EXECUTORS.get(settings.executor).build(settings, cache / "features", self.train)
        self._entries: dict[tuple[str, str], str] = {}
        self._threads = threads
        base = definition.trial({"training.device": self.device.type})
        data = self.data(base)
        if not led:
            refuse_fitted_leaks(base, data, folds)
        self.precision = precision or self._measured_precision(base, data)

    @cached_property
    def threads(self) -> int:
        """CPU threads of a fold."""
        definition, folds = self.prepared.definition, self.prepared.folds
        setting = definition.config.training.threads
        return (self._threads or self.executor.threads(len(folds))) if setting == "auto" else setting

    def agree(self, precision: str | None, threads: int | None) -> None:
        """Take over the picks of another process of the study; None is not picked."""
        self.precision = precision or self.precision
        if threads is not None and threads != self._threads:
            self._threads = threads
            self.__dict__.pop("threads", None)

    def concrete(self, sampled: Mapping[str, Value], *, seed: int | None = None) -> AnyTrial:
        """A configuration with nothing left to decide: no `auto`.

        Args:
            sampled: Dotted path to value, for each search range.
            seed: The trial's own; None keeps the study's.

        Raises:
            ConfigError: The values do not go together.
        """
        decided: dict[str, Value] = {
            "training.device": self.device.type,
            "training.precision": self.precision,
            "training.threads": self.threads,
        }
        return self.prepared.definition.trial({**sampled, **decided}, seed=seed)

    def describe_device(self) -> str:
        """The device and its threads, in words."""
        return describe_device(self.device, self.threads)

    def job(self, config: AnyTrial, fold: Fold) -> FoldJob:
        """The job of one fold of a concrete configuration.

        Raises:
            AudioError: A recording or its copy cannot be used.
        """
        return self.job_of(config, fold.train, fold.validation, seed=fold_seed(config.seed, fold.number))

    def job_of(self, config: AnyTrial, train: np.ndarray, validation: np.ndarray, *, seed: int) -> FoldJob:
        """The same for other sides than a fold's; arguments are those of `FoldJob`."""
        return FoldJob(
            config=config,
            data=self._cached(config),
            train=train,
            validation=validation,
            seed=seed,
            goal=self.prepared.definition.goal,
        )

    def train(self, job: FoldJob, on_epoch: Callable[[EpochReport], None] = lambda _: None) -> FittedNetwork:
        """Run a job in this process; errors are those of `train_fold`."""
        return train_fold(job, self._read, on_epoch)

    def data(self, config: AnyTrial) -> TrainingData:
        """The corpus with a configuration's features, extracted where the cache does not have them."""
        return self._read(self._cached(config), config)

    def _cached(self, config: AnyTrial) -> CachedData:
        corpus, unlabelled = self.prepared.corpus, self.prepared.unlabelled
        entries = [self._entry(config, copy) for copy in range(config.perturbation.copies + 1)]
        if reads := unlabelled is not None and config.alignment.reads_unlabelled:
            entries.append(self._unlabelled_entry(config))
        return CachedData(
            features=tuple(entries),
            targets=self.prepared.targets,
            speakers=corpus.speaker_numbers,
            corpora=corpus.part_numbers if len(corpus.parts) > 1 else None,
            unlabelled=reads,
        )

    def _entry(self, config: AnyTrial, copy: int) -> str:
        """The name of the cached features of all utterances, or of one of their copies."""
        key = (config.features.model_dump_json(), copy_key(config.perturbation, copy))
        if key not in self._entries:
            corpus, folder = self.prepared.corpus, self.cache / "features"
            feature_set = FEATURE_SETS.get(config.features.name)
            wanted = Extraction(corpus, feature_set, config.features, config.perturbation, copy)
            progress = self._observer.extraction_progressed
            entry = extract_features(wanted, folder, progress=progress, shards=self.executor.shards)
            sounds = FeatureStore.open(folder / entry).sounds
            if copy == 0 and sounds != self._sounds:
                raise StorageError(
                    f"the cached features in '{folder / entry}' are of another sound than the recordings; delete that "
                    "folder to extract them again"
                )
            refuse_misplaced_copies(corpus, self._sounds, sounds)
            self._entries[key] = entry
        return self._entries[key]

    def _unlabelled_entry(self, config: AnyTrial) -> str:
        """The name of the cached features of the unlabelled speech."""
        key, unlabelled = (config.features.model_dump_json(), "unlabelled"), self.prepared.unlabelled
        assert unlabelled is not None
        if key not in self._entries:
            wanted = Extraction(unlabelled, FEATURE_SETS.get(config.features.name), config.features)
            progress, shards = self._observer.extraction_progressed, self.executor.shards
            entry = extract_features(wanted, self.cache / "features", progress=progress, shards=shards)
            heard = FeatureStore.open(self.cache / "features" / entry).sounds
            refuse_uncounted_sounds(unlabelled, self.prepared.corpus, heard, self._sounds)
            self._entries[key] = entry
        return self._entries[key]

    def _measured_precision(self, base: AnyTrial, data: TrainingData) -> str:
        """The arithmetic for the default configuration: where it is `auto`, the faster one."""
        if ARCHITECTURES.get(base.model.name).solve is not None:
            return "float32"
        recipe = recipe_of(base, data.targets.names, self.prepared.definition.goal)
        train = self.prepared.folds[0].train
        statistics = fold_statistics(base, data, train)
        scalings = (statistics.scalings, statistics.scaling_number)
        reader = recipe.reader(data.features, train, scalings, overlap=True)
        inputs = reader.gather(np.arange(min(base.training.batch_size, len(reader))))
        network = recipe.build_network().to(self.device)
        with using_threads(self.threads):
            return pick_precision(base.training.precision, self.device, network, inputs, self.cache / "precision")


def find_learning_rate(prepared: Prepared, project: Project, observer: StudyObserver) -> RangeTest:
    """Run the range test of a study's default configuration in its first fold, with trial 0's random numbers.

    Args:
        prepared: The study; its validation and test speakers are not used.
        project: Its cache folder holds the features.
        observer: Receives the progress of feature extraction.

    Raises:
        SerTuneError: Input fails, or there is no rate to suggest.
    """
    definition, fold = prepared.definition, prepared.folds[0]
    if ARCHITECTURES.get(name := definition.config.model.name).solve is not None:
        raise ConfigError(f"{name} is solved, not trained by gradient descent: it has no learning rate to look for")
    trainer = Trainer(prepared, project.cache, observer=observer)
    config = trainer.concrete({})
    seed = fold_seed(config.seed, fold.number)
    return run_range_test(config, trainer.data(config), fold.train, seed=seed, goal=definition.goal)
