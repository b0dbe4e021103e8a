"""Recordings that a version was trained on, found by equal and by near-identical sound."""

import numpy as np
from mlflow.entities.model_registry import ModelVersion

from ..corpora import Corpus, Sounds, corpus_sounds
from ..errors import LeakError
from ..likeness import COMPARED, nearest
from ..registry import TrainingSounds, read_training_sounds
from ..tracking import Workspace

__all__ = ["unknown_recordings"]

NAMED = 10
"""Refused utterances that a message names."""


def unknown_recordings(
    workspace: Workspace, version: ModelVersion, corpus: Corpus, *, skip_trained: bool
) -> tuple[np.ndarray, dict[str, int], list[str]]:
    """Compare the recordings of a corpus with those that a version was trained on.

    Returns:
        Numbers of the utterances that the version was not trained on, reason to number of utterances left out, and
        notes on what was compared.

    Raises:
        AudioError: A recording cannot be used.
        LeakError: The version was trained on some of the recordings, and these are not to be skipped, or on all of
            them; the message names them.
    """
    everything = np.arange(len(corpus.utterances))
    trained = read_training_sounds(workspace, version)
    if trained is None:
        note = (
            "not checked for recordings that the model was trained on: the digests of its training sounds are "
            f"gone from run {version.run_id}"
        )
        return everything, {}, [note]
    known = _known(trained, corpus_sounds(corpus, workspace.project.cache))
    model = f"{version.name}/{version.version}"
    if known and not skip_trained:
        names = [f"{corpus.utterances[number].id}{like}" for number, like in known.items()]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        raise LeakError(
            f"{model} was trained on {len(names)} of the {len(everything)} recordings: "
            f"{', '.join(names[:NAMED])}{more}; pass --skip-trained to evaluate the rest"
        )
    kept = np.delete(everything, list(known))
    if not len(kept):
        raise LeakError(f"{model} was trained on all {len(everything)} recordings")
    return kept, {"the model was trained on them": len(known)} if known else {}, [_note(trained)]


def _known(trained: TrainingSounds, sounds: Sounds) -> dict[int, str]:
    """Numbers of the recordings that were trained on, with a note on near-identical training recordings."""
    known = {number: "" for number, digest in enumerate(sounds.digests) if digest in trained.digests}
    if trained.sounds is not None:
        for number, likeness in enumerate(nearest(sounds.fingerprints, trained.sounds.fingerprints)):
            if likeness is not None:
                known.setdefault(number, f" (near-identical to {trained.names[likeness.second]})")
    return dict(sorted(known.items()))


def _note(trained: TrainingSounds) -> str:
    """A sentence on the comparison that was made."""
    total = len(trained.names)
    others = "; speakers of other recordings cannot be compared"
    if trained.sounds is None:
        return (
            f"the decoded sound of no recording equals that of one of the {total} that the model was trained on or "
            "chosen by; near-identical sound was not compared: the version's audio fingerprints are gone or damaged"
            f"{others}"
        )
    return (
        f"no recording equals, or is near-identical to, one of the {total} that the model was trained on or chosen by "
        f"({COMPARED}){others}"
    )
