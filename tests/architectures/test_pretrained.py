"""The fully convolutional networks start from the kernels of torchvision's AlexNet."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from ser_tune.architectures import ARCHITECTURES, InputShape
from ser_tune.errors import ConfigError

NAMES = ("features.0.weight", "features.3.weight", "features.6.weight", "features.8.weight", "features.10.weight")
"""Of AlexNet's convolutions, as torchvision names them."""


@pytest.fixture(params=["fcn_attention", "fcn_gap"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kernels() -> dict[str, Tensor]:
    """All that the networks need of a weights file, and the biases that they do not."""
    torch.manual_seed(0)
    with torch.device("meta"):
        shapes = {name: one.shape for name, one in torchvision.models.alexnet().features.state_dict().items()}
    return {f"features.{name}": torch.randn(shape) / 20 for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def file(kernels: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.save(kernels, path)
    return path


def _initialised(name: str, channels: int = 3, **settings: Any) -> nn.Module:
    architecture = ARCHITECTURES.get(name)
    written = architecture.settings.model_validate(settings)
    torch.manual_seed(1)
    network = architecture.build(written, InputShape(channels, 64, 64), 4)
    assert architecture.initialise is not None
    architecture.initialise(network, written)
    return network


def _convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [one for one in network.get_submodule("convolutions").modules() if isinstance(one, nn.Conv2d)]


def test_every_convolution_gets_its_kernel_and_nothing_else_changes(
    name: str, kernels: dict[str, Tensor], file: Path
) -> None:
    before, after = _initialised(name).state_dict(), _initialised(name, weights=file)
    for layer, theirs in zip(_convolutions(after), NAMES, strict=True):
        torch.testing.assert_close(layer.weight.data, kernels[theirs], rtol=0, atol=0)
    for key, tensor in after.state_dict().items():
        changed = key.startswith("convolutions.") and tensor.ndim == 4
        assert torch.equal(tensor, before[key]) != changed, key


def test_batch_norm_takes_back_the_biases_that_are_left_out(name: str, kernels: dict[str, Tensor], file: Path) -> None:
    convolutions = _initialised(name, weights=file).get_submodule("convolutions").train()
    segments = torch.randn(2, 3, 64, 64)
    layer, norm = convolutions.get_submodule("0"), convolutions.get_submodule("1")
    theirs = nn.functional.conv2d(
        segments, kernels["features.0.weight"], kernels["features.0.bias"], stride=4, padding=2
    )
    torch.testing.assert_close(norm(layer(segments)), norm(theirs), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2])
def test_other_numbers_of_channels_see_grey_as_three_do(
    name: str, channels: int, kernels: dict[str, Tensor], file: Path
) -> None:
    first = _convolutions(_initialised(name, channels, weights=file))[0]
    grey = torch.randn(2, 1, 64, 64)
    expected = nn.functional.conv2d(grey.expand(-1, 3, -1, -1), kernels["features.0.weight"], stride=4, padding=2)
    torch.testing.assert_close(first(grey.expand(-1, channels, -1, -1)), expected, rtol=1e-4, atol=1e-4)


def test_random_weights_stay_the_default(name: str) -> None:
    architecture = ARCHITECTURES.get(name)
    torch.manual_seed(1)
    plain = architecture.build(architecture.settings.model_validate({}), InputShape(3, 64, 64), 4)
    torch.testing.assert_close(_initialised(name).state_dict(), plain.state_dict(), rtol=0, atol=0)


def test_another_width_than_1_is_refused(name: str, file: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.width must be 1 with model\.weights .*, not 0\.5"):
        ARCHITECTURES.get(name).settings.model_validate({"width": 0.5, "weights": file})


def test_a_file_that_lacks_a_convolution_is_refused(name: str, kernels: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({key: one for key, one in kernels.items() if key != "features.8.weight"}, tmp_path / "part.pth")
    with pytest.raises(ConfigError, match=r"part\.pth' lacks 'features\.8\.weight'; expected torchvision's AlexNet"):
        _initialised(name, weights=tmp_path / "part.pth")


def test_a_kernel_of_another_shape_is_refused(name: str, kernels: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(kernels | {"features.3.weight": torch.zeros(192, 64, 3, 3)}, tmp_path / "small.pth")
    with pytest.raises(ConfigError, match=r"'features\.3\.weight' has shape \(192, 64, 3, 3\); expected \(192, 64, 5,"):
        _initialised(name, weights=tmp_path / "small.pth")
