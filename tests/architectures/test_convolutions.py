"""Convolutions that are computed in another way than torch's."""

import copy

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ser_tune.architectures import InputShape
from ser_tune.architectures.acrnn_3d import Acrnn3dSettings
from ser_tune.architectures.networks.acrnn_3d import Acrnn3d
from ser_tune.architectures.networks.convolutions import UnshuffledConv2d


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.integers(1, 11),
    stride=st.integers(1, 5),
    margin=st.integers(0, 5),
    channels=st.integers(1, 3),
    further=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    bias=st.booleans(),
)
def test_a_strided_convolution_is_the_same_without_its_stride(
    kernel: int, stride: int, margin: int, channels: int, further: tuple[int, int], bias: bool
) -> None:
    torch.manual_seed(0)
    ours = UnshuffledConv2d(channels, 4, kernel, stride=stride, padding=margin, bias=bias).double()
    theirs = nn.Conv2d(channels, 4, kernel, stride=stride, padding=margin, bias=bias).double()
    theirs.load_state_dict(ours.state_dict())
    maps = torch.randn(2, channels, kernel + further[0], kernel + further[1], dtype=torch.float64)
    found, expected = _with_gradients(ours, maps), _with_gradients(theirs, maps)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, msg=lambda text, name=name: f"{name}: {text}")


def test_3d_acrnn_pools_before_it_rectifies_which_changes_nothing() -> None:
    torch.manual_seed(0)
    ours = Acrnn3d(Acrnn3dSettings(width=0.02), InputShape(3, 20, 30), 4).double().convolutions
    published = list(copy.deepcopy(ours))
    assert [type(one) for one in published[2:4]] == [nn.MaxPool2d, nn.LeakyReLU]
    published[2:4] = reversed(published[2:4])
    maps = torch.randn(3, 3, 20, 30, dtype=torch.float64)
    found, expected = _with_gradients(ours, maps), _with_gradients(nn.Sequential(*published), maps)
    for one, other in zip(found.values(), expected.values(), strict=True):
        torch.testing.assert_close(one, other)


def _with_gradients(layer: nn.Module, maps: Tensor) -> dict[str, Tensor]:
    """The layer's result, and what a weighted sum of it asks of the input and the parameters."""
    maps = maps.clone().requires_grad_()
    result = layer(maps)
    weights = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).reshape(result.shape)
    (result * weights).sum().backward()
    gradients = {name: one.grad for name, one in layer.named_parameters() if one.grad is not None}
    assert maps.grad is not None
    return {"result": result.detach(), "input": maps.grad, **gradients}
