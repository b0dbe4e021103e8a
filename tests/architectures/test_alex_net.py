"""`alex_net` is torchvision's AlexNet: its sizes, its parameters' names, and its weights."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision
from torch import Tensor, nn

from ser_tune.architectures import ARCHITECTURES, InputShape
from ser_tune.architectures.alex_net import AlexNetSettings, initialise
from ser_tune.architectures.networks.alex_net import AlexNet
from ser_tune.errors import ConfigError


def _empty(channels: int, n_classes: int = 4) -> AlexNet:
    """A network of full size whose weights are whatever is in memory: drawing 61 million takes long."""
    with torch.device("meta"):
        network = AlexNet(AlexNetSettings(), InputShape(channels, 64, 64), n_classes)
    return network.to_empty(device="cpu").eval()


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    """Torchvision's AlexNet; the large layers, which are as good as any other, repeat a few values."""
    torch.manual_seed(0)
    with torch.device("meta"):
        network: nn.Module = torchvision.models.alexnet()
    state = {name: torch.randn(one.shape[-1]).div(30).expand(one.shape) for name, one in network.state_dict().items()}
    state["features.0.weight"] = torch.randn(64, 3, 11, 11) / 20
    network.load_state_dict(state, assign=True)
    return network.eval()


@pytest.fixture(scope="module")
def file(theirs: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.save(theirs.state_dict(), path)
    return path


def test_parameters_are_torchvisions_for_three_channels_and_a_thousand_classes() -> None:
    with torch.device("meta"):
        theirs = torchvision.models.alexnet()
        ours = AlexNet(AlexNetSettings(), InputShape(3, 224, 224), 1000)
    assert {name: one.shape for name, one in ours.state_dict().items()} == {
        name: one.shape for name, one in theirs.state_dict().items()
    }
    assert sum(one.numel() for one in ours.parameters()) == 61_100_840
    assert str(ours.features) == str(theirs.features)
    assert str(ours.classifier) == str(theirs.classifier)


def test_a_local_file_is_loaded_but_for_the_last_layer(theirs: nn.Module, file: Path) -> None:
    ours = _empty(channels=3)
    last = ours.state_dict()["classifier.6.weight"].clone()
    initialise(ours, AlexNetSettings(weights=file))
    segments = torch.randn(2, 3, 64, 100)

    def hidden(network: nn.Module) -> Tensor:
        maps = network.get_submodule("avgpool")(network.get_submodule("features")(segments)).flatten(1)
        found: Tensor = nn.Sequential(*list(network.get_submodule("classifier").children())[:6])(maps)
        return found

    torch.testing.assert_close(hidden(ours), hidden(theirs))
    assert hidden(ours).abs().sum() > 0
    torch.testing.assert_close(ours.state_dict()["classifier.6.weight"], last, equal_nan=True)


@pytest.mark.parametrize("channels", [1, 2])
def test_other_numbers_of_channels_see_grey_as_three_do(theirs: nn.Module, file: Path, channels: int) -> None:
    ours = _empty(channels)
    initialise(ours, AlexNetSettings(weights=file))
    grey = torch.randn(2, 1, 64, 64)
    first, their_first = ours.get_submodule("features.0"), theirs.get_submodule("features.0")
    torch.testing.assert_close(
        first(grey.expand(-1, channels, -1, -1)), their_first(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4
    )


def test_random_weights_are_left_alone() -> None:
    network = AlexNet(AlexNetSettings(width=0.05), InputShape(3, 64, 64), 4)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    initialise(network, AlexNetSettings(width=0.05))
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


def test_the_catalogue_knows_how_to_initialise() -> None:
    assert ARCHITECTURES.get("alex_net").initialise is initialise


def _refused(weights: Path, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        initialise(_empty(channels=3), AlexNetSettings(weights=weights))
    assert str(weights) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    _refused(tmp_path / "none.pth", r"model\.weights is '.*none\.pth'; expected none, imagenet, or an existing file")


class _Anything:
    """What only an unsafe pickle can hold."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3}, "holds no state dictionary; expected torchvision's AlexNet"),
        ([1, 2], "holds no state dictionary"),
        (7, "holds no state dictionary"),
        (
            {"features.0.weight": torch.zeros(64, 3, 11, 11)},
            "lacks 'classifier.1.bias'; expected torchvision's AlexNet",
        ),
        (_Anything(), "cannot be read as a torch state dictionary: "),
    ],
)
def test_a_file_of_something_else_is_refused(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    _refused(tmp_path / "other.pth", message)


def test_a_file_that_torch_cannot_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("these are not weights")
    _refused(tmp_path / "text.pth", "cannot be read as a torch state dictionary: ")


def test_weights_of_another_shape_are_refused(theirs: nn.Module, tmp_path: Path) -> None:
    state = dict(theirs.state_dict()) | {"classifier.4.weight": torch.zeros(10, 4096)}
    torch.save(state, tmp_path / "narrow.pth")
    _refused(tmp_path / "narrow.pth", r"'classifier\.4\.weight' has shape \(10, 4096\); expected \(4096, 4096\)")


def test_without_a_network_the_message_says_what_to_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    with pytest.raises(
        ConfigError,
        match=r"could not download AlexNet's ImageNet weights .*--set model\.weights=PATH, from https://.*\.pth$",
    ):
        initialise(_empty(channels=3), AlexNetSettings(weights="imagenet"))
