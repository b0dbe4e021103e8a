"""Pictures of one utterance, and the attention in them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from ser_tune.architectures import ARCHITECTURES, InputShape
from ser_tune.architectures.networks import Ensemble
from ser_tune.config import NetworkSettings
from ser_tune.errors import AudioError, ConfigError
from ser_tune.prediction import Prediction, SegmentPrediction
from ser_tune.recordings import Passage, Timeline, curves, draw_timeline, draw_utterance
from ser_tune.recordings.attention import over_time, recorded
from tests.recordings.conftest import LoudnessModel

Sound = Callable[..., str]
FRAMES = 64
STEPS = {"attentive_probe": 64, "light_cnn": 8, "3d_acrnn": 32, "fcn_attention": 1}
"""Positions in time that are pooled of 64 frames."""


def _network(name: str) -> torch.nn.Module:
    architecture = ARCHITECTURES.get(name)
    settings: Any = architecture.settings(width=0.05)
    assert isinstance(settings, NetworkSettings)
    torch.manual_seed(0)
    return architecture.build(settings, InputShape(channels=1, bands=64, frames=FRAMES), 3).eval()


@pytest.mark.parametrize("name", STEPS)
def test_attention_of_every_network_that_has_it_is_recorded_over_time(name: str) -> None:
    network = _network(name)
    with torch.inference_mode(), recorded([network]) as weights:
        logits = network(torch.randn(2, 1, 64, FRAMES))
    assert [[one.shape for one in runs] for runs in weights] == [[(2, STEPS[name])]]
    np.testing.assert_allclose(weights[0][0].sum(axis=1), 1, rtol=1e-5)
    with torch.inference_mode():
        network(torch.randn(1, 1, 64, FRAMES))  # nothing is recorded any more
    assert len(weights[0]) == 1
    assert logits.shape == (2, 3)


def test_positions_of_maps_are_summed_over_bands() -> None:
    network: Any = _network("fcn_attention")
    with torch.inference_mode(), recorded([network]) as weights:
        maps = network.convolutions(network.input_norm(torch.randn(1, 1, 64, 400)))
        network.attention(maps.flatten(2).transpose(1, 2))
        positions = network.attention.weights(maps.flatten(2).transpose(1, 2))
    expected = positions.reshape(maps.shape[2], maps.shape[3]).sum(dim=0)
    assert maps.shape[2] > 1 or maps.shape[3] > 1
    np.testing.assert_allclose(weights[0][0][0], expected, rtol=1e-5)


def test_members_of_an_ensemble_are_recorded_apart_and_networks_without_attention_not_at_all() -> None:
    both = Ensemble([_network("light_cnn"), _network("light_cnn")], "classification")
    with torch.inference_mode(), recorded([both, _network("alex_net")]) as weights:
        both(torch.randn(1, 1, 64, FRAMES))
    assert [len(runs) for runs in weights] == [1, 1]


def _prediction(*places: tuple[float, float]) -> Prediction:
    return Prediction("a.wav", "joy", {"joy": 1.0}, tuple(SegmentPrediction(*place, {"joy": 1.0}) for place in places))


def test_attention_over_time_is_relative_to_even_attention() -> None:
    grid_s = np.array([0.05, 0.55, 1.2, 1.8])
    weights = [[np.array([[0.75, 0.25], [0.5, 0.5]])], [np.array([[0.25, 0.75], [0.5, 0.5]])]]
    one_of_two = over_time(weights[:1], _prediction((0.0, 1.0), (1.0, 1.5)), 1.0, grid_s)
    np.testing.assert_allclose(one_of_two, [1.5, 0.5, 1.0, np.nan])
    np.testing.assert_allclose(over_time(weights, _prediction((0.0, 1.0), (1.0, 1.5)), 1.0, grid_s)[:3], 1)
    assert over_time([], _prediction((0.0, 1.0)), None, grid_s) is None


def test_runs_before_the_last_are_of_adaptation_and_do_not_count() -> None:
    runs = [np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])]
    np.testing.assert_allclose(over_time([runs], _prediction((0.0, 1.0)), None, np.array([0.1, 0.9])), 1)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_picture_is_drawn_in_the_format_of_its_name(
    tmp_path: Path, sound: Sound, model: LoudnessModel, suffix: str
) -> None:
    out = tmp_path / f"picture.{suffix}"
    told = draw_utterance(model, Path(sound(tmp_path / "$a_b$.wav", 2.0)), out)  # type: ignore[arg-type]
    assert told.label == "anger"
    assert model.asked == [[32_000], [16_000] * 11]
    if suffix == "png":
        picture = imread(out)
        assert picture.shape[0] > 500
        assert len(np.unique(picture[::7, ::7].reshape(-1, picture.shape[2]), axis=0)) > 50
    elif suffix == "svg":
        assert all(f"<!-- {word} -->" in out.read_text(encoding="utf-8") for word in ("anger", "sadness"))
    else:
        assert out.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("dimensions", {"a.wav: anger 4.20, sadness 1.80", "rating", "anger", "sadness", "1", "5", "7"}),
        ("distribution", {"a.wav: anger, probability 0.80", "probability", "probability, whole utterance"}),
        ("multilabel", {"a.wav: anger, score 0.80", "score", "score, whole utterance", "anger"}),
    ],
)
def test_a_picture_has_curves_of_ratings_and_bars_of_shares_and_scores(
    tmp_path: Path, sound: Sound, task: str, words: set[str]
) -> None:
    out, model = tmp_path / "picture.svg", LoudnessModel(task=task)
    draw_utterance(model, Path(sound(tmp_path / "a.wav", 1.0)), out)  # type: ignore[arg-type]
    drawn = set(re.findall("<!-- (.+) -->", out.read_text(encoding="utf-8")))
    assert words <= drawn
    assert ("probability" in drawn) == (task == "distribution")


def test_a_timeline_is_drawn_with_gaps_where_nobody_speaks(tmp_path: Path) -> None:
    windows = [Passage(start, start + 3.0, "", {"anger": 2.0, "sadness": 6.5}) for start in (0.0, 1.0, 8.0)]
    assert [len(stretch) for stretch in curves._stretches(windows)] == [2, 1]
    times_s, numbers = curves._piece(windows[:2], ("anger", "sadness"))
    assert (times_s.tolist(), numbers.shape) == ([0.0, 1.5, 2.5, 4.0], (4, 2))
    for timeline in (Timeline("b.wav", 12.0, (), tuple(windows)), Timeline("b.wav", 12.0, (), ())):
        draw_timeline(LoudnessModel(task="dimensions"), timeline, tmp_path / "b.svg")  # type: ignore[arg-type]
        assert "<!-- b.wav -->" in (tmp_path / "b.svg").read_text(encoding="utf-8")


def test_an_utterance_whose_windows_are_too_short_for_the_model_is_drawn_as_one(
    tmp_path: Path, sound: Sound, model: LoudnessModel
) -> None:
    out = tmp_path / "short.png"
    draw_utterance(model, Path(sound(tmp_path / "short.wav", 0.06)), out)  # type: ignore[arg-type]
    assert out.exists()


def test_a_name_that_no_font_has_is_a_number_and_a_line_beside_the_picture(
    tmp_path: Path, sound: Sound, model: LoudnessModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_tune.drawing.lettering._fonts_for", lambda missing: ((), frozenset()))
    draw_utterance(model, Path(sound(tmp_path / "怒り.wav", 0.5)), tmp_path / "a.png")  # type: ignore[arg-type]
    assert (tmp_path / "a.labels.txt").read_text(encoding="utf-8") == "[1] = 怒り.wav\n"


def test_what_cannot_be_drawn_is_refused(tmp_path: Path, sound: Sound, model: LoudnessModel) -> None:
    file = Path(sound(tmp_path / "long.wav", 61))
    with pytest.raises(AudioError, match=r"has 61 s; .* at most 60 s; --timeline"):
        draw_utterance(model, file, tmp_path / "a.png")  # type: ignore[arg-type]
    for wrong in ("a.txt", "none/a.png"):
        with pytest.raises(ConfigError, match=r"the picture is .+; expected a name that ends in \.pdf"):
            draw_utterance(model, file, tmp_path / wrong)  # type: ignore[arg-type]
