"""Encoders of audio language models, and Audio Spectrogram Transformers: as transformers computes them."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ser_tune.encoders import digest_of, open_encoder, states_of
from ser_tune.encoders.checkpoint import locate, shape_of, weight_files
from ser_tune.encoders.families import LANGUAGE_MODELS
from ser_tune.encoders.readers import open_reader, save_encoder
from ser_tune.errors import ConfigError
from ser_tune.features import FEATURE_SETS
from tests.tiny_checkpoints import LANGUAGE_MODELS as LANGUAGE_MODEL_CLASSES

transformers = pytest.importorskip("transformers", reason="needs the extra pretrained")

ENCODER = FEATURE_SETS.get("encoder")
AST = "audio-spectrogram-transformer"
RATE = 16_000

Checkpoint = Callable[[str], Path]


def _speech(samples: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0.0, 0.1, samples)
    return (noise * np.linspace(0.2, 1.0, samples)).astype(np.float32)


def _states(folder: Path, speech: np.ndarray, *, padded: bool = False) -> list[torch.Tensor]:
    """States of each layer (T, D) that the reader of a checkpoint finds."""
    ((_, read),) = open_reader(folder, precision="float32").read([speech], padded=padded)
    return [own.clone() for (own,) in read]


def _extract(folder: Path, speech: list[np.ndarray], **values: Any) -> list[np.ndarray]:
    written = {"checkpoint": str(folder), "precision": "float32"} | values
    assert ENCODER.extract_batch is not None
    return ENCODER.extract_batch(speech, ENCODER.settings.model_validate(written))


@pytest.mark.parametrize("family", LANGUAGE_MODELS)
def test_the_encoder_of_a_language_model_computes_what_it_does_within_it(family: str, checkpoint: Checkpoint) -> None:
    folder, speech = checkpoint(family), _speech(50_000)
    kind = getattr(transformers, f"{LANGUAGE_MODEL_CLASSES[family]}ForConditionalGeneration")
    whole = kind.from_pretrained(folder).half().float().eval()
    (tower,) = (module for name, module in whole.named_modules() if name.split(".")[-1] == "audio_tower")
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor(speech, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
    mask = {} if family != "audioflamingo3" else {"input_features_mask": torch.ones_like(inputs.attention_mask)}
    last: list[torch.Tensor] = []
    tower.layers[-1].register_forward_hook(lambda module, given, found: last.append(found))
    with torch.inference_mode():
        expected = tower(inputs.input_features, **mask, output_hidden_states=True).hidden_states
        # Some pool the last layer before they normalise it
        expected = [*expected[:-1], tower.layer_norm(last[0][0] if isinstance(last[0], tuple) else last[0])]
        opened = open_encoder(folder, torch.device("cpu"))
        for found, other in zip(states_of(opened.module, inputs.input_features), expected, strict=True):
            torch.testing.assert_close(found, other, rtol=1e-4, atol=1e-4)
    for read, other in zip(_states(folder, speech, padded=True), expected, strict=True):
        torch.testing.assert_close(read, other[0, : round(50_000 / 320)], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", LANGUAGE_MODELS)
def test_the_encoder_of_a_language_model_is_saved_alone(family: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_encoder(checkpoint(family), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    assert not any("language_model" in name or "projector" in name for name in weights)
    assert shape_of(tmp_path) == shape_of(checkpoint(family))
    for saved, before in zip(_states(tmp_path, _speech(9000)), _states(checkpoint(family), _speech(9000)), strict=True):
        torch.testing.assert_close(saved, before, rtol=0, atol=0)
    assert open_encoder(tmp_path, torch.device("cpu")).module.config.model_type == "whisper"


@pytest.fixture
def parts(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    """A language model in three files, of which two have weights of the encoder."""
    folder = Path(shutil.copytree(checkpoint("qwen2_audio"), tmp_path / "parts"))
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    layered = {name for name in weights if "audio_tower.layers." in name}
    inside = {name for name in weights if name.startswith("audio_tower.")} - layered
    index: dict[str, str] = {}
    for number, names in enumerate((inside, layered, weights.keys() - inside - layered)):
        own = {name: weights[name] for name in sorted(names)}
        save_file(own, folder / f"part-{number}.safetensors", metadata={"format": "pt"})
        index |= dict.fromkeys(own, f"part-{number}.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}), encoding="utf-8")
    return folder


def test_files_without_the_encoder_are_neither_downloaded_nor_read(
    parts: Path, checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "hub"

    def download(name: str, *, allow_patterns: list[str], local_files_only: bool, **_: object) -> str:
        if local_files_only:
            raise FileNotFoundError(name)
        there.mkdir(exist_ok=True)
        for file in {file for pattern in allow_patterns for file in parts.glob(pattern)}:
            shutil.copy(file, there)
        return str(there)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=download))
    folder = locate("nobody/qwen2-audio-in-parts", None)
    assert [file.name for file in weight_files(folder)] == ["part-0.safetensors", "part-1.safetensors"]
    assert not (folder / "part-2.safetensors").exists()
    assert digest_of(folder) == digest_of(parts)
    for read, other in zip(
        _states(folder, _speech(9000)), _states(checkpoint("qwen2_audio"), _speech(9000)), strict=True
    ):
        torch.testing.assert_close(read, other, rtol=0, atol=0)


def test_a_missing_file_with_weights_of_the_encoder_is_named(parts: Path) -> None:
    (parts / "part-1.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"has no part-1\.safetensors; expected a folder that transformers saved$"):
        digest_of(parts)


def test_the_input_may_be_described_with_that_of_the_language_model(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("voxtral"), tmp_path / "copy"))
    own = folder / "preprocessor_config.json"
    described = json.loads(own.read_text(encoding="utf-8"))
    own.unlink()
    whole = {"feature_extractor": described, "processor_class": "VoxtralProcessor"}
    (folder / "processor_config.json").write_text(json.dumps(whole), encoding="utf-8")
    for read, other in zip(_states(folder, _speech(9000)), _states(checkpoint("voxtral"), _speech(9000)), strict=True):
        torch.testing.assert_close(read, other, rtol=0, atol=0)
    assert open_encoder(folder, torch.device("cpu")).extractor.feature_size == 128
    (tmp_path / "saved").mkdir()
    save_encoder(folder, tmp_path / "saved")
    assert len(_states(tmp_path / "saved", _speech(9000))) == 3


def _patches(layer: torch.Tensor, bands: int) -> torch.Tensor:
    """States of one recording (1, 2 + P, D) to their mean over bands, (T, D)."""
    return layer[0, 2:].unflatten(0, (bands, -1)).mean(dim=0)


@pytest.mark.parametrize("samples", [5000, 96 * 160 + 240])
def test_patches_are_those_of_transformers_at_the_window(samples: int, checkpoint: Checkpoint) -> None:
    folder, speech = checkpoint(AST), _speech(samples)
    module = transformers.ASTModel.from_pretrained(folder).half().float().eval()
    extractor = transformers.ASTFeatureExtractor.from_pretrained(folder)
    made = extractor(speech, sampling_rate=RATE, return_tensors="pt").input_values
    with torch.inference_mode():
        found = module(made, output_hidden_states=True)
    expected = [*found.hidden_states[:-1], found.last_hidden_state]
    read = _states(folder, speech, padded=True)
    times = min(9, round(samples / 1600))
    assert [tuple(layer.shape) for layer in read] == [(times, 16)] * 3
    for layer, other in zip(read, expected, strict=True):
        torch.testing.assert_close(layer, _patches(other, bands=2)[:times], rtol=1e-4, atol=1e-4)


def test_a_spectrogram_transformer_reads_the_length_of_an_utterance(checkpoint: Checkpoint) -> None:
    folder, whole = checkpoint(AST), _speech(96 * 160 + 240)
    shape = shape_of(folder)
    assert (shape.hop_s, shape.window_s, shape.layers) == (0.1, 0.9, 3)
    # At the window's own length nothing is added, and what is read is what the window has
    window = whole[: round(0.9 * RATE)]
    for own, padded in zip(_states(folder, window), _states(folder, window, padded=True), strict=True):
        torch.testing.assert_close(own, padded, rtol=1e-4, atol=1e-4)
    short, filled = (_states(folder, whole[:5000], padded=padded) for padded in (False, True))
    torch.testing.assert_close(short[0], filled[0])  # the same patches at the same positions
    assert (short[2] - filled[2]).abs().max() > 1e-3  # silence is not attended to


@pytest.mark.parametrize("samples", [1, 399, 400, 2399, 2401, 14_400, 14_401, 40_000])
def test_any_length_has_a_frame_every_tenth_of_a_second(samples: int, checkpoint: Checkpoint) -> None:
    (found,) = _extract(checkpoint(AST), [_speech(samples)], pooling="frames")
    whole, rest = divmod(samples, 14_400)  # pieces of the window's length
    assert found.shape == (3, 16, 9 * whole + (max(1, round(rest / 1600)) if rest else 0))
    assert np.isfinite(found).all()


def test_a_spectrogram_transformers_features_do_not_depend_on_the_batch(checkpoint: Checkpoint) -> None:
    speech = [_speech(samples, seed) for seed, samples in enumerate((400, 9000, 9100, 16_000, 40_000))]
    together = _extract(checkpoint(AST), speech)
    for samples, found in zip(speech, together, strict=True):
        np.testing.assert_array_equal(found, _extract(checkpoint(AST), [samples])[0])
    rough = _extract(checkpoint(AST), speech[1:3], precision="bfloat16")
    np.testing.assert_allclose(np.stack(rough), np.stack(together[1:3]), atol=0.1)


@pytest.mark.parametrize("family", [AST, "wav2vec2-conformer"])
def test_further_encoders_are_saved_and_opened_again(family: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_encoder(checkpoint(family), tmp_path)
    speech = [_speech(9000)]
    np.testing.assert_array_equal(_extract(tmp_path, speech), _extract(checkpoint(family), speech))
