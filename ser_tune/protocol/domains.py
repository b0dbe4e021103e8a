"""Settings of training on several corpora that only the corpus and its folds can refuse, and unlabelled speech."""

from collections.abc import Sequence

import numpy as np

from ..config import AlignmentSettings
from ..corpora import Corpus
from ..definition import StudyDefinition
from ..errors import ConfigError, LeakError
from ..folds import Fold

__all__ = ["refuse_uncounted_sounds", "refuse_unfitting_corpora", "unlabelled_in_words"]

KIND = "alignment.kind"


def refuse_unfitting_corpora(definition: StudyDefinition, corpus: Corpus, folds: Sequence[Fold]) -> None:
    """Refuse settings that are about several corpora, or unlabelled speech, where a study lacks them.

    Raises:
        ConfigError: There is such a setting.
    """
    balance, is_union = definition.config.balance.corpora, len(corpus.parts) > 1
    if not is_union and (balance or "balance.corpora" in definition.search):
        raise ConfigError(
            f"balance.corpora is {'set' if balance else 'searched'}, but the study has one corpus, {corpus.name}; "
            "leave it out, or name several corpora, such as --corpus emodb=DIR --corpus demo"
        )
    kinds, folder = list(map(str, definition.choices(KIND))), definition.config.corpus.unlabelled
    alignments = [AlignmentSettings.model_validate({"kind": kind}) for kind in kinds]
    if folder is not None and not any(alignment.reads_unlabelled for alignment in alignments):
        raise ConfigError(
            f"corpus.unlabelled is {folder}, but {KIND} {' or '.join(kinds)} reads no unlabelled speech; expected "
            "coral, adversarial or mean_teacher"
        )
    for alignment in alignments:
        if alignment.needs_unlabelled and folder is None:
            raise ConfigError(
                f"{KIND} {alignment.kind} needs speech of the target; name its folder with --unlabelled DIR"
            )
        if alignment.kind in ("whitening", "adversarial") and (folder is None or alignment.kind == "whitening"):
            _refuse_alone(alignment.kind, corpus, folds)


def _refuse_alone(kind: str, corpus: Corpus, folds: Sequence[Fold]) -> None:
    """Refuse an alignment between training corpora where there is one."""
    for fold in folds:
        trained = np.unique(corpus.part_numbers[fold.train])
        if len(trained) < 2:
            raise ConfigError(
                f"{KIND} {kind} is between training corpora, but fold {fold.number} trains on "
                f"{corpus.parts[trained[0]] or corpus.name} alone; leave it none, or add another corpus"
            )


def unlabelled_in_words(unlabelled: Corpus, corpus: Corpus) -> str:
    """The fact of a protocol on unlabelled speech: its size, its content, and its recordings that have labels too."""
    both = len(set(unlabelled.contents) & set(corpus.contents))
    return (
        f"{len(unlabelled.utterances)} recordings, {both} of them of the corpus, SHA-256 {unlabelled.audio_digest[:16]}"
    )


def refuse_uncounted_sounds(
    unlabelled: Corpus, corpus: Corpus, unlabelled_sounds: Sequence[str], sounds: Sequence[str]
) -> None:
    """Refuse unlabelled speech that has the sound of a recording of the corpus in another file.

    The protocol counts equal files alone, because it decodes none, and a score of such a recording is transductive.

    Args:
        unlabelled: Speech of the target.
        corpus: The study's.
        unlabelled_sounds: A hash of each unlabelled recording's decoded sound, shape (V,).
        sounds: The same of the corpus, shape (U,).

    Raises:
        LeakError: There is one; the message names it.
    """
    counted, number_of = set(corpus.contents), {sound: number for number, sound in enumerate(sounds)}
    for utterance, content, sound in zip(unlabelled.utterances, unlabelled.contents, unlabelled_sounds, strict=True):
        if content not in counted and sound in number_of:
            known = corpus.utterances[number_of[sound]]
            raise LeakError(
                f"corpus.unlabelled: '{utterance.path}' has the sound of '{known.id}' (speaker {known.speaker}) in "
                "another file, so the protocol does not count it as a recording of the corpus; expected the corpus's "
                "own file, or none of its recordings"
            )
