"""The protocol fingerprint: a hash of everything that changes the meaning of a score.

Scores with different fingerprints are never ranked together.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..audit import text_baseline
from ..config import NormalisationSettings, TrainingSettings
from ..corpora import Corpus, nobody_in_words
from ..definition import Difference, StudyDefinition, differences_of, metrics_of, worded
from ..errors import ProtocolError
from ..folds import SCHEMES, Fold
from ..metrics import DEFAULT_METRIC, Metric
from ..tasks import DEFAULT_TASK, TASKS, Targets, Task
from .official_split import OFFICIAL, official_in_words
from .pretraining import pretraining_of
from .score_limits import ELSEWHERE, WARNINGS

__all__ = ["Protocol"]

LONGEST_FACT = 4000
"""Characters; MLflow's tags take 8,000 at most, and cut what is longer."""
LONGEST_TAG = 8000
EMPTY = {"mapping": "by name", "styles": "not told apart"}
"""The text of an empty list; of others it is `none`."""
TRANSDUCTIVE = {"speaker": " (transductive)", "corpus": " (transductive for corpora without training speakers)"}
"""Scopes of normalisation that use recordings of held-out speakers."""
FOLDS = "folds"
SCHEME = "scheme"
TASK, TASK_SETTINGS, OBJECTIVES = "task", "task_settings", "objectives"
"""Facts that are left out where they are the usual ones."""
Fact: TypeAlias = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Protocol:
    """The facts that give a study's scores their meaning."""

    facts: Mapping[str, Fact]
    """Name to value: a text, or a list of names. A list that is too long for a tag becomes a text with its hash. Only
    this module reads it."""

    @classmethod
    def of(cls, definition: StudyDefinition, corpus: Corpus, targets: Targets, folds: Sequence[Fold]) -> "Protocol":
        """Collect the facts of a study; its encoder's pretraining and the corpus's text baseline are among them."""
        config, task = definition.config, definition.task
        # Sorted, because the order in which folds are trained means nothing
        sides = _fitting(FOLDS, tuple(sorted(fold.key for fold in folds)))
        if official := folds[0].official:
            sides = f"1: {official_in_words(corpus, folds)}, SHA-256 {official}"
        # Facts that most studies do not have are left out there, so that their fingerprints stay those of before
        rare = _facts_of_goal(definition)
        if (baseline := text_baseline(corpus.utterances, folds, targets, task=task)) is not None:
            rare |= baseline.facts
        if (pretraining := pretraining_of(corpus.readers, config.features, config.model)) is not None:
            rare |= pretraining.facts
        if config.protocol.scheme in SCHEMES:
            rare[SCHEME] = config.protocol.scheme
        if (kinds := tuple(map(str, definition.choices("adaptation.kind")))) != ("none",):
            rare["adaptation"] = _adaptation(kinds, config.adaptation.heard)
        if config.protocol.near_identical == "allow":
            rare["near_identical"] = "recordings on two sides are allowed"
        if config.protocol.text_independent:
            rare["texts"] = f"no text on two sides, SHA-256 {_texts_digest(corpus)}"
        if corpus.is_union:
            rare |= _facts_of_union(corpus)
        if corpus.names_as_written:
            rare["names_as_written"] = _fitting("names_as_written", corpus.names_as_written)
        if corpus.nobody.any():
            nobody = [corpus.utterances[number] for number in np.flatnonzero(corpus.nobody)]
            left_out = sum(utterance.is_held_out for utterance in nobody) if official else 0
            rare["nobody"] = nobody_in_words(nobody, len(corpus.utterances), left_out=left_out)
        return cls(
            facts={
                "score": f"pooled validation {definition.objective.title}, utterance level",
                "corpus": "+".join(sorted(corpus.readers)) if corpus.is_union else corpus.reader,
                "corpus_digest": corpus.digest,
                _names_fact(task): targets.names,
                "merged": corpus.merged,
                "styles": corpus.styles,
                FOLDS: sides,
                "holdout": _fitting("holdout", tuple(sorted(set(config.protocol.holdout)))),
                "normalisation_scope": _scope(config.normalisation),
                "aggregation": config.protocol.aggregation,
                "epoch_selection": _epoch_selection(config.training, definition.objective),
                **rare,
            }
        )

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Protocol":
        """Read the result of `stored` or `tags`."""
        return cls(facts={name: _read(value) for name, value in stored.items()})

    @property
    def stored(self) -> dict[str, str | list[str]]:
        """The facts as JSON."""
        return {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in self.facts.items()}

    @property
    def tags(self) -> dict[str, str]:
        """The facts as MLflow's tags: lists as JSON text."""
        return {
            name: json.dumps(fact, ensure_ascii=False) if isinstance(fact, tuple) else fact
            for name, fact in self.facts.items()
        }

    @property
    def in_words(self) -> dict[str, str]:
        """The facts as a person reads them."""
        return {name: _text(name, fact, ", ") for name, fact in self.facts.items()}

    @property
    def corpus(self) -> str:
        """The corpus's name; empty where a run has no protocol."""
        return str(self.facts.get("corpus", ""))

    @property
    def task(self) -> Task:
        """The task, whose fact classification lacks.

        Raises:
            UnknownNameError: It is a plug-in's that is not installed.
        """
        return TASKS.get(str(self.facts.get(TASK, DEFAULT_TASK)))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of predictions; the first is the objective.

        Raises:
            UnknownNameError: A metric is a plug-in's that is not installed.
        """
        return tuple(map(self.task.metric, metrics_of(self.task, self.objectives)))

    @property
    def objectives(self) -> tuple[str, ...]:
        """The names of the metrics that rank the scores, the first before others; of metrics not installed here too."""
        return self._listed(OBJECTIVES) or (DEFAULT_METRIC,)

    @property
    def objective(self) -> Metric:
        """The metric that ranks the scores."""
        return self.metrics[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each of the task's outputs, such as a class."""
        return self._listed(_names_fact(self.task))

    def elsewhere(self, names: Sequence[str]) -> dict[str, Fact]:
        """The facts that a model takes along to another corpus, where it is compared by some outputs."""
        goal = {name: self.facts[name] for name in (TASK, TASK_SETTINGS, OBJECTIVES) if name in self.facts}
        return {_names_fact(self.task): tuple(names), **goal}

    @property
    def holdout(self) -> tuple[str, ...]:
        """Speakers that the search never saw, sorted."""
        return self._listed("holdout")

    @property
    def merged(self) -> tuple[str, ...]:
        """Emotions that count as another, such as `excitement=happiness`."""
        return self._listed("merged")

    @property
    def styles(self) -> tuple[str, ...]:
        """Selected speaking styles; empty if the corpus has no styles."""
        return self._listed("styles")

    @property
    def n_folds(self) -> int:
        """Folds that were trained."""
        fact = self.facts[FOLDS]
        # "10: …" of a list that is not stored, or "10 nested searches, …"
        return len(fact) if isinstance(fact, tuple) else int(fact.split()[0].rstrip(":"))

    @property
    def is_official(self) -> bool:
        """Whether its only fold is the corpus's official split."""
        fact = self.facts.get(FOLDS, "")
        return isinstance(fact, str) and fact.startswith(f"1: {OFFICIAL} ")

    @property
    def scheme(self) -> str:
        """The scheme of the folds; empty for folds of speakers and the official split."""
        return str(self.facts.get(SCHEME, ""))

    @property
    def never_saw(self) -> str:
        """Held-out speakers and folds, as text that identifies a search of a nested study."""
        texts = self._texts
        return f"never saw {texts['holdout']}, {texts[FOLDS]}"

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits: a hash of the facts as texts."""
        return hashlib.sha256(json.dumps(self._texts, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on limits of the scores' meaning, to be shown beside every score."""
        return tuple(self._warned(WARNINGS))

    @property
    def warnings_elsewhere(self) -> tuple[str, ...]:
        """Those of them that hold for the model's scores on any corpus."""
        return tuple(self._warned(ELSEWHERE))

    def _warned(self, names: Iterable[str]) -> Iterator[str]:
        shown = self.in_words
        return (WARNINGS[name].format(shown[name]) for name in names if name in shown)

    @property
    def _texts(self) -> dict[str, str]:
        """The facts as they are hashed: the names of a list with blanks between them.

        Names with blanks are ambiguous in these texts, but not in the corpus's digest, which hashes every label.
        """
        return {name: _text(name, fact) for name, fact in self.facts.items()}

    def _listed(self, name: str) -> tuple[str, ...]:
        """A list of names; of a list that was too long to be stored, its hash; empty where the fact is missing."""
        fact = self.facts.get(name, ())
        return fact if isinstance(fact, tuple) else (fact,)

    def refuse_other(self, other: "Protocol", what: str) -> None:
        """Raise where scores of another protocol would be set beside ours.

        Args:
            other: The other protocol.
            what: The action, to open the message with.

        Raises:
            ProtocolError: They differ; the message names the facts.
        """
        if differences := self.differences(other):
            raise ProtocolError(f"{what}: their protocols differ: {worded(differences)}")

    def differences(self, other: "Protocol") -> list[Difference]:
        """The facts that another protocol has not, or has otherwise."""
        ours, theirs = self.in_words, other.in_words
        unlike = [difference.path for difference in differences_of(self._texts, other._texts)]
        return [Difference(path, ours.get(path), theirs.get(path)) for path in unlike]


def _read(value: str | Sequence[str]) -> Fact:
    if not isinstance(value, str):
        return tuple(value)
    if value.startswith("["):  # no fact that is a sentence does
        with suppress(ValueError):
            listed = json.loads(value)
            if isinstance(listed, list) and all(isinstance(name, str) for name in listed):
                return tuple(listed)
    return value


def _text(name: str, fact: Fact, separator: str = " ") -> str:
    if isinstance(fact, str):
        return fact
    listed = separator.join(fact)
    return f"{len(fact)}: validation/test {listed}" if name == FOLDS else listed or _empty(name)


def _empty(name: str) -> str:
    return EMPTY.get(name, "none")


def _fitting(name: str, names: tuple[str, ...]) -> Fact:
    """The list, or where MLflow would cut it, a text with its hash."""
    listed = " ".join(names)
    if len(listed) <= LONGEST_FACT and len(json.dumps(names, ensure_ascii=False)) <= LONGEST_TAG:
        return names
    digest = f"SHA-256 {hashlib.sha256(listed.encode()).hexdigest()}"
    return f"{len(names)}: validation/test {digest}" if name == FOLDS else digest


def _scope(settings: NormalisationSettings) -> str:
    """In words, with batch norm's only where it is not that of the training."""
    transductive = TRANSDUCTIVE.get(settings.scope, "")
    return f"{settings.scope}{transductive}{', batch norm too' if settings.batch_norm == 'speaker' else ''}"


def _adaptation(kinds: Sequence[str], others: int | None) -> str:
    """In words. The weight is left out: it changes results, not their meaning."""
    heard = "all recordings of a speaker (transductive)" if others is None else f"{others} others heard"
    return f"{' or '.join(sorted(kinds))}, {heard}"


def _names_fact(task: Task) -> str:
    """The name of the fact with a task's outputs; that of classification is `emotions`."""
    return task.answers if task.name == DEFAULT_TASK else "outputs"


def _facts_of_goal(definition: StudyDefinition) -> dict[str, Fact]:
    """Task and objectives that differ from the defaults of studies."""
    task, facts = definition.task, dict[str, Fact]()
    if task.name != DEFAULT_TASK:
        facts[TASK] = task.name
    if settings := definition.config.task.model_dump(mode="json", exclude={"name"}):
        facts[TASK_SETTINGS] = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    # Costs do not change what a score means
    if definition.ranking_metrics != (DEFAULT_METRIC,):
        facts[OBJECTIVES] = definition.ranking_metrics
    return facts


def _facts_of_union(corpus: Corpus) -> dict[str, Fact]:
    """The table that mapped the emotions of each corpus, and the classes that a corpus lacks."""
    origins = sorted(corpus.origins, key=lambda origin: origin.label)
    facts: dict[str, Fact] = {
        "label_table": _fitting("label_table", tuple(entry for origin in origins for entry in origin.table))
    }
    unused = [(origin.label, origin.mapping.unused) for origin in origins if origin.mapping is not None]
    if missing := tuple(f"{label}: {', '.join(names)}" for label, names in unused if names):
        facts["classes_missing"] = missing
    return facts


def _epoch_selection(settings: TrainingSettings, objective: Metric) -> str:
    """In words. With patience the last epoch is one that validation chose; of other selections, patience saves time."""
    chosen = settings.selection == "last" and settings.patience
    selection = settings.selection.replace("_score", f"_{objective.name}")
    return f"{selection}{f', patience {settings.patience}' if chosen else ''}"


def _texts_digest(corpus: Corpus) -> str:
    """A hash over every recording's text: texts decide the sides of text-independent folds."""
    spoken = [
        f"{content} {utterance.start_s} {utterance.end_s} {utterance.text}"
        for content, utterance in zip(corpus.contents, corpus.utterances, strict=True)
    ]
    return hashlib.sha256("\n".join(sorted(spoken)).encode()).hexdigest()
