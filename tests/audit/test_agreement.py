"""Agreement of annotators: published examples, definitions written out, and simulated annotators."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.audit import Crowd, agreement_of, model_against_crowd
from ser_tune.audit.agreement import rating_agreement, vote_agreement
from ser_tune.audit.coefficients import entropies
from ser_tune.audit.crowd import guessed_ratings, guessed_votes
from ser_tune.corpora import Annotation, Utterance, demo
from ser_tune.metrics import METRICS

_ = np.nan
QUICK = settings(max_examples=50, deadline=None)
NOBODY_APART = np.zeros(100, dtype=np.int64)


def test_fleiss_kappa_is_that_of_a_published_example() -> None:
    # Ten subjects, fourteen raters, five classes: https://en.wikipedia.org/wiki/Fleiss%27_kappa
    votes = [
        *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
        *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
    ]
    found = vote_agreement(np.array(votes), NOBODY_APART[:10])
    assert found is not None
    assert (found.utterances, found.votes, round(found.kappa.value, 3)) == (10, 14, 0.210)
    assert not found.kappa.interval.known  # one speaker


def test_krippendorff_alpha_is_that_of_its_authors_example() -> None:
    # Four observers, twelve units: K. Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, part C
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
    found = rating_agreement("arousal", np.array(observers).T, NOBODY_APART[:12])
    assert found is not None
    assert (found.utterances, round(found.alpha.value, 3)) == (11, 0.849)


RATINGS = st.lists(st.lists(st.sampled_from([_, 1.0, 2.0, 3.5, 5.0]), min_size=3, max_size=3), min_size=2, max_size=8)


@QUICK
@given(rows=RATINGS, shift=st.sampled_from([0.0, 1e6]))
def test_alpha_is_observed_by_expected_disagreement_of_all_pairs(rows: list[list[float]], shift: float) -> None:
    units = [[rating for rating in row if rating == rating] for row in rows]
    units = [unit for unit in units if len(unit) > 1]
    found = rating_agreement("arousal", np.array(rows) + shift, NOBODY_APART[: len(rows)])
    if not units:
        assert found is None
        return
    assert found is not None
    every = [rating for unit in units for rating in unit]
    observed = sum((a - b) ** 2 / (len(unit) - 1) for unit in units for a, b in permutations(unit, 2)) / len(every)
    expected = sum((a - b) ** 2 for a, b in permutations(every, 2)) / (len(every) * (len(every) - 1))
    if expected:
        assert found.alpha.value == pytest.approx(1 - observed / expected, abs=1e-9)
    else:
        assert np.isnan(found.alpha.value)
    errors = [abs(unit[i] - np.mean(unit[:i] + unit[i + 1 :])) for unit in units for i in range(len(unit))]
    assert found.human["mae"].value == pytest.approx(np.mean(errors), abs=1e-6)


VOTES = st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=8)


@QUICK
@given(rows=VOTES)
def test_a_vote_is_scored_against_the_votes_of_the_others(rows: list[list[int]]) -> None:
    found = vote_agreement(np.array(rows), NOBODY_APART[: len(rows)])
    voted = [row for row in rows if sum(row) > 1]
    if not voted:
        assert found is None
        return
    assert found is not None
    distances, hits = [], {name: [] for name in range(3)}
    for row in voted:
        for chosen, count in enumerate(row):
            for _vote in range(count):
                others = np.array(row) - np.eye(3)[chosen]
                distances.append(1 - others[chosen] / others.sum())
                most = np.flatnonzero(others == others.max())
                hits[chosen if chosen in most else most[0]].append(chosen in most)
    assert found.human["total_variation"].value == pytest.approx(np.mean(distances))
    assert found.human["uar"].value == pytest.approx(np.mean([np.mean(own) for own in hits.values() if own]))


def test_annotators_who_agree_have_no_entropy_and_cannot_be_told_from_chance_in_a_single_class() -> None:
    found = vote_agreement(np.array([[3, 0], [0, 5]]), np.array([0, 1]))
    assert found is not None
    assert (found.entropy.value, found.kappa.value, found.human["jsd"].value) == (0.0, 1.0, 0.0)
    found = vote_agreement(np.array([[3, 0], [5, 0]]), np.array([0, 1]))
    assert found is not None
    assert np.isnan(found.kappa.value)
    assert not found.kappa.interval.known


def _utterance(number: int, speaker: str, annotation: Annotation) -> Utterance:
    return Utterance(str(number), Path("none.wav"), speaker, "joy", annotation=annotation)


def test_what_no_two_annotators_judged_has_no_agreement() -> None:
    alone = Annotation(votes=(("joy", 1),), dimensions=(("arousal", 3.0),), ratings=((3.0,),), annotators=1)
    means = Annotation(dimensions=(("arousal", 3.0),))
    found = agreement_of([_utterance(0, "a", alone), _utterance(1, "b", means)])
    assert (found.votes, found.ratings) == (None, ())


def test_dimensions_of_utterances_are_matched_by_name() -> None:
    both = Annotation(dimensions=(("arousal", 2.0), ("valence", 4.0)), ratings=((2.0, 4.0), (2.0, _), (2.0, 4.0)))
    second = Annotation(dimensions=(("valence", 1.0),), ratings=((1.0,), (1.0,)))
    found = agreement_of([_utterance(0, "a", both), _utterance(1, "b", second)])
    assert [(row.dimension, row.utterances, row.ratings) for row in found.ratings] == [
        ("arousal", 1, 3.0),
        ("valence", 2, 2.0),
    ]
    assert found.ratings[1].alpha.value == 1.0


def test_simulated_annotators_agree_as_they_were_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_write", lambda folder: None)  # no sound is needed
    monkeypatch.setattr(demo, "_is_whole", lambda folder: True)
    found = agreement_of(demo.read(None, tmp_path))
    assert found.votes is not None
    assert (found.votes.utterances, found.votes.votes, found.votes.highest_entropy) == (120, 7.0, 2.0)
    assert 0.2 < found.votes.kappa.interval.low < found.votes.kappa.value < found.votes.kappa.interval.high < 0.5
    assert [row.dimension for row in found.ratings] == ["energy", "pitch_range", "rate"]
    assert all(0.6 < row.alpha.value < row.human["ccc"].value < 0.95 for row in found.ratings)


# A model against the crowd


@QUICK
@given(rows=VOTES, best=st.integers(0, 2))
def test_a_left_out_vote_is_guessed_by_a_human_the_model_and_the_crowd(rows: list[list[int]], best: int) -> None:
    found = guessed_votes(np.array(rows), np.tile(np.eye(3)[best], (len(rows), 1)), NOBODY_APART[: len(rows)])
    voted = [row for row in rows if sum(row) > 1]
    if not voted:
        assert found is None
        return
    assert found is not None
    human, model, crowd = [], [], []
    for row in voted:
        votes = np.repeat(np.arange(3), row)
        each = [(vote, np.delete(votes, place)) for place, vote in enumerate(votes)]
        human.append(np.mean([(others == vote).mean() for vote, others in each]))
        model.append(np.mean(votes == best))
        most = [np.bincount(others, minlength=3) for _, others in each]
        winners = [np.flatnonzero(counts == counts.max()) for counts in most]
        crowd.append(np.mean([(won == vote).mean() for won, (vote, _) in zip(winners, each, strict=True)]))
    assert found.utterances == len(voted)
    assert found.annotator.value == pytest.approx(np.mean(human))
    assert found.model.value == pytest.approx(np.mean(model))
    assert found.others.value == pytest.approx(np.mean(crowd))


@QUICK
@given(rows=RATINGS)
def test_a_left_out_rating_is_guessed_over_all_pairs(rows: list[list[float]]) -> None:
    predicted = np.linspace(1.0, 5.0, len(rows))
    found = guessed_ratings("arousal", np.array(rows), predicted, NOBODY_APART[: len(rows)])
    truth, human, model = [], [], []
    for row, value in zip(rows, predicted, strict=True):
        for a, b in permutations([rating for rating in row if not np.isnan(rating)], 2):
            truth.append([a])
            human.append([b])
            model.append([value])
    if not truth:
        assert found is None
        return
    assert found is not None
    for score, guess in ((found.annotator, human), (found.model, model)):
        expected = METRICS.get("ccc").score(np.array(truth), np.array(guess), 1)
        assert score.value == pytest.approx(expected, abs=1e-9, nan_ok=True)


def _crowd_of_six(reliability: float) -> Crowd:
    """Six speakers, fifty utterances each, nine annotators; the model has the true distributions, or uniform ones."""
    rng = np.random.default_rng(1)
    chances = rng.dirichlet(np.full(4, 0.5), size=300)
    votes = rng.multinomial(9, chances)
    names = ("anger", "fear", "joy", "neutral")
    annotations = [
        Annotation(votes=tuple((name, int(n)) for name, n in zip(names, row, strict=True) if n)) for row in votes
    ]
    shown = reliability * chances + (1 - reliability) * rng.dirichlet(np.ones(4), size=300)
    found = model_against_crowd("probabilities", names, shown, np.repeat(np.arange(6), 50), annotations)
    assert found is not None
    return found


def test_a_model_of_the_true_distribution_follows_the_crowd_and_is_no_worse_than_a_human() -> None:
    found = _crowd_of_six(1.0)
    (votes,) = found.guesses
    assert votes.annotator.value < votes.model.value
    assert votes.verdict in ("inside", "above")
    assert found.entropy is not None
    assert 0.6 < found.entropy.correlation.interval.low < found.entropy.correlation.value
    assert len(found.sentences) == 2


def test_a_model_that_guesses_is_below_a_human_and_its_entropy_follows_nothing() -> None:
    found = _crowd_of_six(0.0)
    (votes,) = found.guesses
    assert votes.verdict == "below"
    assert "below the range of human agreement" in found.sentences[0]
    assert found.entropy is not None
    interval = found.entropy.correlation.interval
    assert interval.low < 0.1
    assert interval.high > -0.1


def test_spearmans_correlation_is_that_of_scipy() -> None:
    from scipy.stats import spearmanr

    names, rng = ("a", "b"), np.random.default_rng(0)
    counts, shown = rng.integers(1, 6, (40, 2)), rng.dirichlet(np.ones(2), size=40)
    annotations = [Annotation(votes=(("a", int(a)), ("b", int(b)))) for a, b in counts]
    found = model_against_crowd("probabilities", names, shown, np.arange(40) % 4, annotations)
    assert found is not None
    assert found.entropy is not None
    expected = spearmanr(entropies(counts).round(9), entropies(shown).round(9)).statistic
    assert found.entropy.correlation.value == pytest.approx(expected)


def test_a_model_that_is_always_certain_has_no_correlation_of_entropies() -> None:
    counts = np.array([[3, 1], [2, 2], [4, 0]])
    annotations = [Annotation(votes=tuple((name, int(n)) for name, n in zip("ab", row, strict=True))) for row in counts]
    found = model_against_crowd("probabilities", ("a", "b"), np.eye(2)[[0, 1, 0]], np.arange(3), annotations)
    assert found is not None
    assert "rank correlation undefined, because all are equal; means 0.000 and " in found.sentences[1]


def test_there_is_no_crowd_of_labels_alone_or_of_other_tasks() -> None:
    alone, shown = np.zeros(1, np.int64), np.ones((1, 1))
    assert model_against_crowd("probabilities", ("joy",), shown, alone, [Annotation()]) is None
    assert model_against_crowd("probabilities", ("joy",), shown, alone, [Annotation(votes=(("joy", 1),))]) is None
    assert (
        model_against_crowd("values", ("arousal",), shown, alone, [Annotation(dimensions=(("arousal", 1.0),))]) is None
    )
    assert model_against_crowd("labels", ("joy",), shown, alone, [Annotation(votes=(("joy", 2),))]) is None
