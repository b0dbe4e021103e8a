"""The protocol of a report in sentences, and settings as they are printed."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..config import Value
from ..encoders import short_name

if TYPE_CHECKING:  # the live page needs the words of settings alone
    from ..protocol import Protocol
    from ..tracking import Predictions

__all__ = ["displayed", "protocol_in_words"]

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_SCOPES = {
    "train": "Features are normalised by statistics of the training speakers",
    "utterance": "Features are normalised by statistics of each utterance alone",
    "speaker": "Features are normalised by statistics of all recordings of a speaker, test speakers included: this is "
    "transductive",
    "corpus": "Features are normalised by statistics of the training speakers of the same corpus, and for a corpus "
    "without training speakers of all its recordings: that is transductive",
}
_SCHEMES = {
    "leave-one-corpus-out": "each of which holds out a corpus",
    "leave-one-language-out": "each of which holds out all that is spoken in a language",
    "train-test": "which holds out the test corpora",
}
_AGGREGATIONS = {
    "mean_log_softmax": "the mean of their log probabilities",
    "mean_probability": "the mean of their probabilities",
    "maximum": "the largest probability of each class",
    "confidence": "the mean of their probabilities, weighted by their certainty",
}
_SELECTIONS = {
    "last": "Each fold keeps the network of the last epoch",
    "best_validation_score": "Each fold keeps the network of the epoch with the {best} validation {title}",
    "best_validation_loss": "Each fold keeps the network of the epoch with the lowest validation loss",
    "smoothed_validation_score": "Each fold keeps the network of the epoch with the {best} validation {title}, "
    "smoothed over three epochs",
}


def displayed(path: str, value: Value | None) -> str:
    """A setting's value as a report prints it: only the folder's name of a checkpoint on this machine."""
    if value is None:
        return ""
    if path.endswith(".checkpoint") and not _HUB_NAME.fullmatch(str(value)):
        return short_name(str(value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def protocol_in_words(
    protocol: "Protocol", predictions: "Mapping[str, Predictions]", *, corpus: str, with_epochs: bool
) -> Iterator[str]:
    """Describe training, choice, test and the judgement of an utterance, each in a sentence without its dot."""
    facts, objective = protocol.in_words, protocol.objective
    if (scored := predictions.get("test", predictions.get("validation"))) is not None:
        speakers = len(set(scored.speakers))
        yield f"Corpus {corpus}: {len(scored.utterances)} scored utterances of {speakers} speakers"
    if protocol.is_official:
        split = facts["folds"].removeprefix("1: ").rpartition(",")[0]
        yield f"A single fold, the corpus's {split}. No speaker is on two sides"
    elif (held_out := _SCHEMES.get(protocol.scheme)) is not None:
        yield (
            f"{protocol.n_folds} fold{'s' * (protocol.n_folds != 1)}, {held_out}: it is tested, no utterance of it "
            "trains or validates, and a share of the speakers of each other corpus validates"
        )
    else:
        yield (
            f"{protocol.n_folds} fold{'s' * (protocol.n_folds != 1)}. In each fold, some speakers train a network, "
            "others validate, others are kept for the test; no speaker is on two sides of a fold"
        )
    if protocol.holdout:
        yield f"Speakers that no part of the search has seen: {facts['holdout']}"
    if "nobody" in facts:
        yield facts["nobody"]
    if "texts" in facts:
        yield "No text is on two sides of a fold"
    if protocol.merged:
        yield f"Emotions counted as another: {', '.join(pair.replace('=', ' as ') for pair in protocol.merged)}"
    yield f"Trials are ranked by the {objective.title} of all validation utterances together"
    yield "Test speakers are scored once, after the search, for the promoted trial"
    selection = facts.get("epoch_selection", "").split(",")[0].replace(f"_{objective.name}", "_score")
    if with_epochs and (chosen := _SELECTIONS.get(selection)) is not None:
        yield chosen.format(best="highest" if objective.higher_is_better else "lowest", title=objective.title)
    scope = facts.get("normalisation_scope", "")
    if (normalised := _SCOPES.get(re.split("[ ,]", scope)[0])) is not None:
        yield normalised
    if adapted := facts.get("adaptation"):
        yield f"Networks adapt to validation and test speakers, without labels: {adapted}"
    if (judged := _AGGREGATIONS.get(facts.get("aggregation", ""))) is not None:
        yield f"Where an utterance is cut into segments, it is judged by {judged}"
