"""What every architecture promises, whichever it is, and the published sizes of each."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from ser_tune.architectures import ARCHITECTURES, Architecture, Examples, InputShape
from ser_tune.architectures.networks.layers import SMALLEST_VARIANCE, AttentiveStatistics, FrameAttention, scaled
from ser_tune.config import StudyConfig
from ser_tune.errors import ConfigError, UnknownNameError

SHAPE = InputShape(channels=3, bands=64, frames=64)
N_CLASSES = 4
TOO_SMALL = {
    "3d_acrnn": InputShape(3, 3, 64),
    "alex_net": InputShape(3, 62, 64),
    "fcn_attention": InputShape(3, 64, 62),
    "fcn_gap": InputShape(3, 62, 64),
    "light_cnn": InputShape(3, 64, 6),
}
SMALLEST = {
    "3d_acrnn": InputShape(3, 4, 16),
    "alex_net": InputShape(3, 63, 63),
    "attentive_probe": InputShape(3, 1, 1),
    "fcn_attention": InputShape(3, 63, 63),
    "fcn_gap": InputShape(3, 63, 63),
    "light_cnn": InputShape(3, 7, 7),
    "linear_probe": InputShape(3, 1, 1),
}
OWN_TESTS = {"finetuned_encoder"}
"""It takes waveforms and opens an encoder; test_finetuned_encoder.py has the same promises."""
NAMES = [name for name in ARCHITECTURES.names() if name not in OWN_TESTS]
DESCENDED = [name for name in NAMES if ARCHITECTURES.get(name).solve is None]
SOLVED = [name for name in NAMES if name not in DESCENDED]


@pytest.fixture(params=NAMES)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return ARCHITECTURES.get(request.param)


@pytest.fixture(params=DESCENDED)
def descended(request: pytest.FixtureRequest) -> Architecture:
    """An architecture that gradient descent trains."""
    return ARCHITECTURES.get(request.param)


@pytest.fixture(params=SOLVED)
def solved(request: pytest.FixtureRequest) -> Architecture:
    """An architecture that has a solver."""
    return ARCHITECTURES.get(request.param)


def _network(architecture: Architecture, shape: InputShape = SHAPE, **settings: Any) -> nn.Module:
    torch.manual_seed(0)
    narrow = {"width": 0.1} if architecture.solve is None else {}
    return architecture.build(architecture.settings.model_validate(narrow | settings), shape, N_CLASSES)


def _segments(shape: InputShape = SHAPE, count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, shape.channels, shape.bands, shape.frames, generator=generator)


def _published(name: str, shape: InputShape, n_classes: int) -> nn.Module:
    """The architecture at its published size, without memory for its weights."""
    architecture = ARCHITECTURES.get(name)
    with torch.device("meta"):
        return architecture.build(architecture.settings.model_validate({}), shape, n_classes)


def _size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _layers(network: nn.Module, kind: type[nn.Module]) -> Iterator[Any]:
    return (layer for layer in network.modules() if isinstance(layer, kind))


def test_every_architecture_is_described_here() -> None:
    assert set(SMALLEST) == set(NAMES)
    takes_any = {name for name, shape in SMALLEST.items() if (shape.bands, shape.frames) == (1, 1)}
    assert set(TOO_SMALL) == set(NAMES) - takes_any


def test_an_unknown_architecture_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="unknown architecture 'lenet'; choose from: 3d_acrnn, alex_net, atten"):
        ARCHITECTURES.get("lenet")


def test_an_architecture_bears_its_name_and_citation(architecture: Architecture) -> None:
    assert ARCHITECTURES.get(architecture.name) is architecture
    assert architecture.settings.model_validate({}).name == architecture.name
    assert architecture.citation


@pytest.mark.parametrize("channels", [1, 3])
def test_segments_become_logits(architecture: Architecture, channels: int) -> None:
    shape = InputShape(channels=channels, bands=64, frames=80)
    logits = _network(architecture, shape)(_segments(shape))
    assert logits.shape == (3, N_CLASSES)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


def test_gradients_reach_every_parameter(descended: Architecture) -> None:
    # More frames than elsewhere: attention to a single position has nothing to learn
    shape = InputShape(channels=3, bands=64, frames=128)
    network = _network(descended, shape, dropout=0.0).train()
    network(_segments(shape, count=6)).logsumexp(dim=1).sum().backward()
    gradients = {name: one.grad for name, one in network.named_parameters()}
    reached = {name: grad is not None and bool(grad.abs().sum() > 0) for name, grad in gradients.items()}
    assert reached
    assert [name for name, there in reached.items() if not there] == []


def test_evaluation_is_deterministic(architecture: Architecture) -> None:
    network, segments = _network(architecture).eval(), _segments()
    torch.testing.assert_close(network(segments), network(segments), rtol=0, atol=0)


def test_evaluation_is_deterministic_and_training_drops_out(descended: Architecture) -> None:
    network, segments = _network(descended, dropout=0.5), _segments()
    network.eval()
    torch.testing.assert_close(network(segments), network(segments), rtol=0, atol=0)
    network.train()
    assert not torch.equal(network(segments), network(segments))


def test_a_segment_is_judged_alone_in_evaluation(architecture: Architecture) -> None:
    network, segments = _network(architecture).eval(), _segments()
    alone = torch.cat([network(one[None]) for one in segments])
    torch.testing.assert_close(network(segments), alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(alone[0], alone[1], atol=1e-5)


def test_channels_last_memory_changes_nothing(architecture: Architecture) -> None:
    network, segments = _network(architecture).eval(), _segments()
    expected = network(segments)
    last = network.to(memory_format=torch.channels_last)(segments.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-5)


def test_width_scales_the_sizes(descended: Architecture) -> None:
    sizes: list[int] = []
    for width in (0.25, 0.5, 1.0):
        with torch.device("meta"):
            network = descended.build(descended.settings.model_validate({"width": width}), SHAPE, N_CLASSES)
        sizes.append(_size(network))
    # Between layers both sides shrink: half the width is a quarter of the size, or less than half with a wide input
    for smaller, larger in pairwise(sizes):
        assert larger / 4 * 0.9 < smaller < larger / (4 * 0.9 if descended.name in TOO_SMALL else 2)


def test_the_narrowest_network_still_works(descended: Architecture) -> None:
    assert torch.isfinite(_network(descended, width=1e-6)(_segments())).all()


def test_the_smallest_segments_work(architecture: Architecture) -> None:
    smallest = SMALLEST[architecture.name]
    assert _network(architecture, smallest).eval()(_segments(smallest)).shape == (3, N_CLASSES)


@pytest.mark.parametrize("name", TOO_SMALL)
def test_smaller_segments_than_that_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"are too small for .*; expected at least"):
        _network(ARCHITECTURES.get(name), TOO_SMALL[name])


def _examples(count: int = 24) -> Examples:
    """Segments in which another band is loud for each class, by three speakers."""
    labels = torch.arange(count) % N_CLASSES
    loud = nn.functional.one_hot(labels, SHAPE.bands)[:, None, :, None]
    return Examples.of((_segments(count=count) + 2 * loud,), labels, torch.arange(count) // 8)


def test_a_solver_tells_its_examples_apart(solved: Architecture) -> None:
    network, settings, examples = _network(solved).eval(), solved.settings.model_validate({}), _examples()
    assert solved.solve is not None
    before = network(*examples.inputs)
    with torch.no_grad():
        solved.solve(network, settings, examples)
    logits = network(*examples.inputs)
    assert torch.isfinite(logits).all()
    assert (logits.argmax(dim=1) == examples.labels).all()
    assert not (before.argmax(dim=1) == examples.labels).all()


def test_a_solver_does_not_depend_on_where_the_network_starts(solved: Architecture) -> None:
    settings, states = solved.settings.model_validate({}), []
    assert solved.solve is not None
    for seed in (0, 1):
        network = _network(solved)
        torch.manual_seed(seed)
        for parameter in network.parameters():
            nn.init.normal_(parameter)
        with torch.no_grad():
            solved.solve(network, settings, _examples())
        states.append(network.state_dict())
    torch.testing.assert_close(*states, rtol=0, atol=0)


def test_settings_of_descent_mean_nothing_to_a_solver(architecture: Architecture) -> None:
    unused = architecture.unused(StudyConfig)
    paths = {"optimizer.learning_rate", "loss.name", "training.epochs", "segments.crop", "augmentation.mixup"}
    assert unused & paths == (set() if architecture.solve is None else paths)
    assert not unused & {"model.name", "features.name", "segments.frames", "seed"}


@pytest.mark.parametrize("frames", [63, 100, 333])
@pytest.mark.parametrize("name", ["3d_acrnn", "fcn_attention", "fcn_gap", "light_cnn", "linear_probe"])
def test_some_networks_take_utterances_of_any_length(name: str, frames: int) -> None:
    network = _network(ARCHITECTURES.get(name)).eval()
    assert network(_segments(InputShape(3, 64, frames))).shape == (3, N_CLASSES)


def test_3d_acrnn_has_the_published_sizes() -> None:
    network = _published("3d_acrnn", InputShape(3, 40, 300), 7)
    convolutions = list(_layers(network, nn.Conv2d))
    assert [layer.out_channels for layer in convolutions] == [128, 256, 256, 256, 256, 256]
    # 5 frames by 3 bands, and pooling over 2 frames by 4 bands; here bands come first
    assert {layer.kernel_size for layer in convolutions} == {(3, 5)}
    assert [layer.kernel_size for layer in _layers(network, nn.MaxPool2d)] == [(4, 2)]
    assert len(list(_layers(network, nn.BatchNorm2d))) == len(list(_layers(network, nn.LeakyReLU))) - 1 == 6
    (lstm,) = _layers(network, nn.LSTM)
    assert (lstm.input_size, lstm.hidden_size, lstm.bidirectional) == (768, 128, True)
    sizes = {
        "convolutions": 15 * (3 * 128 + 128 * 256 + 4 * 256 * 256) + 2 * (128 + 5 * 256),
        "linear": 256 * 10 * 768 + 2 * 768,
        "lstm": 2 * 4 * 128 * (768 + 128 + 2),
        "attention": 256 * 256 + 256 + 256,
        "classifier": 256 * 64 + 64 + 64 * 7 + 7,
    }
    assert _size(network) == sum(sizes.values())


def test_3d_acrnn_can_be_that_of_its_authors_code() -> None:
    settings = {"batch_norm": "linear", "attention": "sigmoid", "convolution_dropout": 0.25}
    network = _network(ARCHITECTURES.get("3d_acrnn"), InputShape(3, 40, 300), **settings)
    assert list(_layers(network, nn.BatchNorm2d)) == []
    assert len(list(_layers(network, nn.BatchNorm1d))) == 1
    convolutions = list(_layers(network, nn.Conv2d))
    assert all(layer.bias is not None for layer in convolutions)
    kinds = [type(layer) for layer in network.get_submodule("convolutions").children()]
    assert kinds[:4] == [nn.Conv2d, nn.MaxPool2d, nn.LeakyReLU, nn.Dropout]
    assert kinds[4:] == 5 * [nn.Conv2d, nn.LeakyReLU, nn.Dropout]
    (attention,) = _layers(network, FrameAttention)
    positions = torch.randn(2, 5, attention.projection.in_features)
    by_hand = torch.softmax(attention.score(torch.sigmoid(attention.projection(positions))), dim=1)
    torch.testing.assert_close(attention.weights(positions), by_hand)
    (plain,) = _layers(_network(ARCHITECTURES.get("3d_acrnn")), FrameAttention)
    assert plain.activation is torch.tanh


@pytest.mark.parametrize("name", ["fcn_attention", "fcn_gap"])
def test_fully_convolutional_networks_are_alexnet_with_batch_norm(name: str) -> None:
    network = _published(name, InputShape(1, 200, 300), 4)
    convolutions = list(_layers(network, nn.Conv2d))[:5]
    assert [(layer.out_channels, layer.kernel_size[0], layer.stride[0]) for layer in convolutions] == [
        (64, 11, 4),
        (192, 5, 1),
        (384, 3, 1),
        (256, 3, 1),
        (256, 3, 1),
    ]
    # At the input and after every convolution
    assert [layer.num_features for layer in _layers(network, nn.BatchNorm2d)] == [1, 64, 192, 384, 256, 256]
    weights = 64 * 121 + 64 * 192 * 25 + 9 * (192 * 384 + 384 * 256 + 256 * 256)
    norms = 2 * (1 + 64 + 192 + 384 + 256 + 256)
    head = {"fcn_attention": 256 * 256 + 256 + 256, "fcn_gap": 0}[name] + 256 * 4 + 4
    assert _size(network) == weights + norms + head


def test_fcn_attentions_scores_are_scaled_as_published() -> None:
    (attention,) = _layers(_published("fcn_attention", InputShape(1, 200, 300), 4), FrameAttention)
    assert attention.score_scale == 0.3


def test_fcn_gap_averages_a_map_of_every_class() -> None:
    network, segments = _network(ARCHITECTURES.get("fcn_gap")).eval(), _segments(InputShape(3, 100, 200))
    maps = network.get_submodule("classifier")(
        network.get_submodule("convolutions")(network.get_submodule("input_norm")(segments))
    )
    assert maps.shape == (3, N_CLASSES, 2, 5)
    torch.testing.assert_close(network(segments), maps.mean(dim=(2, 3)))


def test_light_cnn_has_eight_narrow_convolutions_in_three_stages() -> None:
    network = _published("light_cnn", InputShape(1, 64, 128), 7)
    convolutions = list(_layers(network, nn.Conv2d))
    assert [layer.out_channels for layer in convolutions] == [16, 16, 32, 32, 48, 48, 64, 64]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert [layer.num_features for layer in _layers(network, nn.BatchNorm2d)] == [16, 16, 32, 32, 48, 48, 64, 64]
    assert [layer.stride for layer in convolutions] == [(2, 2)] + [(1, 1)] * 7
    assert len(list(_layers(network, nn.AvgPool2d))) == 2
    assert network.get_submodule("convolutions")(torch.empty(1, 1, 64, 128, device="meta")).shape == (1, 64, 8, 16)
    weights = 9 * (16 + 16 * 16 + 16 * 32 + 32 * 32 + 32 * 48 + 48 * 48 + 48 * 64 + 64 * 64)
    norms, attention = 2 * 2 * (16 + 32 + 48 + 64), 64 * 64 + 64 + 64
    classifier = 2 * 64 * 7 + 7  # mean and deviation of 64 maps
    assert _size(network) == weights + norms + attention + classifier


def test_attentive_statistics_are_the_weighted_mean_and_deviation_of_what_is_real() -> None:
    torch.manual_seed(0)
    pooling, positions = AttentiveStatistics(4, 3), torch.randn(2, 5, 4)
    real = torch.tensor([[True, True, False, True, False], [True] * 5])
    for one, those, pooled in zip(positions, real, pooling(positions, real), strict=True):
        one = one[those]
        attention = pooling.attention
        weights = torch.softmax(attention.score(torch.tanh(attention.projection(one)))[:, 0], dim=0)
        mean = sum((weight * row for weight, row in zip(weights, one, strict=True)), torch.zeros(4))
        square = sum((weight * row**2 for weight, row in zip(weights, one, strict=True)), torch.zeros(4))
        torch.testing.assert_close(pooled, torch.cat([mean, (square - mean**2).sqrt()]))


def test_the_deviation_of_one_position_has_a_slope() -> None:
    position = torch.randn(2, 1, 4, requires_grad=True)
    pooled = AttentiveStatistics(4, 3)(position)
    torch.testing.assert_close(pooled[:, 4:], torch.full((2, 4), SMALLEST_VARIANCE**0.5))
    pooled.sum().backward()
    assert position.grad is not None
    torch.testing.assert_close(position.grad, torch.ones(2, 1, 4))


def test_scores_are_scaled_before_the_softmax() -> None:
    torch.manual_seed(0)
    attention, positions = FrameAttention(4, 8, score_scale=0.3), torch.randn(2, 5, 4)
    scores = attention.score(torch.tanh(attention.projection(positions)))[:, :, 0]
    weights = torch.exp(0.3 * scores) / torch.exp(0.3 * scores).sum(dim=1, keepdim=True)
    expected = torch.stack([sum((weights[b, p] * positions[b, p] for p in range(5)), torch.zeros(4)) for b in range(2)])
    torch.testing.assert_close(attention(positions), expected)


def test_attention_to_equal_positions_is_their_value() -> None:
    positions = torch.arange(4.0).expand(2, 6, 4)
    torch.testing.assert_close(FrameAttention(4, 8)(positions), torch.arange(4.0).expand(2, 4))


def test_a_layer_has_at_least_one_unit() -> None:
    assert [scaled(256, width) for width in (1e-9, 0.25, 1.0, 1.5)] == [1, 64, 256, 384]


def test_attention_leaves_out_what_is_not_real() -> None:
    torch.manual_seed(0)
    attention, positions = FrameAttention(4, 8, score_scale=0.3), torch.randn(2, 5, 4)
    real = torch.tensor([[True, True, False, True, False], [True] * 5])
    expected = torch.cat([attention(positions[:1, [0, 1, 3]]), attention(positions[1:])])
    torch.testing.assert_close(attention(positions, real), expected)
