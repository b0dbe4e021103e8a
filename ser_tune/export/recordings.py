"""Recordings that an exported model is checked on: of the corpus that the model was trained on, where it is here."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from mlflow import MlflowClient
from mlflow.entities import Run

from ..audio import SAMPLE_RATE_HZ, length_s, read_speech
from ..config import Project
from ..corpora import CORPORA, Corpus, Utterance
from ..errors import CorpusError, SerTuneError
from ..protocol import load_corpus
from ..results import recorded
from ..tracking import MEMBERS_TAG

__all__ = ["DEMO", "pick_recordings"]

COUNT = 8
"""Recordings to check on."""
DEMO = "demo (synthesised; the model's own corpus is not here)"


def pick_recordings(
    client: MlflowClient, run: Run, project: Project, scratch: Path, *, longest_s: float | None
) -> tuple[Sequence[Path], str]:
    """Choose recordings: the shortest, the longest, and others between them by length.

    Args:
        client: MLflow.
        run: Of the model's version.
        project: Where the cache is.
        scratch: Folder for stretches of long recordings.
        longest_s: Longer recordings are left out; None leaves out none.

    Returns:
        Their files, and the corpus in words.
    """
    try:
        member = run.data.tags.get(MEMBERS_TAG, run.info.run_id).split()[0]  # all members share the corpus
        corpus = load_corpus(recorded(client, client.get_run(member))[0], project)
        return _files(corpus.utterances, scratch, longest_s), corpus.name
    except SerTuneError:
        demo = Corpus.load(CORPORA.get("demo"), None, project.cache)
        return _files(demo.utterances, scratch, longest_s), DEMO


def _files(utterances: Sequence[Utterance], scratch: Path, longest_s: float | None) -> list[Path]:
    timed = sorted(
        ((length_s(one.path, start_s=one.start_s, end_s=one.end_s), one) for one in utterances),
        key=lambda pair: (pair[0], pair[1].id),
    )
    usable = [one for seconds, one in timed if seconds and (longest_s is None or seconds <= longest_s)]
    if not usable:
        raise CorpusError(f"no recording lasts {longest_s:g} s or less; name others with --recording")
    chosen = [usable[place] for place in np.unique(np.linspace(0, len(usable) - 1, COUNT).round().astype(int))]
    files = []
    for number, one in enumerate(chosen):
        if one.start_s == 0 and one.end_s is None:
            files.append(one.path)
            continue
        stretch = scratch / f"stretch-{number}.wav"
        soundfile.write(
            stretch, read_speech(one.path, start_s=one.start_s, end_s=one.end_s), SAMPLE_RATE_HZ, subtype="FLOAT"
        )
        files.append(stretch)
    return files
