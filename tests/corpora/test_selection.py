"""Checks which utterances a task gets of a corpus, and what becomes of votes when emotions are merged or left out."""

from dataclasses import replace
from pathlib import Path

import pytest

from ser_tune.corpora import CORPORA, Annotation, Corpus, CorpusSource, Need, Subset, Utterance, plurality
from ser_tune.corpora.selection import choose
from ser_tune.errors import CorpusError


def spoken(name: str, emotion: str = "", **annotation: object) -> Utterance:
    return Utterance(
        id=name, path=Path(f"{name}.wav"), speaker="a", emotion=emotion, annotation=Annotation(**annotation)
    )


UTTERANCES = [
    spoken("u1", "anger", votes=(("anger", 3),), dimensions=(("arousal", 4.0),)),
    spoken("u2", "", votes=(("anger", 1), ("excitement", 1), ("joy", 1))),
    spoken("u3", "joy", votes=(("excitement", 2), ("joy", 1)), secondary=(("surprise", 1),)),
    spoken("u4", "joy", emotions=("joy", "surprise"), dimensions=(("arousal", 2.0),)),
]


@pytest.mark.parametrize(
    ("needs", "kept"),
    [
        ("emotion", ["u1", "u3", "u4"]),
        ("votes", ["u1", "u2", "u3"]),
        ("emotions", ["u1", "u2", "u3", "u4"]),
        ("dimensions", ["u1", "u4"]),
    ],
)
def test_a_task_gets_the_utterances_with_its_label(needs: Need, kept: list[str]) -> None:
    found = choose(UTTERANCES, Subset("all"), "corpus made", needs=needs)
    assert [utterance.id for utterance in found.utterances] == kept
    assert found.left_out == 4 - len(kept)


def test_merged_votes_are_added_up_and_votes_for_other_emotions_dropped() -> None:
    subset = Subset("two", merge={"excitement": "joy"}, emotions=("joy",))
    found = choose(UTTERANCES, subset, "corpus made", needs="votes")
    assert {utterance.id: utterance.annotation.votes for utterance in found.utterances} == {
        "u2": (("joy", 2),),
        "u3": (("joy", 3),),
    }
    assert found.left_out == 1  # u4 has no votes; u1 has some, but none that is kept


def test_a_plurality_is_an_emotion_and_a_tie_is_none() -> None:
    found = choose(UTTERANCES, Subset("heard", by_plurality=True), "corpus made")
    assert {utterance.id: utterance.emotion for utterance in found.utterances} == {"u1": "anger", "u3": "excitement"}
    assert plurality(UTTERANCES[1].annotation.votes) == ""


def test_a_plurality_is_that_of_merged_votes() -> None:
    subset = Subset("heard", by_plurality=True, merge={"excitement": "joy"})
    found = choose(UTTERANCES, subset, "corpus made")
    heard = {utterance.id: utterance.emotion for utterance in found.utterances}
    assert heard == {"u1": "anger", "u2": "joy", "u3": "joy"}  # u2 was a tie of three


def test_a_corpus_without_the_label_is_refused_by_name() -> None:
    with pytest.raises(CorpusError, match="corpus made has no utterance with votes of annotators"):
        choose([spoken("u1", "anger")], Subset("all"), "corpus made", needs="votes")


def test_votes_that_are_all_tied_are_no_missing_votes() -> None:
    tied = [replace(utterance, annotation=Annotation(votes=(("joy", 1), ("rage", 1)))) for utterance in UTTERANCES]
    with pytest.raises(CorpusError, match="has no utterance with more votes for an emotion than for any other; it has"):
        choose(tied, Subset("heard", by_plurality=True), "corpus made")


def test_labels_of_the_task_are_part_of_the_digest_and_others_are_not(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.wav" for number in range(2)]
    for path in paths:
        path.write_bytes(path.name.encode())
    first = [
        replace(spoken(f"u{number}", emotion, votes=(("joy", 1), ("rage", 2))), path=path)
        for number, (path, emotion) in enumerate(zip(paths, ("joy", "rage"), strict=True))
    ]
    other = [first[0], replace(first[1], annotation=Annotation(votes=(("joy", 2), ("rage", 2))))]

    def digest(utterances: list[Utterance], needs: Need) -> str:
        source = CorpusSource("made", lambda data, cache: utterances, "none", "none")
        return Corpus.load(source, None, tmp_path, needs=needs).digest

    assert digest(first, "emotion") == digest(other, "emotion")
    assert digest(first, "votes") != digest(other, "votes")
    assert digest(first, "votes") != digest(first, "emotion")


def test_settings_of_a_subset_go_before_those_of_its_corpus() -> None:
    demo = CORPORA.get("demo")
    source = replace(
        demo, subsets={"all": Subset("all"), "votes": Subset("votes", defaults={"task.name": "distribution"})}
    )
    assert source.defaults_of(None) == source.defaults_of("all") == demo.defaults
    assert source.defaults_of("votes") == {**demo.defaults, "task.name": "distribution"}
