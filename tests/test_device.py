"""Where to compute, and in which arithmetic."""

import ctypes
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from ser_tune import device as device_module
from ser_tune.device import exact_float32, keep_freed_memory, pick_device, pick_precision, seed_torch
from ser_tune.errors import ConfigError

CPU = torch.device("cpu")


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(2))


@pytest.mark.parametrize("setting", ["auto", "cpu"])
def test_the_cpu_is_always_there(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device(setting) == CPU


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps")]
)
def test_auto_takes_the_fastest_there_is(cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto").type == expected


@pytest.mark.parametrize("setting", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=f"training.device is '{setting}', which this machine does not have; .* cpu$"):
        pick_device(setting)


@pytest.mark.parametrize("setting", ["float32", "bfloat16"])
def test_arithmetic_that_was_chosen_is_not_measured(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(device_module, "_seconds")
    assert pick_precision(setting, CPU, nn.Identity(), (torch.zeros(1),), tmp_path) == setting


@pytest.mark.parametrize("training", [True, False])
def test_measuring_leaves_the_network_as_it_was(training: bool, tmp_path: Path) -> None:
    network, segments = _network(), torch.randn(4, 1, 12, 12)
    network(segments)
    network.train(training)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert pick_precision("auto", CPU, network, (segments,), tmp_path) in ("float32", "bfloat16")
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
    assert network.training is training
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("float32_s", "bfloat16_s", "expected"),
    [(1.0, 0.5, "bfloat16"), (1.0, 0.95, "float32"), (1.0, 2.0, "float32")],
)
def test_auto_takes_bfloat16_only_where_it_is_clearly_faster(
    float32_s: float, bfloat16_s: float, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    seconds = {"float32": float32_s, "bfloat16": bfloat16_s}
    monkeypatch.setattr(device_module, "_seconds", lambda step, precision, device: seconds[precision])
    assert pick_precision("auto", CPU, nn.Linear(2, 2), (torch.zeros(1, 2),), tmp_path) == expected


def test_one_kind_of_network_and_batch_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    measured: list[str] = []

    def step_seconds(step: object, precision: str, device: object) -> float:
        measured.append(precision)
        return 1.0 if precision == "float32" else 0.1

    monkeypatch.setattr(device_module, "_seconds", step_seconds)
    for units, batch, times in [(2, 1, 2), (2, 1, 2), (2, 3, 4), (5, 3, 6), (2, 3, 6)]:
        assert pick_precision("auto", CPU, nn.Linear(2, units), (torch.zeros(batch, 2),), tmp_path) == "bfloat16"
        assert len(measured) == times
    for entry in tmp_path.iterdir():
        entry.write_text("{")  # a file that somebody cut is measured again, and mended
    for times in (8, 8):
        assert pick_precision("auto", CPU, nn.Linear(2, 2), (torch.zeros(1, 2),), tmp_path) == "bfloat16"
        assert len(measured) == times


def test_a_device_without_bfloat16_computes_in_float32(tmp_path: Path) -> None:
    assert pick_precision("auto", torch.device("mps"), nn.Identity(), (torch.zeros(1),), tmp_path) == "float32"


def test_cuda_is_told_to_multiply_in_float32_for_as_long_as_asked() -> None:
    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
    before = [kind.fp32_precision for kind in kinds]
    with exact_float32():
        assert [kind.fp32_precision for kind in kinds] == ["ieee"] * 3
    assert [kind.fp32_precision for kind in kinds] == before


@pytest.mark.parametrize(("platform", "called"), [("linux", [(-4, 0), (-1, -1)]), ("darwin", [])])
def test_glibc_is_told_to_keep_what_is_freed(
    platform: str, called: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *both: calls.append(both))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    monkeypatch.setattr(sys, "platform", platform)
    keep_freed_memory()
    assert calls == called


@pytest.mark.parametrize("gpu", [False, True])
def test_random_numbers_are_those_of_torchs_own_seed(gpu: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: gpu)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        expected = torch.rand(3)
        seed_torch(7)
        assert torch.equal(torch.rand(3), expected)


def test_a_c_library_without_the_switch_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    monkeypatch.setattr(sys, "platform", "linux")
    keep_freed_memory()
