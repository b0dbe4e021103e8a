"""EmoDB: names are labels, and the real corpus has the counts its authors state."""

from collections import Counter
from pathlib import Path

import pytest

from ser_tune.audio import read_speech
from ser_tune.corpora import Corpus
from ser_tune.corpora.check import check_corpus
from ser_tune.corpora.emodb import CORPUS, EMOTION_COUNTS, EMOTIONS, SPEAKER_COUNTS, read
from ser_tune.errors import CorpusError

REAL = Path(__file__).parents[3] / "shared" / "corpora" / "emodb"


@pytest.fixture
def real() -> Path:
    if not REAL.is_dir():
        pytest.skip(f"the real EmoDB is not at {REAL}")
    return REAL


def _files(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_the_root_and_its_wav_folder_are_both_accepted(tmp_path: Path) -> None:
    wav = _files(tmp_path / "wav", "03a01Fa.wav", "16b10Wb.WAV", "._03a01Fa.wav", "notes.txt")
    _files(tmp_path / "silb", "hello.wav")
    assert read(tmp_path, tmp_path) == read(wav, tmp_path)
    first, second = read(tmp_path, tmp_path)
    assert (first.id, first.speaker, first.emotion, first.text) == ("03a01Fa", "03", "happiness", "a01")
    assert (second.id, second.speaker, second.emotion, second.text) == ("16b10Wb", "16", "anger", "b10")


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no \.wav files in"):
        read(tmp_path, tmp_path)
    with pytest.raises(CorpusError, match=r"'.*nowhere' is not a folder"):
        read(tmp_path / "nowhere", tmp_path)
    with pytest.raises(CorpusError, match="pass --data DIR"):
        read(None, tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hello.wav", "'hello' does not follow SStttEv"),
        ("XXa01Fa.wav", "'XXa01Fa' does not follow SStttEv"),
        ("03a01Qa.wav", "unknown emotion letter 'Q'; expected one of A, E, F, L, N, T, W"),
    ],
)
def test_a_name_off_the_scheme_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read(_files(tmp_path, "03a01Fa.wav", name), tmp_path)


def test_the_real_corpus_has_its_known_counts(real: Path, tmp_path: Path) -> None:
    corpus = Corpus.load(CORPUS, real, tmp_path)
    assert len(corpus.utterances) == 535
    assert corpus.emotions == tuple(sorted(EMOTIONS.values()))
    assert Counter(utterance.emotion for utterance in corpus.utterances) == EMOTION_COUNTS
    assert Counter(utterance.speaker for utterance in corpus.utterances) == SPEAKER_COUNTS
    assert len({utterance.text for utterance in corpus.utterances}) == 10
    assert CORPUS.archive is not None
    assert corpus.digest == CORPUS.archive.digest


@pytest.mark.slow
def test_nothing_is_wrong_with_the_real_corpus(real: Path, tmp_path: Path) -> None:
    found = check_corpus(CORPUS, real, tmp_path)
    assert found.ok
    assert found.problems == ()
    assert found.sample_rates_hz == {16_000: 535}
    assert found.channels == {1: 535}


@pytest.mark.slow
def test_the_real_recordings_decode_to_their_known_length(real: Path, tmp_path: Path) -> None:
    lengths_s = [len(read_speech(utterance.path)) / 16_000 for utterance in read(real, tmp_path)]
    assert min(lengths_s) == pytest.approx(1.23, abs=0.01)
    assert max(lengths_s) == pytest.approx(8.98, abs=0.01)
    assert sum(lengths_s) / 3600 == pytest.approx(0.413, abs=0.001)
