"""`StudyConfig`: a trial's configuration, and the settings of corpus, protocol and search."""

import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypedDict

from pydantic import Field, GetCoreSchemaHandler, field_validator, model_validator
from pydantic_core import core_schema

from ..errors import brief
from .base import Settings
from .corpus_settings import CorpusSettings
from .leaves import Leaf, leaves
from .ranges import Range, parse_range
from .roles import Flag, Role
from .trial import FeatureT, LossT, ModelT, TaskT, TrialConfig

__all__ = ["ProtocolSettings", "SearchSettings", "StudyConfig", "flagged_settings"]

LONGEST_NAME = 200
"""Characters; MLflow keeps 250 of a run's name, and names made of a study's are longer."""
UNWRITABLE = {"Cc": "a control character", "Cs": "half a character", "Zl": "a line break", "Zp": "a line break"}
"""By Unicode category."""


class CorpusChoice(TypedDict):
    """The choice of utterances as `Corpus.load` takes it; None leaves it to the corpus."""

    emotions: tuple[str, ...] | None
    styles: tuple[str, ...] | None
    merge: Mapping[str, str] | None


class ProtocolSettings(Settings):
    """The meaning of a score. Scores of different protocols are never ranked together."""

    scheme: Annotated[
        Literal["speakers", "leave-one-corpus-out", "leave-one-language-out", "train-test"],
        Role.ADDED,
        Flag("--scheme"),
    ] = "speakers"
    """Held-out sides of folds: speakers, in a union those of all corpora; a corpus, or all corpora of a language, of a
    union at a time; or the corpora of protocol.test_corpora, while all others train."""
    test_corpora: Annotated[tuple[str, ...], Role.ADDED, Flag("--test-corpus", metavar="LABEL")] = ()
    """Corpora of a union, by label, that scheme train-test tests on."""
    folds: Annotated[int, Field(ge=3, le=1000)] | None = None
    """Number of speaker folds; none means the corpus's own protocol: its official split, where it has one."""
    folds_file: Annotated[Path | None, Flag("--folds", metavar="FILE|N")] = None
    """A CSV file path,fold,split of folds to use instead of the corpus's own; the option also takes their number. The
    file is refused where a speaker is on two sides, or an utterance on none."""
    fold_limit: Annotated[Annotated[int, Field(ge=1, le=1000)] | None, Role.CIRCUMSTANCE] = None
    """Train only the first so many of the folds, for a quick look; none means all."""
    holdout: Annotated[tuple[str, ...], Flag("--holdout", metavar="SPEAKER")] = ()
    """Speakers that the search never sees; the chosen trial is scored on them at the end. In a union, a label with a
    colon, such as urdu:, is all speakers of that corpus."""
    text_independent: Annotated[bool, Flag("--text-independent")] = False
    """The sides of a fold share neither speakers nor spoken texts. Utterances whose text belongs to another side are
    not used in that fold."""
    near_identical: Literal["refuse", "allow"] = "refuse"
    """Refuse recordings on two sides of a fold that are equal but for level, sample rate, codec, noise, cut or added
    ends, speed or reverberation. Allow them only where they are different recordings after all."""
    emotions: tuple[str, ...] | None = None
    """Keep only these emotions, after merging; none means those of the corpus's task."""
    styles: tuple[str, ...] | None = None
    """Keep only these speaking styles, such as iemocap's improvised and scripted; none means those of the task."""
    merge: tuple[Annotated[str, Field(pattern=r"^[^=]+=[^=]+$")], ...] | None = None
    """Emotions that count as another, such as excitement=happiness; none means as the task has it."""
    aggregation: str = "mean_log_softmax"
    """Combination of the predictions of an utterance's segments, one of the task's ways, of which the first is the
    default. Classification has four: the mean of log probabilities or of
    probabilities, the largest probability of each class (Kittler et al. 1998, IEEE TPAMI 20(3)), or the mean of
    probabilities weighted by the softmax of negative entropies, so that certain segments count more."""

    @field_validator("test_corpora", "holdout", "emotions", "styles", "merge")
    @classmethod
    def _in_any_order(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if names is None else tuple(sorted(set(names)))

    @field_validator("merge")
    @classmethod
    def _merged_once(cls, merge: tuple[str, ...] | None) -> tuple[str, ...] | None:
        merged = [pair.partition("=")[0] for pair in merge or ()]
        if double := sorted({emotion for emotion in merged if merged.count(emotion) > 1}):
            raise ValueError(f"protocol.merge counts '{double[0]}' as two emotions: {', '.join(merge or ())}")
        return merge

    @property
    def choice(self) -> CorpusChoice:
        """The utterances that are kept."""
        merge = None if self.merge is None else dict(pair.split("=") for pair in self.merge)
        return {"emotions": self.emotions, "styles": self.styles, "merge": merge}

    @model_validator(mode="after")
    def _tests_named_corpora(self) -> Self:
        if self.scheme == "train-test" and not self.test_corpora:
            raise ValueError("protocol.scheme is train-test; expected protocol.test_corpora, the corpora to test on")
        if self.test_corpora and self.scheme != "train-test":
            raise ValueError(
                f"protocol.test_corpora is {', '.join(self.test_corpora)}, but protocol.scheme is {self.scheme}; "
                "expected scheme train-test, or no test corpora"
            )
        return self

    @model_validator(mode="after")
    def _scheme_alone(self) -> Self:
        others = {"folds": self.folds, "folds_file": self.folds_file, "text_independent": self.text_independent}
        if self.scheme != "speakers" and (given := [name for name, value in others.items() if value]):
            raise ValueError(
                f"protocol.scheme {self.scheme} and protocol.{given[0]} exclude each other: the scheme has a fold for "
                "each part that it holds out, whose texts are its own; leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _own_folds_alone(self) -> Self:
        others = {"folds": self.folds, "holdout": self.holdout, "text_independent": self.text_independent}
        if self.folds_file and (given := [name for name, value in others.items() if value]):
            raise ValueError(
                f"protocol.folds_file and protocol.{given[0]} exclude each other: the file has all sides of all folds"
            )
        return self

    @model_validator(mode="after")
    def _texts_without_holdout(self) -> Self:
        if self.text_independent and self.holdout:
            raise ValueError(
                "protocol.text_independent and protocol.holdout exclude each other: speakers that are held out speak "
                "texts that were trained on"
            )
        return self


class SearchSettings(Settings):
    """The search: its length, its parts, what it keeps, and where it trains."""

    objectives: tuple[str, ...] = ()
    """The first is the metric that ranks trials, ends hopeless ones early, selects epochs and promotes; none means the
    task's own, such as uar. With more of them the search looks for a Pareto front: further metrics,
    worst_group_METRIC:ATTRIBUTE (the worst group's score, such as worst_group_uar:gender), stressed_METRIC and
    worst_condition_METRIC (mean and worst of worse recordings), size_mb, macs and seconds_per_second (on this machine).
    Metrics are part of the protocol."""
    prefer: Annotated[str | None, Role.ADDED] = None
    """With several objectives: the study chooses the trial of the Pareto front that is best by this one, to register
    it, and in each search of --nested; none means the first objective."""
    trials: Annotated[int, Field(ge=1, le=1_000_000), Flag("--trials")] = 50
    """Trials of the study in total; running it again resumes, or does nothing."""
    timeout_s: Annotated[Annotated[float, Field(gt=0)] | None, Flag("--timeout", metavar="SECONDS")] = None
    """Start no new trial after so many seconds."""
    grace_s: Annotated[float, Field(gt=0)] = 60.0
    """Seconds of silence after which a process of another machine or container is taken for dead, and its trial is run
    again. A process of this machine that has ended is known at once."""
    max_failures: Annotated[Annotated[int, Field(ge=1)] | None, Flag("--max-failures", metavar="N")] = 5
    """End the study where so many trials in a row have failed, as where no configuration fits the memory; none means
    never. The same command goes on."""
    stop_when_converged: Annotated[bool, Flag("--stop-when-converged")] = False
    """End the search where little is left to gain. It ends after 20 complete trials or more, where an upper bound of
    the gain left in the ranges is below the standard error of the best score over its folds (Makarova et al. 2022). The
    best configurations are confirmed as otherwise."""
    confirm: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    """Share of the trials that trains the best configurations again on fresh seeds; the best mean wins. 0 takes the
    best trial of the search. Models that are solved without random numbers need none."""
    warm_start: Annotated[tuple[str, ...], Flag("--warm-start", metavar="STUDY")] = ()
    """Studies of the same protocol whose five best trials are trained first, after the published and the default
    configuration. Values that this study does not search stay its own, those outside its ranges become the nearest.
    Each search of a nested study starts from the search of another nested study that held out the same speakers."""
    sampler: Annotated[str, Flag("--sampler", completes="samplers")] = "tpe"
    """Sampler that proposes values: Optuna's tpe (multivariate), random, qmc or gp, or any class of optuna.samplers,
    such as NSGAIISampler."""
    pruner: Annotated[str, Flag("--pruner", completes="pruners")] = "racing"
    """When to give a trial up: racing, none, or a class of optuna.pruners, such as MedianPruner. racing: after a fold,
    where its paired fold scores make it improbable that it ends as good as the best trials; after an epoch, where no
    gain that a complete trial has made could change that. A class of optuna.pruners decides after each fold, by the
    mean of the folds so far."""
    startup_trials: Annotated[int, Field(ge=1)] = 8
    """Trials that are sampled at random, before the search learns from them."""
    race_after: Annotated[int, Field(ge=2)] = 5
    """Complete trials that racing waits for."""
    race_error: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Racing: probability that a trial that would end worse than the mean of the five best by 0.03 of the range that
    scores can have (where that is open, of the range of the complete trials' folds) is given up before, over all folds;
    of better trials it is less."""
    complete_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Racing: share of the trials that runs to the end at least, so that not only survivors are compared with."""
    keep_models: Annotated[Annotated[int, Field(ge=1)] | Literal["all"], Flag("--keep-models", metavar="N")] = "all"
    """Trials whose models are kept: all, or the best so many."""
    promotion: Annotated[str, Flag("--rule", completes="promotion_rules")] = "better"
    """When a new version becomes champion: better, confident (p < 0.05), robust (in worse recordings), gated or always.
    better: its validation score by the objective, such as UAR, is better; confident: and the paired permutation test
    over speakers gives p < 0.05; robust: and it loses no more of that score than the champion in worse recordings of
    the validation speakers (noise, babble, room, telephone, codecs, clipping, low level, trimmed silence). p is
    multiplied by the complete trials of the larger search (Bonferroni), which chose on the same speakers. Where both
    versions are confirmed, their means over fresh seeds are compared. Else the worse confidence bound of a confirmed
    one must be better than the champion's. gated: better, and it passes the tests of study.tests. Under another
    protocol it never becomes champion."""
    tests: Annotated[Path | None, Role.ADDED] = None
    """Rule gated: the file of tests that a version must pass on the validation speakers; none means
    studies/gates/default.yaml, which is shipped."""
    workers: Annotated[int, Field(ge=1, le=1024), Role.PER_CALL, Flag("--workers", metavar="N")] = 1
    """Processes on this machine that train, each on one GPU where there are GPUs."""
    parallel: Annotated[Literal["trials", "folds"], Role.PER_CALL, Flag("--parallel")] = "trials"
    """Work that is shared out among workers: trials, or folds of a trial, which shortens a single trial."""
    per_gpu: Annotated[int, Field(ge=1, le=64), Role.PER_CALL, Flag("--per-gpu", metavar="K")] = 1
    """Workers that share a GPU."""
    executor: Annotated[str, Role.PER_CALL, Flag("--executor", completes="executors")] = "local"
    """Where folds are trained: local, on this machine; ray, on a Ray cluster (extra ray)."""
    ray_address: Annotated[str | None, Role.PER_CALL, Flag("--ray-address", metavar="ADDRESS")] = None
    """The Ray cluster's address; none means a running one, as of RAY_ADDRESS, or else a new one on this machine."""
    gpus_per_fold: Annotated[float, Field(gt=0, le=1), Role.PER_CALL] = 1.0
    """Ray: the share of a GPU that a fold asks for, where folds are trained on CUDA."""
    sampler_seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the sampler."""

    @field_validator("objectives")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if double := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"study.objectives names {double[0]} twice: {', '.join(names)}")
        return names

    @model_validator(mode="after")
    def _prefers_an_objective(self) -> Self:
        if self.prefer is None or (len(self.objectives) > 1 and self.prefer in self.objectives):
            return self
        if len(self.objectives) > 1:
            expected = f"one of study.objectives: {', '.join(self.objectives)}"
        else:
            expected = f"several study.objectives with it, such as [uar, {self.prefer}]"
        raise ValueError(f"study.prefer is {brief(self.prefer)}; expected {expected}")

    @model_validator(mode="after")
    def _converges_by_a_single_score(self) -> Self:
        if self.stop_when_converged and len(self.objectives) > 1:
            raise ValueError(
                "study.stop_when_converged and several study.objectives exclude each other: convergence is a bound of "
                "the gain in a single score"
            )
        return self


class _Parsed:
    """Annotation of values that `parse_range` checks: a schema of every range would take most of a study's start."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Accept any value."""
        return core_schema.any_schema()


class StudyConfig(TrialConfig[ModelT, FeatureT, LossT], Generic[ModelT, FeatureT, LossT, TaskT]):
    """A study: the default configuration, what varies around it, and the protocol that scores it."""

    name: Annotated[str | None, Role.FIXED, Role.RESUMABLE, Flag("--name")] = None
    """The study's name; none means `<corpus>-<model>-<features>`."""
    corpus: Annotated[CorpusSettings, Role.FIXED] = CorpusSettings()
    task: Annotated[TaskT, Role.FIXED]
    protocol: Annotated[ProtocolSettings, Role.FIXED] = ProtocolSettings()
    study: Annotated[SearchSettings, Role.FIXED, Role.RESUMABLE, Role.CIRCUMSTANCE] = SearchSettings()
    search: Annotated[dict[str, Annotated[Range, _Parsed]] | None, Field(json_schema_extra={"leaf": False})] = None
    """Dotted path to range for every setting that varies. None means every setting's default search range, but for
    those fixed in the study file or on the command line; an empty mapping searches nothing."""

    @field_validator("name")
    @classmethod
    def _can_be_written(cls, name: str | None) -> str | None:
        if name is not None:
            refuse_unwritable("a study's name", name)
        return name

    @model_validator(mode="after")
    def _folds_of_corpora_in_a_union(self) -> Self:
        labels, protocol = [part.label for part in self.corpus.parts], self.protocol
        if protocol.scheme != "speakers" and not self.corpus.union:
            raise ValueError(
                f"protocol.scheme is {protocol.scheme}, but the corpus is {self.corpus.shown} alone; expected several "
                "corpora, or scheme speakers"
            )
        if unknown := [name for name in protocol.test_corpora if name not in labels]:
            raise ValueError(
                f"protocol.test_corpora has '{unknown[0]}'; expected corpora of the union: {', '.join(labels)}"
            )
        if protocol.test_corpora and len(protocol.test_corpora) == len(labels):
            raise ValueError(
                f"protocol.test_corpora has all corpora of the union: {', '.join(labels)}; expected some that train"
            )
        return self

    @field_validator("search", mode="before")
    @classmethod
    def _read_ranges(cls, written: Any) -> Any:  # noqa: ANN401 - anything a YAML file can hold
        if isinstance(written, dict):
            return {str(path): parse_range(str(path), value) for path, value in written.items()}
        return written


@cache
def flagged_settings() -> Mapping[str, Leaf]:
    """Settings with a command-line option of their own, by the keyword argument of Python callers."""
    return {leaf.flag.name: leaf for leaf in leaves(StudyConfig) if leaf.flag is not None}


def refuse_unwritable(what: str, name: str) -> None:
    r"""Refuse a name that cannot be written on one line of a table, a command or an address.

    >>> refuse_unwritable("a study's name", "it's \"a/b\" 😀")
    >>> refuse_unwritable("a study's name", "a\nb")
    Traceback (most recent call last):
    ...
    ValueError: a study's name is 'a\nb', which contains '\n', a line break; expected text on one line

    Args:
        what: The name's kind in the message, such as `a study's name`.
        name: As the user wrote it.

    Raises:
        ValueError: It is blank, too long, or has control characters or line breaks.
    """
    if not name.strip():
        raise ValueError(f"{what} is {brief(name)}; expected letters, digits or signs")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"{what} has {len(name)} characters; expected at most {LONGEST_NAME}: {brief(name[:50])}…")
    for character in name:
        if (kind := UNWRITABLE.get(unicodedata.category(character))) is not None:
            kind = "a line break" if character in "\n\r\v\f\x85" else kind
            raise ValueError(
                f"{what} is {brief(name)}, which contains {character!r}, {kind}; expected text on one line"
            )
