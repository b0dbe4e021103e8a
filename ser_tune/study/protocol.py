"""The protocol fingerprint: everything that changes what a score means, and its hash.

Scores with different fingerprints are never ranked together.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..audit import text_baseline
from ..config import NormalisationSettings, TrainingSettings
from ..corpora import Corpus
from ..errors import ProtocolError
from ..folds import Fold
from .definition import AnyStudy
from .differences import Difference, differences_of, worded
from .pretraining import pretraining_of

__all__ = ["Protocol"]

LONGEST_FACT = 4000
"""Characters; MLflow's tags take 8,000 at most, and cut what is longer."""
NOTHING_MERGED, ONE_STYLE = "none", "not told apart"
WARNINGS = {
    "text_baseline": (
        "text leakage: the most frequent training emotion of each text, without any sound, scores {}; a score of this "
        "corpus may come from the words"
    ),
    "pretraining": "pretraining contamination: the encoder {} learned from this corpus, test speakers included",
}
"""Facts that limit the meaning of a score, and the sentence that accompanies the score; {} is the fact's value."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a study's scores mean."""

    facts: Mapping[str, str]
    """Name to value, as text: the form that is hashed, stored as tags of runs and shown. Only this module reads it."""

    @classmethod
    def of(cls, config: AnyStudy, corpus: Corpus, folds: Sequence[Fold]) -> "Protocol":
        """Collect the facts of a study.

        Args:
            config: Normalisation scope, aggregation and epoch selection come from it, and the encoder's pretraining.
            corpus: Its content and classes count.
            folds: Who validates and who is tested count, and whether the words alone tell the tested emotions.
        """
        # What was merged into an emotion that is not kept, or into itself, is as if it was never written
        merged = sorted(
            (one, other) for one, other in corpus.merge.items() if other in corpus.emotions and one != other
        )
        # Sorted, because the order in which folds are trained means nothing
        sides = sorted(fold.key for fold in folds)
        # Facts that most studies do not have are left out there, so that their fingerprints stay those of before
        baseline = text_baseline(corpus.utterances, folds)
        rare = {} if baseline is None else baseline.facts
        if (pretraining := pretraining_of(corpus.name, config.features, config.model)) is not None:
            rare |= pretraining.facts
        if config.protocol.text_independent:
            rare["texts"] = f"no text on two sides, SHA-256 {_texts_digest(corpus)}"
        return cls(
            facts={
                "score": "pooled validation UAR, utterance level",
                "corpus": corpus.name,
                "corpus_digest": corpus.digest,
                "emotions": " ".join(corpus.emotions),
                "merged": " ".join(f"{one}={other}" for one, other in merged) or NOTHING_MERGED,
                "styles": " ".join(corpus.styles) or ONE_STYLE,
                "folds": f"{len(folds)}: validation/test {_short(' '.join(sides))}",
                "holdout": _short(" ".join(sorted(set(config.protocol.holdout)))) or "none",
                "normalisation_scope": _scope(config.normalisation),
                "aggregation": config.protocol.aggregation,
                "epoch_selection": _epoch_selection(config.training),
                **rare,
            }
        )

    @property
    def corpus(self) -> str:
        """The corpus's name; empty where a run has no protocol."""
        return self.facts.get("corpus", "")

    @property
    def emotions(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(self.facts["emotions"].split())

    @property
    def merged(self) -> tuple[str, ...]:
        """Emotions that count as another, such as `excitement=happiness`."""
        return _listed(self.facts.get("merged", NOTHING_MERGED), NOTHING_MERGED)  # runs of an earlier version lack it

    @property
    def styles(self) -> tuple[str, ...]:
        """Speaking styles that were kept; empty where the corpus does not tell them apart."""
        return _listed(self.facts.get("styles", ONE_STYLE), ONE_STYLE)

    @property
    def n_folds(self) -> int:
        """Folds that were trained."""
        return int(self.facts["folds"].split()[0].rstrip(":"))  # "10: …", or "10 nested searches, …"

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits."""
        return hashlib.sha256(json.dumps(dict(self.facts), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what limits the meaning of the scores, to be shown beside every score."""
        return tuple(words.format(self.facts[name]) for name, words in WARNINGS.items() if name in self.facts)

    def refuse_other(self, other: "Protocol", what: str) -> None:
        """Raise where scores of another protocol would be set beside ours.

        Args:
            other: The other protocol.
            what: What was to be done, to open the message with.

        Raises:
            ProtocolError: They differ; the message says in what.
        """
        if differences := self.differences(other):
            raise ProtocolError(f"{what}: their protocols differ: {worded(differences)}")

    def differences(self, other: "Protocol") -> list[Difference]:
        """The facts that another protocol has not, or has otherwise."""
        return differences_of(self.facts, other.facts)


def _listed(fact: str, none: str) -> tuple[str, ...]:
    return () if fact == none else tuple(fact.split())


def _scope(settings: NormalisationSettings) -> str:
    """In words, with batch norm's only where it is not that of the training."""
    transductive = " (transductive)" if settings.scope == "speaker" else ""
    return f"{settings.scope}{transductive}{', batch norm too' if settings.batch_norm == 'speaker' else ''}"


def _epoch_selection(settings: TrainingSettings) -> str:
    """In words. With patience the last epoch is one that validation chose; of other selections, patience saves time."""
    chosen = settings.selection == "last" and settings.patience
    return f"{settings.selection}{f', patience {settings.patience}' if chosen else ''}"


def _texts_digest(corpus: Corpus) -> str:
    """A hash over every recording's text: texts decide the sides of text-independent folds."""
    spoken = [
        f"{content} {utterance.start_s} {utterance.end_s} {utterance.text}"
        for content, utterance in zip(corpus.contents, corpus.utterances, strict=True)
    ]
    return hashlib.sha256("\n".join(sorted(spoken)).encode()).hexdigest()


def _short(text: str) -> str:
    """The text, or where MLflow would cut it, a hash that stands for it."""
    return text if len(text) <= LONGEST_FACT else f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"
