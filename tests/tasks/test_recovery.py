"""Models recover the simulated annotators' votes and ratings of the demo corpus, on test speakers."""

from typing import Any

import pytest

from tests.ser_tune_benchmarks.crowd_labels import recover, train_on_both

pytestmark = pytest.mark.slow

PROBE: tuple[str, dict[str, object]] = ("linear_probe", {"features.name": "logmelspec"})
NETWORK: tuple[str, dict[str, object]] = ("light_cnn", {})


@pytest.mark.parametrize(("model", "settings"), [PROBE, NETWORK])
def test_dimensions_are_recovered_far_above_the_speaker_mean(
    model: str, settings: dict[str, object], project: Any
) -> None:
    found = recover(project, model, "dimensions", **settings)
    assert found.over_speaker_mean.interval.low > 0.3
    # Each dimension, not the mean alone
    assert len(found.scores["ccc"].parts) == 3
    assert min(found.scores["ccc"].parts.values()) > 0.3


def test_votes_are_recovered_by_a_solver(project: Any) -> None:
    model, settings = PROBE
    found = recover(project, model, "votes", **settings)
    assert found.scores["jsd"].value < 0.22
    assert found.over_speaker_mean.interval.high < -0.05


def test_votes_are_recovered_better_by_training_on_votes_than_on_the_emotion_of_most(project: Any) -> None:
    model, settings = NETWORK
    both = train_on_both(project, model, range(3), **settings)
    assert both.over_speaker_mean.interval.high < 0
    compared = both.compare()
    assert compared.primary.value < compared.primary.interval.high < 0
    assert both.means(both.metrics[0])[0] < both.means(both.metrics[0])[1] < 0.3
