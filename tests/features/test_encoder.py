"""Features of pretrained encoders: as transformers computes them, in any batch, cached by digest, movable."""

import copy
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from ser_tune.corpora import Corpus
from ser_tune.encoders import (
    CHECKPOINTS,
    FAMILIES,
    find_checkpoint,
    open_encoder,
    relocated,
    states_of,
)
from ser_tune.encoders.readers import open_reader, save_encoder
from ser_tune.errors import ConfigError
from ser_tune.features import FEATURE_SETS, FeatureSet, corpus_features, encoder

transformers = pytest.importorskip("transformers", reason="needs the extra pretrained")

ENCODER = FEATURE_SETS.get("encoder")
LAYERS, WIDTH, HOP = 3, 16, 320
WHISPER_BASE = Path(__file__).parents[3] / "shared" / "checkpoints" / "whisper-base"
RAW = ("wav2vec2", "hubert", "wavlm")
"""Families that read waveforms."""

Checkpoint = Callable[[str], Path]
Configure = Callable[..., Any]


def _speech(samples: int, seed: int = 0) -> np.ndarray:
    """Noise that becomes louder."""
    noise = np.random.default_rng(seed).normal(0.0, 0.1, samples)
    return (noise * np.linspace(0.2, 1.0, samples)).astype(np.float32)


@pytest.fixture
def configure(checkpoint: Checkpoint, tmp_path: Path) -> Configure:
    """Resolved settings of a tiny encoder: `configure("wavlm", pooling="frames")`."""

    def _configure(family: str | Path = "wav2vec2", **values: Any) -> Any:
        folder = family if isinstance(family, Path) else checkpoint(family)
        written = {"checkpoint": str(folder), "precision": "float32"} | values
        return ENCODER.resolve(ENCODER.settings.model_validate(written), tmp_path)

    return _configure


def _extract(speech: Sequence[np.ndarray], settings: Any) -> list[np.ndarray]:
    assert ENCODER.extract_batch is not None
    return ENCODER.extract_batch(speech, settings)


def _assert_whispers_own_forward(folder: Path) -> None:
    opened = open_encoder(folder)
    filled = np.pad(_speech(50_000), (0, 30 * 16_000 - 50_000))
    made = opened.extractor(filled, sampling_rate=16_000, padding="longest", return_tensors="pt")
    inputs = made.input_features.to(opened.device)
    with torch.inference_mode():
        expected = opened.module(inputs, output_hidden_states=True).hidden_states
        found = states_of(opened.module, inputs)
        exact = states_of(copy.deepcopy(opened.module).double(), inputs.double())
    assert inputs.shape[2] == 3000
    assert len(found) == len(expected) == opened.shape.layers
    ((_, read),) = open_reader(folder, precision="float32").read([_speech(50_000)], padded=True)
    for layer, other, double, (extracted,) in zip(found, expected, exact, read, strict=True):
        torch.testing.assert_close(layer, other, rtol=1e-4, atol=1e-4)
        # In float32, transformers is three times as far from it as what is extracted
        torch.testing.assert_close(extracted.double(), double[0, : 50_000 // HOP], rtol=1e-4, atol=1e-4)


def test_whispers_layers_are_those_of_transformers_at_its_window(checkpoint: Checkpoint) -> None:
    _assert_whispers_own_forward(checkpoint("whisper"))


@pytest.mark.slow
@pytest.mark.skipif(not WHISPER_BASE.is_dir(), reason="the checkpoint whisper-base is not on this machine")
def test_published_whispers_layers_are_those_of_transformers_at_its_window() -> None:
    _assert_whispers_own_forward(WHISPER_BASE)


@pytest.mark.parametrize("family", [*RAW, "wav2vec2-conformer"])
def test_statistics_are_those_of_transformers_states(family: str, checkpoint: Checkpoint, configure: Configure) -> None:
    speech = _speech(3 * 2560)  # fills whole steps of 0.16 s: no silence is appended
    module = transformers.AutoModel.from_pretrained(checkpoint(family)).half().float().eval()
    extractor = transformers.AutoFeatureExtractor.from_pretrained(checkpoint(family))
    inputs = extractor(speech, sampling_rate=16_000, return_tensors="pt").input_values
    with torch.inference_mode():
        states = torch.cat(module(inputs, output_hidden_states=True).hidden_states).numpy()
    assert states.shape == (LAYERS, 24, WIDTH)
    (found,) = _extract([speech], configure(family))
    assert found.dtype == np.float32
    expected = np.concatenate([states.mean(axis=1), states.std(axis=1)], axis=1)
    np.testing.assert_allclose(found[:, :, 0], expected, rtol=1e-4, atol=1e-5)
    assert len({row.tobytes() for row in found.round(3)}) == LAYERS  # or layers could be confused


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["statistics", "frames"])
@pytest.mark.parametrize("family", ["whisper", *RAW])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(400, 12_000), min_size=2, max_size=6))
def test_an_utterances_features_do_not_depend_on_its_batch(
    family: str, pooling: str, lengths: list[int], configure: Configure
) -> None:
    chosen = configure(family, pooling=pooling)
    speech = [_speech(length, seed) for seed, length in enumerate(lengths)]
    together, backwards = _extract(speech, chosen), _extract(speech[::-1], chosen)[::-1]
    for one, found, other in zip(speech, together, backwards, strict=True):
        (alone,) = _extract([one], chosen)
        np.testing.assert_allclose(found, alone, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(other, alone, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("context", ["own", "padded"])
def test_whispers_states_of_an_utterance_are_the_same_bits_in_any_batch(
    context: str, precision: str, configure: Configure
) -> None:
    chosen = configure("whisper", context=context, precision=precision)
    speech = [_speech(length, seed) for seed, length in enumerate((400, 12_000, 3000, 12_100, 70_000, 12_000))]
    together = _extract(speech, chosen)
    exact = _extract(speech, configure("whisper", context=context))
    for samples, found, close in zip(speech, together, exact, strict=True):
        np.testing.assert_array_equal(found, _extract([samples], chosen)[0])
        np.testing.assert_allclose(found, close, atol=0 if precision == "float32" else 0.1)


@pytest.mark.parametrize("family", ["whisper", "wav2vec2", "wav2vec2-bert", "wav2vec2-conformer"])
@pytest.mark.parametrize("samples", [1, 399, 400, 559, 560, 2559, 2561, 12_345])
def test_appended_silence_has_no_frames(family: str, samples: int, configure: Configure) -> None:
    (found,) = _extract([_speech(samples)], configure(family, pooling="frames"))
    assert found.shape == (LAYERS, WIDTH, max(1, round(samples / HOP)))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("samples", [1, 16_000])
@pytest.mark.parametrize("family", ["whisper", "wav2vec2", "wav2vec2-bert"])
def test_speech_longer_than_30_s_is_cut_and_its_pieces_are_pooled(
    family: str, samples: int, configure: Configure
) -> None:
    piece, rest = _speech(30 * 16_000), _speech(16_000, seed=1)[:samples]
    frames = configure(family, pooling="frames")
    (whole,) = _extract([np.concatenate([piece, rest])], frames)
    pieces = np.concatenate(_extract([piece, rest], frames), axis=2)
    assert whole.shape == (LAYERS, WIDTH, 1500 + max(1, samples // HOP))
    np.testing.assert_allclose(whole, pieces, rtol=2e-3, atol=2e-3)
    (statistics,) = _extract([np.concatenate([piece, rest])], configure(family))
    wide = pieces.astype(np.float64)
    expected = np.concatenate([wide.mean(axis=2), wide.std(axis=2)], axis=1)
    np.testing.assert_allclose(statistics[:, :, 0], expected, rtol=2e-3, atol=2e-3)


def test_whispers_window_is_filled_where_settings_ask(configure: Configure) -> None:
    own, padded = (_extract([_speech(8000)], configure("whisper", context=context))[0] for context in ("own", "padded"))
    assert own.shape == padded.shape
    assert np.abs(own[1:] - padded[1:]).max() > 1e-4  # attention to more silence
    (frames,) = _extract([_speech(8000)], configure("whisper", context="padded", pooling="frames"))
    assert frames.shape[2] == 25


def test_bfloat16_computes_nearly_the_same(checkpoint: Checkpoint, configure: Configure, tmp_path: Path) -> None:
    """With convolutions as wide as those of published encoders.

    oneDNN with AMX computes many convolutions of fewer than 16 channels a group wrongly in bfloat16 (torch 2.15).
    """
    folder = tmp_path / "wide"
    config = transformers.AutoConfig.from_pretrained(checkpoint("wav2vec2"))
    config.hidden_size = 48 * config.num_conv_pos_embedding_groups
    config.conv_dim = [48] * len(config.conv_dim)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.AutoModel.from_config(config).save_pretrained(folder)
    shutil.copy(checkpoint("wav2vec2") / "preprocessor_config.json", folder)
    exact, rough = (_extract([_speech(8000)], configure(folder, precision=one))[0] for one in ("float32", "bfloat16"))
    assert rough.dtype == np.float32
    np.testing.assert_allclose(rough, exact, atol=0.1)
    assert not np.array_equal(rough, exact)


class _Counting:
    """The encoder's feature set, which counts the utterances that it reads."""

    def __init__(self) -> None:
        self.count = 0

    def _extract_batch(self, speech: Sequence[np.ndarray], settings: Any) -> list[np.ndarray]:
        self.count += len(speech)
        return _extract(speech, settings)

    def feature_set(self) -> FeatureSet:
        return replace(ENCODER, extract_batch=self._extract_batch)


@pytest.fixture
def corpus(make_corpus: Callable[..., Corpus]) -> Corpus:
    return make_corpus(0.3, 0.1, 0.2)


def test_layers_of_statistics_are_chosen_on_reading(corpus: Corpus, configure: Configure, tmp_path: Path) -> None:
    counting, cache = _Counting(), tmp_path / "cache"
    every = corpus_features(corpus, counting.feature_set(), configure(), cache)
    assert every.frames.shape == (3, LAYERS, 2 * WIDTH)
    for layers in ((1,), (0, 2), (2, 0), (0, 1, 2)):
        chosen = configure(layers=layers)
        found = corpus_features(corpus, counting.feature_set(), chosen, cache)
        np.testing.assert_array_equal(found.frames, every.frames[:, sorted(layers)])
        np.testing.assert_array_equal(found.moments.total, every.moments.total[:, sorted(layers)])
        assert found.frames.shape[1:] == ENCODER.shape(chosen)
    assert counting.count == 3


def test_frames_are_float16_of_the_chosen_layers_alone(corpus: Corpus, configure: Configure, tmp_path: Path) -> None:
    counting, cache = _Counting(), tmp_path / "cache"
    every = corpus_features(corpus, counting.feature_set(), configure(pooling="frames"), cache)
    assert every.frames.dtype == np.float16
    assert every.frames.shape == (15 + 5 + 10, LAYERS, WIDTH)
    found = corpus_features(corpus, counting.feature_set(), configure(pooling="frames", layers=(0, 2)), cache)
    np.testing.assert_array_equal(found.frames, every.frames[:, [0, 2]])
    assert counting.count == 2 * 3


def test_the_cache_knows_an_encoder_by_its_files_not_its_name(
    corpus: Corpus, configure: Configure, checkpoint: Checkpoint, make_checkpoint: Callable[..., None], tmp_path: Path
) -> None:
    counting, cache = _Counting(), tmp_path / "cache"
    first = corpus_features(corpus, counting.feature_set(), configure(), cache)
    copied = Path(shutil.copytree(checkpoint("wav2vec2"), tmp_path / "under another name"))
    again = corpus_features(corpus, counting.feature_set(), configure(copied), cache)
    np.testing.assert_array_equal(again.frames, first.frames)
    assert counting.count == 3
    (tmp_path / "other").mkdir()
    make_checkpoint(tmp_path / "other", "wav2vec2", seed=1)
    other = corpus_features(corpus, counting.feature_set(), configure(tmp_path / "other"), cache)
    assert counting.count == 6
    assert not np.allclose(other.frames, first.frames)


def test_preprocessing_is_part_of_the_digest(configure: Configure, checkpoint: Checkpoint, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(checkpoint("wav2vec2"), tmp_path / "copy"))
    file = copied / "preprocessor_config.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"do_normalize": true', '"do_normalize": false'))
    assert configure(copied).digest != configure().digest


def test_other_files_than_the_study_began_with_are_refused(configure: Configure) -> None:
    assert configure(digest=configure().digest) == configure()
    with pytest.raises(ConfigError, match=r"has the digest [0-9a-f]{64}; expected 0{64}, that of the study$"):
        _extract([_speech(9000)], configure(digest="0" * 64))


@pytest.mark.parametrize("family", ["whisper", *RAW])
def test_a_saved_encoder_computes_the_same(family: str, configure: Configure, tmp_path: Path) -> None:
    chosen, folder, speech = configure(family), tmp_path / "saved", [_speech(9000), _speech(4000, seed=1)]
    folder.mkdir()
    save_encoder(chosen.folder, folder)
    assert not list(folder.glob("*.bin"))
    moved = relocated(chosen, lambda digest: folder)
    assert moved.checkpoint == str(folder)
    for ours, theirs in zip(_extract(speech, moved), _extract(speech, chosen), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    if family == "whisper":  # the encoder alone
        config = transformers.AutoConfig.from_pretrained(folder)
        assert config.architectures == ["WhisperEncoder"]
    ours, theirs = (open_encoder(path).module.state_dict() for path in (folder, chosen.folder))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("opened", [open_encoder, partial(open_reader, precision="float32")])
@pytest.mark.parametrize(
    ("family", "weight"),
    [("whisper", "encoder.layers.1.fc1.weight"), ("wavlm", "encoder.layers.1.attention.k_proj.weight")],
)
def test_a_weight_that_is_missing_is_not_made_up(
    family: str, weight: str, opened: Callable[[Path], object], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(checkpoint(family), tmp_path / "copy"))
    weights = load_file(copied / "model.safetensors")
    del weights[weight]
    save_file(weights, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"lacks 1 of the encoder's weights, such as .*layers\.1\..*; expected all$"):
        opened(copied)


@pytest.mark.parametrize("prefix", ["decoder.", "masked_spec_embed"])
def test_weights_that_the_encoder_does_not_use_may_be_missing(
    prefix: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(checkpoint("whisper" if "decoder" in prefix else "wav2vec2"), tmp_path / "copy"))
    weights = load_file(copied / "model.safetensors")
    rest = {name: tensor for name, tensor in weights.items() if not name.startswith(prefix)}
    assert len(rest) < len(weights)
    save_file(rest, copied / "model.safetensors", metadata={"format": "pt"})
    assert open_encoder(copied).shape.layers == LAYERS


@pytest.mark.parametrize("family", RAW)
def test_weights_under_the_names_of_published_checkpoints_are_read(
    family: str, checkpoint: Checkpoint, configure: Configure, tmp_path: Path
) -> None:
    # Saved with a head, by versions that had other names for the positions' normalised weights
    copied = Path(shutil.copytree(checkpoint(family), tmp_path / "copy"))
    older = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    weights = {"lm_head.weight": torch.zeros(4, WIDTH)}
    for name, tensor in load_file(copied / "model.safetensors").items():
        for now, before in older.items():
            name = name.replace(now, before)
        weights[f"{family}.{name}"] = tensor
    assert any(name.endswith("weight_g") for name in weights)
    save_file(weights, copied / "model.safetensors", metadata={"format": "pt"})
    for ours, theirs in zip(
        _extract([_speech(6000)], configure(copied)), _extract([_speech(6000)], configure(family)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("family", RAW)
def test_only_whisper_has_a_window_to_be_filled(family: str, configure: Configure) -> None:
    with pytest.raises(ConfigError, match=rf"features\.context is padded, but .* is a {family} model.*; expected own$"):
        configure(family, context="padded")


def test_a_layer_that_does_not_exist_is_refused(configure: Configure) -> None:
    with pytest.raises(ConfigError, match=r"features\.layers has 3; .*wav2vec2 has the layers 0 to 2$"):
        configure(layers=(1, 3))
    with pytest.raises(ValueError, match=r"features\.layers is empty; expected at least one layer, or none for all"):
        configure(layers=())


@pytest.mark.parametrize("family", ["wavlm", "audio-spectrogram-transformer"])  # whose window is below a second here
def test_the_faster_arithmetic_is_measured_once(
    family: str, checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def faster(kind: list[str], step: Callable[[str], object], memory: Path) -> str:
        asked.append(kind)
        step("float32")
        return "bfloat16"

    monkeypatch.setattr(encoder, "faster_precision", faster)
    open_settings = ENCODER.settings.model_validate({"checkpoint": str(checkpoint(family))})
    resolved = ENCODER.resolve(open_settings, tmp_path)
    assert resolved.precision == "bfloat16"
    assert ENCODER.resolve(resolved, tmp_path) == resolved
    assert asked == [["encoder", "own", resolved.digest]]


def test_a_known_encoder_is_found_by_its_folders_name() -> None:
    assert find_checkpoint("openai/whisper-base") is find_checkpoint("/models/Whisper-Base/")
    assert find_checkpoint("/models/mine") is None
    assert all(one.citation and one.licence for one in CHECKPOINTS.values())


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "audio-spectrogram-transformer"])
def test_every_family_is_read_as_its_module_computes(
    family: str, checkpoint: Checkpoint, configure: Configure, recwarn: pytest.WarningsRecorder
) -> None:
    opened = open_encoder(checkpoint(family), torch.device("cpu"))
    assert ENCODER.shape(configure(family)) == (LAYERS, 2 * WIDTH)
    assert opened.shape.hop_s == 0.02
    speech = _speech(3 * 2560)
    whisper = opened.shape.family == "whisper"
    filled = np.pad(speech, (0, 2 * 2560)) if whisper else speech  # 0.2 s, in whole steps
    made = opened.extractor(filled, sampling_rate=16_000, padding="longest", return_tensors="pt")
    inputs = made["input_values" if "input_values" in made else "input_features"]
    if family == "wav2vec2-bert":  # its input is filled up to whole steps of 0.16 s
        inputs = torch.nn.functional.pad(inputs, (0, 0, 0, -inputs.shape[1] % 8))
    for precision in ("float32", "bfloat16"):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            expected = states_of(opened.module, inputs)
        (found,) = _extract([speech], configure(family, pooling="frames", precision=precision))
        assert found.shape[0] == LAYERS
        theirs = torch.stack([layer[0, : found.shape[2]].T.float() for layer in expected]).numpy()
        tolerance = 2e-3 if precision == "float32" else 0.1
        np.testing.assert_allclose(found, theirs, rtol=tolerance, atol=tolerance)
    assert not recwarn.list
