"""Committees: the mean of what their members say, also after they were stored."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import NormalisationSettings, SegmentSettings
from ser_tune.features import FEATURE_SETS
from ser_tune.prediction import Committee, Prediction, Predictor, Recipe, load_predictor

LABELS = ("anger", "joy", "sadness")
MakeMember = Callable[..., Predictor]


@pytest.fixture
def make_member() -> MakeMember:
    """A predictor of two networks of random weights: `make_member("alex_net", features="logspec", frames=64)`."""

    def _make(model: str = "fcn_attention", *, features: str = "logmelspec", frames: int | None = 64) -> Predictor:
        feature_set = FEATURE_SETS.get(features)
        settings = feature_set.settings.model_validate({})
        recipe = Recipe(
            labels=LABELS,
            model=ARCHITECTURES.get(model).settings.model_validate({"width": 0.05}),
            features=settings,
            shape=feature_set.shape(settings),
            hop_s=feature_set.hop_s(settings),
            segments=SegmentSettings(frames=frames),
            normalisation=NormalisationSettings(scope="utterance"),
            aggregation="mean_log_softmax",
        )
        torch.manual_seed(len(features) + (frames or 0))
        return Predictor(recipe, [recipe.build_network() for _ in range(2)], [None, None])

    return _make


def _waveforms() -> list[np.ndarray]:
    """Noise of 2 s and 1 s; the second is dull."""
    rng = np.random.default_rng(5)
    return [rng.normal(size=32_000).astype(np.float32), np.cumsum(rng.normal(0.0, 0.01, 16_000)).astype(np.float32)]


def _is_mean(found: Prediction, said: list[Prediction]) -> None:
    for label in LABELS:
        assert found.probabilities[label] == pytest.approx(np.mean([one.probabilities[label] for one in said]))
    assert found.label == max(found.probabilities, key=lambda one: found.probabilities[one])


def test_a_committee_says_the_mean_of_what_its_members_say(make_member: MakeMember) -> None:
    members = [make_member(), make_member("light_cnn", features="logspec", frames=100), make_member(frames=None)]
    committee = Committee(members)
    found = committee.predict(_waveforms(), sample_rate_hz=16_000)
    each = [one.predict(_waveforms(), sample_rate_hz=16_000) for one in members]
    assert [one.source for one in found] == ["waveform 0", "waveform 1"]
    for utterance, one in enumerate(found):
        _is_mean(one, [said[utterance] for said in each])
        assert one.segments == ()  # 64 frames, 100 frames and the whole utterance
    assert committee.labels == LABELS
    assert committee.recipe is members[0].recipe
    assert committee.predict([]) == []


def test_segments_that_members_have_in_common_are_averaged(make_member: MakeMember) -> None:
    members = [make_member(), make_member("light_cnn")]
    (found, _) = Committee(members).predict(_waveforms(), sample_rate_hz=16_000)
    alone = [one.predict(_waveforms(), sample_rate_hz=16_000)[0] for one in members]
    assert len(found.segments) == len(alone[0].segments) > 1
    for number, segment in enumerate(found.segments):
        theirs = [prediction.segments[number] for prediction in alone]
        assert (segment.start_s, segment.end_s) == (theirs[0].start_s, theirs[0].end_s)
        assert segment.numbers["joy"] == pytest.approx(np.mean([prediction.numbers["joy"] for prediction in theirs]))


@pytest.mark.slow
def test_a_committee_of_more_than_ten_is_the_same_after_it_was_stored(make_member: MakeMember, tmp_path: Path) -> None:
    members = [make_member(frames=frames) for frames in range(64, 76)]
    Committee(members).save(tmp_path)
    stored = load_predictor(tmp_path)
    assert isinstance(stored, Committee)
    assert [one.recipe.segments.frames for one in stored.members] == list(range(64, 76))
    before, after = (one.predict(_waveforms(), sample_rate_hz=16_000) for one in (Committee(members), stored))
    assert before == after


def test_what_one_predictor_stored_is_that_predictor(make_member: MakeMember, tmp_path: Path) -> None:
    member = make_member()
    member.save(tmp_path)
    stored = load_predictor(tmp_path)
    assert isinstance(stored, Predictor)
    assert stored.predict(_waveforms(), sample_rate_hz=16_000) == member.predict(_waveforms(), sample_rate_hz=16_000)
