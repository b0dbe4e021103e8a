"""What every corpus promises, whichever it is. A new corpus adds the builder of a small layout here."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import soundfile

from ser_tune.corpora import CORPORA, Corpus, CorpusSource, Utterance
from ser_tune.errors import CorpusError


def _recording(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(number).normal(0.0, 0.1, size=400), 16_000)


def _emodb(folder: Path) -> Path:
    names = [f"{speaker}a01{letter}a" for speaker in ("03", "08", "09") for letter in "WNT"]
    for number, name in enumerate(names):
        _recording(folder / "wav" / f"{name}.wav", number)
    return folder


def _manifest(folder: Path) -> Path:
    rows = ["path,speaker,emotion,session"]
    for number in range(6):
        _recording(folder / "sound" / f"{number}.wav", number)
        rows.append(f"sound/{number}.wav,{number % 3},{'anger' if number < 3 else 'joy'},{number % 3}")
    table = folder / "corpus.csv"
    table.write_text("\n".join(rows))
    return table


def _nothing(folder: Path) -> None:
    """The demo corpus makes its own files in the cache."""


LAYOUTS: dict[str, Callable[[Path], Path | None]] = {"demo": _nothing, "emodb": _emodb, "manifest": _manifest}


@pytest.fixture(scope="module")
def demo_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("cache")
    CORPORA.get("demo").read(None, cache)
    return cache


@pytest.fixture(params=sorted(LAYOUTS))
def load(request: pytest.FixtureRequest, tmp_path: Path, demo_cache: Path) -> Callable[..., Corpus]:
    """Load the corpus from a folder of this name, which is laid out when it is first asked for."""
    source = CORPORA.get(request.param)
    laid_out: dict[str, Path | None] = {}

    def _load(place: str = "here", *, change: Callable[[CorpusSource], CorpusSource] | None = None) -> Corpus:
        cache = tmp_path / place / "cache"
        if place not in laid_out:
            laid_out[place] = LAYOUTS[source.name](tmp_path / place / "data")
            copytree(demo_cache, cache)  # saves making it anew for each test
        return Corpus.load(change(source) if change else source, laid_out[place], cache)

    return _load


def test_every_corpus_has_a_layout_here() -> None:
    assert set(LAYOUTS) == set(CORPORA.names())


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_corpus_bears_its_name_citation_and_licence(name: str) -> None:
    source = CORPORA.get(name)
    assert source.name == name
    assert source.citation
    assert source.licence


def test_utterances_are_sorted_unique_and_exist(load: Callable[..., Corpus]) -> None:
    corpus = load()
    ids = [utterance.id for utterance in corpus.utterances]
    assert ids
    assert ids == sorted(set(ids))
    assert all(utterance.path.is_file() for utterance in corpus.utterances)
    assert all(utterance.emotion and utterance.speaker for utterance in corpus.utterances)


def test_there_are_speakers_and_emotions_enough_for_folds(load: Callable[..., Corpus]) -> None:
    # One speaker to test on, one to validate on, one to train on.
    corpus = load()
    assert len(corpus.speakers) >= 3
    assert len(corpus.emotions) >= 2
    assert all(isinstance(speaker, str) for speaker in corpus.speakers)


def test_the_digest_is_the_same_wherever_the_corpus_lies(load: Callable[..., Corpus]) -> None:
    assert load("here").digest == load("there").digest


def test_the_digest_changes_with_a_label(load: Callable[..., Corpus]) -> None:
    def _relabelled(source: CorpusSource) -> CorpusSource:
        def _read(data: Path | None, cache: Path) -> Sequence[Utterance]:
            first, *others = source.read(data, cache)
            return [replace(first, emotion=others[-1].emotion), *others]

        return replace(source, read=_read)

    assert load().digest != load(change=_relabelled).digest


def test_the_digest_changes_with_the_content_of_a_file(load: Callable[..., Corpus]) -> None:
    corpus = load()
    path = corpus.utterances[0].path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert load().digest != corpus.digest


def test_only_the_emotions_asked_for_are_kept(load: Callable[..., Corpus], tmp_path: Path) -> None:
    corpus = load()
    kept = corpus.emotions[:2]
    source = CorpusSource(name="same", read=lambda data, cache: corpus.utterances, citation="-", licence="-")
    assert Corpus.load(source, None, tmp_path, emotions=kept).emotions == kept
    with pytest.raises(CorpusError, match="has no emotion 'envy'"):
        Corpus.load(source, None, tmp_path, emotions=[*kept, "envy"])


def test_fewer_than_two_emotions_are_refused(tmp_path: Path) -> None:
    one = Utterance(id="a", path=tmp_path, speaker="s", emotion="joy")
    source = CorpusSource(name="one", read=lambda data, cache: [one], citation="-", licence="-")
    with pytest.raises(CorpusError, match="at least two"):
        Corpus.load(source, None, tmp_path)


def test_two_utterances_of_one_name_are_refused(tmp_path: Path) -> None:
    twins = [Utterance(id="a", path=tmp_path, speaker="s", emotion=emotion) for emotion in ("joy", "fear")]
    source = CorpusSource(name="twins", read=lambda data, cache: twins, citation="-", licence="-")
    with pytest.raises(CorpusError, match="two utterances called 'a'"):
        Corpus.load(source, None, tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    lost = [
        Utterance(id=emotion, path=tmp_path / f"{emotion}.wav", speaker="s", emotion=emotion)
        for emotion in ("joy", "fear")
    ]
    source = CorpusSource(name="lost", read=lambda data, cache: lost, citation="-", licence="-")
    with pytest.raises(CorpusError, match=r"fear\.wav cannot be read"):
        Corpus.load(source, None, tmp_path)
