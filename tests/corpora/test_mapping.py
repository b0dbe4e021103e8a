"""Emotions of a corpus as classes of a model."""

import pytest

from ser_tune.corpora import CORPORA, map_labels
from ser_tune.corpora.mapping import MERGES, SYNONYMS
from ser_tune.errors import MappingError

EMODB = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")


def test_names_of_one_emotion_are_one_class() -> None:
    found = map_labels(["Angry", "fear/anxiety", "joy", "sad", "ps"], [*EMODB, "surprise"])
    expected = {"Angry": "anger", "fear/anxiety": "fear", "joy": "happiness", "sad": "sadness", "ps": "surprise"}
    assert found.targets == expected
    assert found.left_out == ()
    assert found.unused == ("boredom", "disgust", "neutral")


def test_a_usual_merge_is_made_only_where_the_model_has_no_such_class() -> None:
    assert map_labels(["excitement", "neutral"], EMODB).targets["excitement"] == "happiness"
    own = map_labels(["excitement", "neutral"], ("excitement", "happiness", "neutral"))
    assert own.targets["excitement"] == "excitement"
    assert own.unused == ("happiness",)


def test_what_the_user_gives_wins_and_an_empty_class_leaves_an_emotion_out() -> None:
    found = map_labels(["calm", "anger", "surprise", "happy"], EMODB, {"calm": "", "surprise": "fear", "happy": "fear"})
    assert found.targets == {"anger": "anger", "surprise": "fear", "happy": "fear"}
    assert found.left_out == ("calm",)
    assert found.shared == ("anger", "fear")
    assert str(found) == "happy=fear, surprise=fear"


def test_an_emotion_that_could_be_two_classes_is_left_out() -> None:
    found = map_labels(["happy", "anger", "sad"], ("anger", "happiness", "joy", "sadness"))
    assert found.left_out == ("happy",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bliss": "anger"}, "'bliss' is no emotion of the corpus; expected one of anger, joy"),
        ({"joy": "bliss"}, "'bliss' is no class of the model; expected one of anger, boredom"),
        ({"joy": ""}, "share 1; expected at least two; pass --map EMOTION=CLASS"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(MappingError, match=message.replace("(", "[(]")):
        map_labels(["anger", "joy"], EMODB, given)


def test_no_name_means_two_emotions() -> None:
    names = [name for emotion, others in SYNONYMS.items() for name in (emotion, *others)]
    assert len(names) == len(set(names))
    assert {*MERGES, *MERGES.values()} <= set(SYNONYMS)


def test_the_table_knows_every_emotion_of_the_shipped_corpora() -> None:
    known = {*SYNONYMS, *(other for others in SYNONYMS.values() for other in others), "other"}
    for name in CORPORA.names():
        for subset in CORPORA.get(name).subsets.values():
            assert {*subset.emotion_counts, *subset.all_emotions} <= known, name
