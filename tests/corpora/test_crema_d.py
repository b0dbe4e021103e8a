"""CREMA-D: a clip's name has the emotion that was acted, a table the emotions that its listeners heard."""

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from ser_tune.corpora import Corpus
from ser_tune.corpora.crema_d import CORPUS, EMOTION_COUNTS, EMOTIONS, HEARD_COUNTS, read, read_votes
from ser_tune.errors import CorpusError

HEADER = '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"'
ROWS = (
    '"100001",0,0,0,1,10,0,"1001_IEO_NEU_XX",11,0.9,"N"',
    '"100002",4,0,0,0,4,1,"1001_DFA_ANG_XX",9,0.4,"A:N"',
    '"200001",0,0,0,9,0,0,"1001_IEO_NEU_XX",9,1,"H"',
    '"300001",9,0,0,0,0,0,"1001_IEO_NEU_XX",9,1,"A"',
    '"100003",0,0,0,0,0,7,"1040_ITH_SAD_X",7,1,"S"',
)
ACTORS = (
    '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n1040,42,"Female","Unknown",'
)
PUBLISHED = Path(__file__).parents[3] / "shared" / "corpora" / "crema_d_votes"


def _corpus(folder: Path, *, rows: tuple[str, ...] = ROWS) -> Path:
    """A root with three clips, votes and actors."""
    for name in ("1001_IEO_NEU_XX", "1001_DFA_ANG_XX", "1040_ITH_SAD_XX"):
        (folder / "AudioWAV").mkdir(exist_ok=True)
        (folder / "AudioWAV" / f"{name}.wav").write_text(name)
    (folder / "processedResults").mkdir()
    (folder / "processedResults" / "tabulatedVotes.csv").write_text("\n".join([HEADER, *rows]), encoding="utf-8")
    (folder / "VideoDemographics.csv").write_text(ACTORS, encoding="utf-8")
    return folder


@pytest.mark.parametrize("place", [".", "AudioWAV"])
def test_votes_of_listeners_without_video_are_found_in_the_root_and_beside_the_recordings(
    tmp_path: Path, place: str
) -> None:
    tied, heard, sad = read(_corpus(tmp_path) / place, tmp_path)
    assert (heard.emotion, heard.annotation.votes, heard.annotation.annotators) == (
        "neutral",
        (("happiness", 1), ("neutral", 10)),
        11,
    )
    assert tied.annotation.votes == (("anger", 4), ("neutral", 4), ("sadness", 1))
    assert sad.annotation.votes == (("sadness", 7),)
    assert heard.attributes == tied.attributes
    assert dict(heard.attributes) == {"age": "51", "gender": "male", "race": "Caucasian", "ethnicity": "Not Hispanic"}
    assert dict(sad.attributes) == {"age": "42", "gender": "female"}


def test_a_corpus_without_tables_has_acted_emotions_alone(tmp_path: Path) -> None:
    shutil.rmtree(_corpus(tmp_path) / "processedResults")
    (tmp_path / "VideoDemographics.csv").unlink()
    utterances = read(tmp_path, tmp_path)
    assert {utterance.emotion for utterance in utterances} == {"neutral", "anger", "sadness"}
    assert not any(utterance.annotation.votes or utterance.attributes for utterance in utterances)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('"100009",-1,0,0,0,0,0,"1001_IEO_HAP_LO",1,1,"A"', "line 7: 'A' is '-1'; expected a number of votes"),
        ('"100009",0,1.5,0,0,0,0,"1001_IEO_HAP_LO",1,1,"A"', "line 7: 'D' is '1.5'; expected a number of votes"),
        ('"100009",0,,0,0,0,0,"1001_IEO_HAP_LO",1,1,"A"', "line 7: 'D' is ''; expected a number of votes"),
        ('"100009",0,1,0,0,0,0,"1040_ITH_SAD_XX",1,1,"A"', "line 7: a second row of '1040_ITH_SAD_XX' with the voice"),
        ('"100009",0,1', r"line 7: the row has 3 cells; expected 11"),
        ('"100009",0,"1', r"line 7 is not valid CSV|line 7: the row has 3 cells"),
    ],
)
def test_a_row_that_is_not_as_described_is_refused(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(CorpusError, match=rf"tabulatedVotes\.csv, {message}"):
        read(_corpus(tmp_path, rows=(*ROWS, row)), tmp_path)


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    table = _corpus(tmp_path) / "processedResults" / "tabulatedVotes.csv"
    table.write_text('"","A","fileName"\n"100001",1,"1001_IEO_NEU_XX"')
    with pytest.raises(CorpusError, match=r"tabulatedVotes\.csv lacks column\(s\) 'D', 'F', 'H', 'N', 'S'; it has A, "):
        read(tmp_path, tmp_path)
    table.write_text("")
    with pytest.raises(CorpusError, match=r"tabulatedVotes\.csv is empty; expected a table with a header"):
        read(tmp_path, tmp_path)


def test_acted_and_heard_emotions_are_two_corpora(tmp_path: Path) -> None:
    _corpus(tmp_path, rows=(ROWS[0], ROWS[1], '"100003",9,0,0,0,0,7,"1040_ITH_SAD_X",7,1,"A"'))
    acted, heard = (Corpus.load(CORPUS, tmp_path, tmp_path, subset=subset) for subset in ("all", "heard"))
    assert [utterance.emotion for utterance in acted.utterances] == ["anger", "neutral", "sadness"]
    assert [utterance.emotion for utterance in heard.utterances] == ["neutral", "anger"]
    assert (acted.left_out, heard.left_out) == (0, 1)  # a tie
    assert acted.digest != heard.digest
    votes = Corpus.load(CORPUS, tmp_path, tmp_path, subset="votes", needs="votes")
    assert len(votes.utterances) == 3
    assert votes.digest not in (acted.digest, heard.digest)
    shutil.rmtree(tmp_path / "processedResults")
    with pytest.raises(CorpusError, match="has no utterance with votes of annotators; it has emotion: choose another"):
        Corpus.load(CORPUS, tmp_path, tmp_path, subset="heard")


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published votes are not on this machine")
def test_the_published_votes_have_their_known_counts() -> None:
    votes = read_votes(PUBLISHED / "tabulatedVotes.csv")
    acted = {clip: EMOTIONS[clip.split("_")[2]] for clip in votes}
    winners = {clip: _winners(dict(annotation.votes)) for clip, annotation in votes.items()}
    assert Counter(acted.values()) == EMOTION_COUNTS
    assert len(votes) == sum(EMOTION_COUNTS.values()) == 7442
    assert Counter(names[0] for names in winners.values() if len(names) == 1) == HEARD_COUNTS
    assert sum(len(names) > 1 for names in winners.values()) == 7442 - sum(HEARD_COUNTS.values()) == 644
    assert round(sum(annotation.annotators for annotation in votes.values()) / 7442, 1) == 9.2
    assert round(sum(acted[clip] in winners[clip] for clip in votes) / 7442, 3) == 0.479


def _winners(votes: Mapping[str, int]) -> list[str]:
    return [name for name, count in votes.items() if count == max(votes.values())]
