"""The protocol fingerprint: everything that changes what a score means, and its hash.

Scores with different fingerprints are never ranked together.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..corpora import Corpus
from ..folds import Fold
from .definition import AnyStudy

__all__ = ["Protocol"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a study's scores mean."""

    facts: Mapping[str, str]
    """Name to value, in words."""

    @classmethod
    def of(cls, config: AnyStudy, corpus: Corpus, folds: Sequence[Fold]) -> "Protocol":
        """Collect the facts of a study.

        Args:
            config: Normalisation scope, aggregation and epoch selection come from it.
            corpus: Its content and classes count.
            folds: Who validates and who is tested count.
        """
        sides = [f"{'+'.join(fold.validation_speakers)}/{'+'.join(fold.test_speakers)}" for fold in folds]
        return cls(
            facts={
                "score": "pooled validation UAR, utterance level",
                "corpus": corpus.name,
                "corpus_digest": corpus.digest,
                "emotions": " ".join(corpus.emotions),
                "folds": f"{len(folds)}: validation/test {' '.join(sides)}",
                "normalisation_scope": config.normalisation.scope
                + (" (transductive)" if config.normalisation.scope == "speaker" else ""),
                "aggregation": config.protocol.aggregation,
                "epoch_selection": config.training.selection,
            }
        )

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits."""
        return hashlib.sha256(json.dumps(dict(self.facts), sort_keys=True).encode()).hexdigest()[:12]

    def differences(self, other: Mapping[str, str]) -> str:
        """How another study's facts differ, in words; empty where they do not."""
        return "; ".join(
            f"{name} is '{self.facts.get(name)}', not '{other.get(name)}'"
            for name in sorted(set(self.facts) | set(other))
            if self.facts.get(name) != other.get(name)
        )
