"""What every corpus promises, whichever it is. A new corpus adds the builder of a small layout here."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import soundfile

from ser_tune.corpora import CORPORA, Corpus, CorpusSource, Subset, Utterance
from ser_tune.errors import CorpusError, UnknownNameError


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


def _ravdess(folder: Path) -> Path:
    parts = [(actor, emotion) for actor in range(1, 5) for emotion in (3, 4, 5)]
    for number, (actor, emotion) in enumerate(parts):
        _recording(folder / f"Actor_{actor:02}" / f"03-01-{emotion:02}-01-02-01-{actor:02}.wav", number)
    return folder


def _crema_d(folder: Path) -> Path:
    names = [f"{speaker}_DFA_{emotion}_XX" for speaker in (1001, 1002, 1003) for emotion in ("ANG", "HAP", "SAD")]
    for number, name in enumerate(names):
        _recording(folder / "AudioWAV" / f"{name}.wav", number)
    return folder


def _savee(folder: Path) -> Path:
    parts = [(speaker, emotion) for speaker in ("DC", "JE", "JK", "KL") for emotion in ("a", "h", "su")]
    for number, (speaker, emotion) in enumerate(parts):
        _recording(folder / "AudioData" / speaker / f"{emotion}01.wav", number)
    return folder


def _tess(folder: Path) -> Path:
    parts = [(speaker, emotion) for speaker in ("OAF", "YAF") for emotion in ("angry", "happy", "sad")]
    for number, (speaker, emotion) in enumerate(parts):
        _recording(folder / f"{speaker}_{emotion}" / f"{speaker}_back_{emotion}.wav", number)
    return folder


def _iemocap(folder: Path) -> Path:
    number = 0
    for session in (1, 2):
        dialog, lines = f"Ses0{session}F_impro01", ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"]
        for label in ("ang", "hap", "neu", "sad"):
            for gender in "FM":
                turn = f"{dialog}_{gender}{number:03}"
                _recording(folder / f"Session{session}" / "sentences" / "wav" / dialog / f"{turn}.wav", number)
                lines.append(f"[{number}.0000 - {number}.9000]\t{turn}\t{label}\t[2.5000, 2.5000, 2.5000]")
                number += 1
        labels = folder / f"Session{session}" / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
        labels.parent.mkdir(parents=True)
        labels.write_text("\n\n".join(lines))
    return folder


def _msp_podcast(folder: Path) -> Path:
    consensus = ["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"]
    detailed = ["FileName,WorkerID,EmoClass_Major,EmoClass_Second,EmoAct,EmoVal,EmoDom"]
    for number, (speaker, code) in enumerate((speaker, code) for speaker in range(1, 5) for code in "ACDFHNSU"):
        name = f"MSP-PODCAST_0001_{number:04}.wav"
        _recording(folder / "Audios" / name, number)
        side = {3: "Development", 4: "Test1"}.get(speaker, "Train")
        consensus.append(f"{name},{code},2.5,3.0,4.0,{speaker},Male,{side}")
        detailed += [f"{name},WORKER{worker},{code},Neutral,2,3,4" for worker in range(5)]
    (folder / "Labels").mkdir()
    (folder / "Labels" / "labels_consensus.csv").write_text("\n".join(consensus))
    (folder / "Labels" / "labels_detailed.csv").write_text("\n".join(detailed))
    return folder


def _meld(folder: Path) -> Path:
    rows = ["Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID"]
    for number, (speaker, emotion) in enumerate((s, e) for s in ("Joey", "Monica", "Ross") for e in ("anger", "joy")):
        _recording(folder / "train_splits" / f"dia{number}_utt0.wav", number)
        rows.append(f'{number},"Oh, really?",{speaker},{emotion},neutral,{number},0')
    (folder / "train_sent_emo.csv").write_text("\n".join(rows))
    return folder


def _cmu_mosei(folder: Path) -> Path:
    """Three videos of two sentences each, two annotators; a sentence without emotion, and a table of something else."""
    for place in ("Labels", "Transcript/Segmented/Combined", "Audio/Full/WAV_16000"):
        (folder / "Raw" / place).mkdir(parents=True)
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    rows = [",".join(["Input.VIDEO_ID", "Input.CLIP", *(f"Answer.{name}" for name in (*names, "sentiment")), "HITId"])]
    for number, video in enumerate(("-a___b", "xy", "123")):
        _recording(folder / "Raw" / "Audio" / "Full" / "WAV_16000" / f"{video}.wav", number)
        lines = [f"{video}___{clip}___0.0{clip}___0.0{clip + 1}___Well, {clip}." for clip in range(3)]
        (folder / "Raw" / "Transcript" / "Segmented" / "Combined" / f"{video}.txt").write_text("\n".join(lines))
        for annotator in (0, 2):
            rows += [f"{video},0,0,0,0,{annotator * 1.5},0,1,{annotator},h", f"{video},1,2,0,0,0,0,,-1,h"]
    rows.append("123,2,0,0,0,0,0,0,0,h")
    (folder / "Raw" / "Labels" / "a.csv").write_text("\n".join(rows))
    (folder / "Raw" / "Labels" / "other.csv").write_text("a,b\n1,2")
    return folder


NAMES = {
    "aesdd": [f"anger/{letter}01 ({speaker}).wav" for speaker in (1, 2, 3) for letter in "ads"],
    "ased": [f"x/{letter}1-01-01-01-{speaker:02}.wav" for speaker in (1, 2, 3) for letter in "afn"],
    "cafe": [f"Joie/{speaker:02}-{letter}-1-1.wav" for speaker in (1, 2, 3) for letter in "CJN"],
    "emov_db": [f"{name}_{emotion}/x_0001.wav" for name in ("bea", "jenie", "sam") for emotion in ("Angry", "Sleepy")],
    "emovo": [f"{speaker}/{code}-{speaker}-b1.wav" for speaker in ("f1", "f2", "m1") for code in ("gio", "neu", "rab")],
    "esd": [f"00{n:02}/{e}/00{n:02}_000001.wav" for n in (1, 2, 11) for e in ("Angry", "Sad")],
    "jl_corpus": [
        f"{speaker}_{emotion}_1a_1.wav"
        for speaker in ("female1", "female2", "male1")
        for emotion in ("angry", "excited", "happy", "neutral", "sad")
    ],
    "mesd": [f"{emotion}_{voice}_A_abajo.wav" for voice in "CFM" for emotion in ("Anger", "Neutral")],
    "nemo": [f"samples/{name}_{emotion}_1.wav" for name in ("AB0", "CD1", "EF2") for emotion in ("anger", "surprised")],
    "shemo": [f"female/{speaker}{letter}01.wav" for speaker in ("F01", "F02", "M01") for letter in "AHN"],
    "subesco": [f"F_0{number}_X_S_1_{emotion}_1.wav" for number in (1, 2, 3) for emotion in ("ANGRY", "SAD")],
    "urdu": [f"Angry/{speaker}_F1_{letter}1.wav" for speaker in ("SF1", "SM1", "SM2") for letter in "AHS"],
}
"""Names of recordings of corpora whose names are their labels."""


def _named(corpus: str) -> Callable[[Path], Path]:
    def _write(folder: Path) -> Path:
        for number, name in enumerate(NAMES[corpus]):
            _recording(folder / name, number)
        return folder

    return _write


LAYOUTS: dict[str, Callable[[Path], Path | None]] = {
    **{corpus: _named(corpus) for corpus in NAMES},
    "cmu_mosei": _cmu_mosei,
    "crema_d": _crema_d,
    "demo": _nothing,
    "emodb": _emodb,
    "iemocap": _iemocap,
    "manifest": _manifest,
    "meld": _meld,
    "msp_podcast": _msp_podcast,
    "ravdess": _ravdess,
    "savee": _savee,
    "tess": _tess,
}


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
            if source.name == "demo":
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


@pytest.mark.parametrize("name", sorted(set(LAYOUTS) - {"manifest", "msp_podcast"}))
def test_known_counts_agree_with_each_other(name: str) -> None:
    source = CORPORA.get(name)
    assert list(source.speakers) == sorted(source.speakers)
    for subset in source.subsets.values():
        assert subset.description
        assert sum(subset.emotion_counts.values()) > 0 or "task.name" in subset.defaults or subset.all_emotions
        assert not (subset.emotion_counts and subset.total)
        assert subset.emotions is None or set(subset.emotions) == set(subset.emotion_counts)
        assert not set(subset.merge) & set(subset.emotion_counts)
        if subset.speaker_counts:
            assert tuple(subset.speaker_counts) == source.speakers
            assert sum(subset.speaker_counts.values()) == sum(subset.emotion_counts.values())


@pytest.mark.parametrize("name", sorted(set(LAYOUTS) - {"demo", "manifest"}))
def test_a_folder_that_is_missing_or_empty_is_named(name: str, tmp_path: Path) -> None:
    read = CORPORA.get(name).read
    with pytest.raises(CorpusError, match=f"corpus {name} needs its folder; pass --data DIR, the folder that holds"):
        read(None, tmp_path)
    with pytest.raises(CorpusError, match=f"corpus {name}: '.*nowhere' is not a folder; expected"):
        read(tmp_path / "nowhere", tmp_path)
    (tmp_path / "._hidden.wav").touch()
    with pytest.raises(CorpusError, match=f"corpus {name}: no .* in '.*'; expected"):
        read(tmp_path, tmp_path)


def test_what_a_reader_finds_is_known_of_its_corpus(load: Callable[..., Corpus]) -> None:
    corpus = load()
    source = CORPORA.get(corpus.name)
    known = next(iter(source.subsets.values())).emotion_counts
    assert set(corpus.speakers) <= set(source.speakers or corpus.speakers)
    assert set(corpus.emotions) <= set(known or corpus.emotions)


def test_an_unknown_subset_is_answered_with_those_that_exist(load: Callable[..., Corpus], tmp_path: Path) -> None:
    source = CORPORA.get(load().name)
    with pytest.raises(UnknownNameError, match=f"unknown task of corpus {source.name} 'some'; choose from: all"):
        Corpus.load(replace(source, subsets={"all": Subset("every utterance")}), None, tmp_path, subset="some")


def test_an_utterances_language_is_one_of_its_corpus(load: Callable[..., Corpus]) -> None:
    corpus = load()
    languages = CORPORA.get(corpus.name).languages
    assert list(languages) == sorted(languages)
    assert bool(languages) == (corpus.name not in ("demo", "manifest"))
    assert {utterance.language for utterance in corpus.utterances} <= set(languages or ("",))


def test_utterances_are_sorted_unique_and_exist(load: Callable[..., Corpus]) -> None:
    corpus = load()
    ids = [utterance.id for utterance in corpus.utterances]
    assert ids
    assert ids == sorted(set(ids))
    assert all(utterance.path.is_file() for utterance in corpus.utterances)
    assert all(utterance.emotion and utterance.speaker for utterance in corpus.utterances)


def test_every_utterance_has_the_numbers_of_its_speaker_and_its_emotion(load: Callable[..., Corpus]) -> None:
    corpus = load()
    assert [corpus.emotions[number] for number in corpus.labels] == [one.emotion for one in corpus.utterances]
    assert [corpus.speakers[number] for number in corpus.speaker_numbers] == [one.speaker for one in corpus.utterances]
    assert list(corpus.emotions) == sorted(set(corpus.emotions))
    assert list(corpus.speakers) == sorted(set(corpus.speakers))
    # Counted once, and counted anew where the utterances are others
    assert corpus.emotions is corpus.emotions
    alone = replace(corpus, utterances=corpus.utterances[:1])
    assert alone.speakers == (corpus.utterances[0].speaker,)


def test_there_are_speakers_and_emotions_enough_for_folds(load: Callable[..., Corpus]) -> None:
    # One speaker to test on, one to validate on, one to train on; but TESS has two, and is refused by the folds.
    corpus = load()
    assert len(corpus.speakers) >= (2 if corpus.name == "tess" else 3)
    assert len(corpus.emotions) >= 2
    assert all(isinstance(speaker, str) for speaker in corpus.speakers)


def test_the_digest_is_the_same_wherever_the_corpus_lies(load: Callable[..., Corpus]) -> None:
    assert load("here").digest == load("there").digest


def test_the_digest_does_not_depend_on_names(tmp_path: Path) -> None:
    def _under(name: str, order: Sequence[int]) -> Corpus:
        _manifest(tmp_path / name)
        rows = [f"sound/{name}{one}.wav,{one % 3},{'anger' if one < 3 else 'joy'}" for one in order]
        for one in order:
            (tmp_path / name / "sound" / f"{one}.wav").rename(tmp_path / name / "sound" / f"{name}{one}.wav")
        table = tmp_path / name / "corpus.csv"
        table.write_text("\n".join(["path,speaker,emotion", *rows]))
        return Corpus.load(CORPORA.get("manifest"), table, tmp_path)

    assert _under("one", range(6)).digest == _under("other", range(5, -1, -1)).digest


def test_the_digest_changes_with_a_label(load: Callable[..., Corpus]) -> None:
    def _relabelled(source: CorpusSource) -> CorpusSource:
        def _read(data: Path | None, cache: Path) -> Sequence[Utterance]:
            first, *others = source.read(data, cache)
            return [replace(first, emotion=others[-1].emotion), *others]

        return replace(source, read=_read)

    assert load().digest != load(change=_relabelled).digest


def test_the_digest_changes_with_the_content_of_a_file(load: Callable[..., Corpus], tmp_path: Path) -> None:
    listed = load().utterances  # listing the demo corpus again would mend it
    source = CorpusSource(name="same", read=lambda data, cache: listed, citation="-", licence="-")
    before = Corpus.load(source, None, tmp_path).digest
    path = listed[0].path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert Corpus.load(source, None, tmp_path).digest != before


def test_only_the_emotions_asked_for_are_kept(load: Callable[..., Corpus], tmp_path: Path) -> None:
    corpus = load()
    kept = corpus.emotions[:2]
    source = CorpusSource(name="same", read=lambda data, cache: corpus.utterances, citation="-", licence="-")
    assert Corpus.load(source, None, tmp_path, subset=source.subset(emotions=kept)).emotions == kept
    with pytest.raises(CorpusError, match="has no emotion 'envy'"):
        Corpus.load(source, None, tmp_path, subset=source.subset(emotions=[*kept, "envy"]))


RATED = {
    "cmu_mosei": {"sentiment"},
    "demo": {"energy", "pitch_range", "rate"},  # the synthesiser's parameters: nobody rated an emotion
    "iemocap": {"arousal", "dominance", "valence"},
    "msp_podcast": {"arousal", "dominance", "valence"},
}
"""Corpora whose utterances have ratings of dimensions."""


def test_only_ratings_are_dimensions(load: Callable[..., Corpus], tmp_path: Path) -> None:
    # Neither RAVDESS's intensity nor an emotion's place in a plane of arousal and valence is a rating
    corpus = load()
    source = CORPORA.get(corpus.name)
    named = {name for utterance in corpus.utterances for name, _ in utterance.annotation.dimensions}
    assert named == RATED.get(corpus.name, set())
    recognised = {subset.defaults.get("task.name") for subset in source.subsets.values()}
    assert ("dimensions" in recognised) == (corpus.name in RATED or corpus.name == "manifest")
    assert set(source.scales) == RATED.get(corpus.name, set())
    if not named:
        same = CorpusSource(name="same", read=lambda data, cache: corpus.utterances, citation="-", licence="-")
        with pytest.raises(CorpusError, match="has no utterance with ratings of dimensions"):
            Corpus.load(same, None, tmp_path, needs="dimensions")


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
