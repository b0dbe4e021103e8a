"""Equal sounds in any corpus, without recordings: refused where their speakers are two, and named."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.corpora import Corpus, Utterance
from ser_tune.errors import LeakError
from ser_tune.protocol import leaks
from tests.folding import speaker_folds
from tests.made_corpora import made_corpus

QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _made(speakers: Sequence[int]) -> Corpus:
    """One utterance of each emotion, and as many more of speakers as they are named."""
    owners = [*sorted({*speakers, 0, 1, 2}), *speakers]
    utterances = tuple(
        Utterance(id=f"{number:03}", path=Path("none.wav"), speaker=f"s{speaker}", emotion=emotion)
        for number, (speaker, emotion) in enumerate((owner, emotion) for owner in owners for emotion in ("fear", "joy"))
    )
    return made_corpus(utterances)


@QUICK
@given(speakers=st.lists(st.integers(0, 7), max_size=12), held_out=st.booleans(), data=st.data())
def test_in_any_corpus_one_sound_stops_the_study_where_its_speakers_are_two(
    speakers: list[int], held_out: bool, data: st.DataObject
) -> None:
    corpus = _made(speakers)
    holdout = corpus.speakers[-1:] if held_out and len(corpus.speakers) > 3 else ()
    folds = speaker_folds(corpus, holdout=holdout)
    sounds = [f"sound {utterance.id}" for utterance in corpus.utterances]
    leaks.refuse_leaks(corpus, folds, sounds)
    numbers = st.integers(0, len(sounds) - 1)
    source, copy = (data.draw(numbers) for _ in range(2))
    recordings = data.draw(st.booleans())
    shared = list(corpus.contents) if recordings else sounds
    shared[copy] = shared[source]
    planted = replace(corpus, contents=tuple(shared)) if recordings else corpus
    first, second = corpus.utterances[min(source, copy)], corpus.utterances[max(source, copy)]
    # Speakers who are held out together, or tested together, are never on two sides
    groups = [holdout, *(fold.test_speakers for fold in folds)]
    if any({first.speaker, second.speaker} <= set(group) for group in groups):
        leaks.refuse_leaks(planted, folds, sounds)
        return
    with pytest.raises(LeakError, match=rf"'{first.id}' \(speaker {first.speaker}, .*'{second.id}' \("):
        leaks.refuse_leaks(planted, folds, sounds)


@pytest.mark.parametrize(("pairs", "named", "more"), [(3, 3, ""), (25, 20, "; and 5 more; ")])
def test_all_pairs_are_named_up_to_twenty_and_each_once(pairs: int, named: int, more: str) -> None:
    corpus = _made([number for number in range(3) for _ in range(20)])
    folds = speaker_folds(corpus)
    sounds = [f"sound {utterance.id}" for utterance in corpus.utterances]
    of = [
        [number for number, utterance in enumerate(corpus.utterances) if utterance.speaker == speaker]
        for speaker in ("s0", "s1")
    ]
    for source, copy in zip(*(numbers[:pairs] for numbers in of), strict=True):
        sounds[source] = sounds[copy]
    with pytest.raises(LeakError) as caught:
        leaks.refuse_leaks(corpus, folds, sounds)
    told = str(caught.value)
    assert told.startswith(f"leak in corpus made: {pairs} pairs of utterances are on two sides of a fold: ")
    assert told.count("hold the same sound (fold 0)") == named
    assert more in told
    assert told.endswith("leave one of each pair out, or give both one speaker")


def test_a_sound_is_asked_of_every_utterance() -> None:
    corpus = _made([])
    with pytest.raises(ValueError, match="1 sounds of 6 utterances"):
        leaks.refuse_leaks(corpus, speaker_folds(corpus), ["sound"])
