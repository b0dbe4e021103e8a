"""Networks that take whole utterances: padding to the batch's longest has no say in anything."""

import inspect
from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ser_tune.architectures import ARCHITECTURES, Architecture, InputShape
from ser_tune.architectures.networks.convolutions import (
    alexnet_convolutions,
    convolve,
    masked_batch_norm,
    real_positions,
)

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = [name for name in ARCHITECTURES.names() if name != "finetuned_encoder"]  # it has tests of its own
WHOLE = [name for name in NAMES if ARCHITECTURES.get(name).shortest_frames is not None]
DESCENDED = [name for name in WHOLE if ARCHITECTURES.get(name).solve is None]
SHORTEST, BANDS, N_CLASSES = 63, 64, 4
LENGTHS = st.lists(st.integers(SHORTEST, 230), min_size=1, max_size=5)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Networks this small are slowed by threads that wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _utterances(lengths: list[int], channels: int = 2, bands: int = BANDS, seed: int = 1) -> list[Tensor]:
    """Each of shape (C, F, its length), of unlike loudness and far from the 0 that pads."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(channels, bands, length, generator=generator) * (1 + number) + 3
        for number, length in enumerate(lengths)
    ]


def _batch(utterances: list[Tensor], further: int = 0, filling: float = 0.0) -> tuple[Tensor, Tensor]:
    """The utterances padded to the longest and further, and their lengths."""
    lengths = torch.tensor([one.shape[2] for one in utterances])
    batch = torch.full((len(utterances), *utterances[0].shape[:2], int(lengths.max()) + further), filling)
    for row, one in zip(batch, utterances, strict=True):
        row[:, :, : one.shape[2]] = one
    return batch, lengths


def _network(name: str, *, trained: bool = True, **changes: object) -> nn.Module:
    """A narrow network; `trained` ones have running statistics as if they had seen something."""
    torch.manual_seed(0)
    architecture = ARCHITECTURES.get(name)
    written = {"width": 0.05, "dropout": 0.0} | changes if architecture.solve is None else changes
    network = architecture.build(
        architecture.settings.model_validate(written), InputShape(2, BANDS, SHORTEST), N_CLASSES
    )
    if trained:
        norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = 1.0
        network.train()(_batch(_utterances([150, 200], seed=2))[0])
        for norm in norms:
            norm.momentum = 0.1
            nn.init.normal_(norm.bias)  # or what lies in padding stays 0 for want of anything else
    return network.eval()


@pytest.fixture(params=NAMES)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return ARCHITECTURES.get(request.param)


def test_only_those_that_declare_it_take_lengths(architecture: Architecture) -> None:
    assert WHOLE == ["attentive_probe", "fcn_attention", "fcn_gap", "light_cnn", "linear_probe"]
    network = _network(architecture.name, trained=False)
    assert ("lengths" in inspect.signature(network.forward).parameters) == (architecture.name in WHOLE)


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
@QUICK
@given(lengths=LENGTHS, further=st.integers(0, 150), filling=st.sampled_from((0.0, 40.0)))
def test_an_utterance_is_judged_in_any_batch_as_it_is_alone(
    name: str, lengths: list[int], further: int, filling: float
) -> None:
    network, utterances = _network(name), _utterances(lengths)
    with torch.no_grad():
        alone = torch.cat([network(one[None]) for one in utterances])
        together = network(*_batch(utterances, further, filling))
        backwards = network(*_batch(utterances[::-1], further, filling)).flip(0)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(backwards, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("length", range(63, 63 + 32))
def test_every_remainder_of_the_strides_is_cut_where_the_utterance_ends(name: str, length: int) -> None:
    network, utterances = _network(name), _utterances([length, 140])
    with torch.no_grad():
        together, alone = network(*_batch(utterances)), network(utterances[0][None])
    torch.testing.assert_close(together[:1], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", WHOLE)
def test_utterances_differ(name: str) -> None:
    with torch.no_grad():
        logits = _network(name)(*_batch(_utterances([63, 100, 200])))
    assert (logits[0] - logits[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", WHOLE)
def test_equal_lengths_are_as_none(name: str) -> None:
    batch, lengths = _batch(_utterances([90, 90, 90]))
    plain, masked = _network(name, trained=False).train(), _network(name, trained=False).train()
    torch.testing.assert_close(masked(batch, lengths), plain(batch), rtol=1e-4, atol=1e-4)
    # Its statistics as well
    torch.testing.assert_close(masked.state_dict(), plain.state_dict(), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", DESCENDED)
def test_padding_has_no_say_in_training(name: str) -> None:
    utterances = _utterances([63, 95, 130])
    steps = []
    for further, filling in ((0, 0.0), (77, 9.0)):
        # Layers of more than one map: a single one's scale means nothing to the batch norm after it
        network = _network(name, trained=False, width=0.15).train()
        logits = network(*_batch(utterances, further, filling))
        nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
        gradients = {key: one.grad for key, one in network.named_parameters()}
        assert all(one is not None and one.abs().sum() > 0 for one in gradients.values()), gradients.keys()
        steps.append((logits.detach(), gradients, network.state_dict()))
    torch.testing.assert_close(*steps, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "width"), [("fcn_attention", 0.05), ("fcn_gap", 0.05), ("light_cnn", 0.25)])
def test_training_on_whole_utterances_learns(name: str, width: float) -> None:
    torch.manual_seed(0)
    labels = torch.arange(8) % 2
    utterances = [
        torch.randn(2, BANDS, 63 + 9 * number) + (2.0 * label - 1) for number, label in enumerate(labels.tolist())
    ]
    inputs, network = _batch(utterances), _network(name, trained=False, width=width).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(*inputs), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


@QUICK
@given(lengths=st.lists(st.integers(1, 20), min_size=2, max_size=5), further=st.integers(0, 9), seed=st.integers(0, 99))
def test_masked_batch_norm_is_batch_norm_of_the_real_positions(lengths: list[int], further: int, seed: int) -> None:
    utterances = _utterances(lengths, channels=3, bands=4, seed=seed)
    batch, given_lengths = _batch(utterances, further, filling=50.0)
    norm, plain = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    for one in (norm, plain):
        torch.manual_seed(seed)
        nn.init.normal_(one.weight)
        nn.init.normal_(one.bias)
    # All real positions, one utterance after another, as a single long one
    batch.requires_grad_()
    joined = torch.cat(utterances, dim=2)[None].requires_grad_()
    expected = plain(joined)
    found = masked_batch_norm(norm, batch, given_lengths)
    real = [one[:, :, :length] for one, length in zip(found, lengths, strict=True)]
    torch.testing.assert_close(torch.cat(real, dim=2)[None], expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(norm.state_dict(), plain.state_dict(), rtol=1e-4, atol=1e-4)
    # And so are its gradients
    weights = torch.randn_like(expected)
    (expected * weights).sum().backward()
    (torch.cat(real, dim=2)[None] * weights).sum().backward()
    assert batch.grad is not None
    assert joined.grad is not None
    gradient = torch.cat([one[:, :, :length] for one, length in zip(batch.grad, lengths, strict=True)], dim=2)
    torch.testing.assert_close(gradient[None], joined.grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(norm.weight.grad, plain.weight.grad, rtol=1e-3, atol=1e-3)
    padding = ~real_positions(batch, given_lengths).expand_as(batch)
    assert not batch.grad[padding].any()


def test_masked_batch_norm_without_momentum_takes_the_mean_of_all_batches() -> None:
    masked, plain = nn.BatchNorm2d(2, momentum=None), nn.BatchNorm2d(2, momentum=None)
    for seed in range(3):
        utterances = _utterances([5, 9], bands=4, seed=seed)
        plain(torch.cat(utterances, dim=2)[None])
        masked_batch_norm(masked, *_batch(utterances))
    torch.testing.assert_close(masked.state_dict(), plain.state_dict(), rtol=1e-4, atol=1e-4)


def test_masked_batch_norm_uses_running_statistics_in_evaluation() -> None:
    norm = nn.BatchNorm2d(2).eval()
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    batch, lengths = _batch(_utterances([5, 9], bands=4))
    torch.testing.assert_close(masked_batch_norm(norm, batch, lengths), norm(batch), rtol=0, atol=0)
    torch.testing.assert_close(norm.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_lengths_follow_the_layers_arithmetic(batch_norm: bool) -> None:
    layers = alexnet_convolutions(2, 0.02, batch_norm=batch_norm).eval()
    utterances = _utterances([63, 94, 95, 200])
    maps, lengths = convolve(layers, *_batch(utterances))
    assert lengths is not None
    for one, length, utterance in zip(maps, lengths.tolist(), utterances, strict=True):
        alone = layers(utterance[None])[0]
        assert alone.shape[2] == length
        torch.testing.assert_close(one[:, :, :length], alone, rtol=0, atol=1e-4)


def test_without_lengths_layers_are_simply_run() -> None:
    layers = alexnet_convolutions(2, 0.02, batch_norm=True)
    batch, _ = _batch(_utterances([100, 100]))
    maps, lengths = convolve(layers.eval(), batch, None)
    assert lengths is None
    torch.testing.assert_close(maps, layers(batch), rtol=0, atol=0)
