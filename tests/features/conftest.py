"""Small corpora of generated sound."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_tune.corpora import Corpus, CorpusSource, Utterance


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[..., Corpus]:
    """Write recordings of given lengths and read them as a corpus; two speakers and two emotions take turns."""

    def _make(*durations_s: float, name: str = "noise") -> Corpus:
        folder = tmp_path / name
        folder.mkdir()
        utterances = []
        for number, duration_s in enumerate(durations_s):
            path = folder / f"{number}.wav"
            soundfile.write(path, np.random.default_rng(number).normal(0.0, 0.1, round(duration_s * 16_000)), 16_000)
            emotion, speaker = ("joy", "fear")[number % 2], ("s1", "s2")[number // 2 % 2]
            utterances.append(Utterance(id=str(number), path=path, speaker=speaker, emotion=emotion))
        source = CorpusSource(name=name, read=lambda data, cache: utterances, citation="-", licence="-")
        return Corpus.load(source, None, tmp_path)

    return _make
