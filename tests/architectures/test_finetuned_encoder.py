"""`finetuned_encoder`: what learns, what is saved, and that it reads speech as the frozen encoder does."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ser_tune.architectures import ARCHITECTURES, InputShape
from ser_tune.encoders import open_encoder
from ser_tune.encoders.whisper import WhisperInput
from ser_tune.errors import ConfigError
from ser_tune.features import FEATURE_SETS

transformers = pytest.importorskip("transformers")
ARCHITECTURE = ARCHITECTURES.get("finetuned_encoder")
FEATURE_SET = FEATURE_SETS.get("waveform")
KINDS = ("whisper", "wav2vec2-group", "wav2vec2-layer", "hubert", "wavlm", "data2vec-audio")
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}


def write_encoder(folder: Path, kind: str) -> Path:
    """A random encoder of two layers of 16 units, as transformers saves it."""
    torch.manual_seed(0)
    if kind == "whisper":
        config = transformers.WhisperConfig(
            d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=24, decoder_layers=1,
            decoder_attention_heads=2, decoder_ffn_dim=24, vocab_size=64, num_mel_bins=80,
            pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        )  # fmt: skip
        transformers.WhisperModel(config).save_pretrained(folder)
        transformers.WhisperFeatureExtractor().save_pretrained(folder)
        return folder
    family, _, norm = kind.partition("-") if kind.startswith("wav2vec2") else (kind, "", "group")
    names = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM", "data2vec-audio": "Data2VecAudio"}
    layer = norm == "layer"
    written = {**SMALL, "feat_extract_norm": norm, "do_stable_layer_norm": layer}
    if family == "data2vec-audio":
        written |= {"num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 3}
    model = getattr(transformers, f"{names[family]}Model")(getattr(transformers, f"{names[family]}Config")(**written))
    model.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=layer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def encoder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders: dict[str, Path] = {}

    def _encoder_of(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = write_encoder(tmp_path_factory.mktemp(kind), kind)
        return folders[kind]

    return _encoder_of


def _network(folder: Path, **settings: Any) -> nn.Module:
    torch.manual_seed(1)
    written = {"checkpoint": str(folder), "trainable_layers": 1, "dropout": 0.0} | settings
    return ARCHITECTURE.build(ARCHITECTURE.settings.model_validate(written), InputShape(1, 320, 2), 3)


def _speech(*frames: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, 0.1, 320 * one).astype(np.float32) for one in frames]


def _batch(speech: list[np.ndarray], further: int = 0, filling: float = 0.0) -> tuple[Tensor, Tensor]:
    blocks = [torch.from_numpy(FEATURE_SET.extract(one, FEATURE_SET.settings())) for one in speech]
    lengths = torch.tensor([one.shape[2] for one in blocks])
    batch = torch.full((len(blocks), 1, 320, int(lengths.max()) + further), filling)
    for row, one in zip(batch, blocks, strict=True):
        row[:, :, : one.shape[2]] = one
    return batch, lengths


def test_waveforms_are_blocks_of_20_ms_the_last_filled_up_with_zeros() -> None:
    speech = np.arange(700, dtype=np.float32)
    blocks = FEATURE_SET.extract(speech, FEATURE_SET.settings())
    assert blocks.shape == (1, 320, 3)
    np.testing.assert_array_equal(blocks[0].T.ravel(), np.pad(speech, (0, 260)))


@pytest.mark.slow
def test_whispers_input_is_that_of_its_feature_extractor() -> None:
    extractor = transformers.WhisperFeatureExtractor()
    speech = _speech(100)[0]
    expected = extractor(speech, sampling_rate=16000, padding="longest", return_tensors="pt").input_features
    found = WhisperInput(extractor.mel_filters)(torch.from_numpy(speech)[None])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [{}, {"adapter": "lora", "lora_rank": 2}], ids=["layers", "lora"])
def test_gradients_reach_what_should_learn_and_nothing_else(
    kind: str, settings: dict[str, Any], encoder_of: Callable[[str], Path]
) -> None:
    network = _network(encoder_of(kind), **settings).train()
    for name, one in network.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(one)  # 0 at first: A would get no gradient
    network(*_batch(_speech(20, 33))).logsumexp(dim=1).sum().backward()
    reached = {name for name, one in network.named_parameters() if one.grad is not None and one.grad.abs().sum() > 0}
    assert {"layer_scores", "classifier.weight", "classifier.bias"} < reached
    inside = {name for name in reached if name.startswith("encoder.")}
    assert inside
    assert all("layers.1." in name for name in inside)
    assert all(("lora_" in name) == bool(settings) for name in inside)
    learning = {name for name, one in network.named_parameters() if one.requires_grad}
    # A key's bias moves all scores of a query alike
    assert {name for name in learning - reached if not name.endswith(("k_proj.bias", "gru_rel_pos_const"))} == set()


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_changes_logits(kind: str, encoder_of: Callable[[str], Path]) -> None:
    network, inputs = _network(encoder_of(kind), adapter="lora").eval(), _batch(_speech(20))
    before = network(*inputs)
    torch.testing.assert_close(before, _network(encoder_of(kind), adapter="lora").eval()(*inputs))
    for name, one in network.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(one)
    assert (network(*inputs) - before).abs().max() > 1e-5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("filling", [0.0, 3.0])
def test_padding_does_not_change_logits(kind: str, filling: float, encoder_of: Callable[[str], Path]) -> None:
    network, speech = _network(encoder_of(kind)).eval(), _speech(5, 40, 23)
    alone = torch.cat([network(*_batch([one])) for one in speech])
    torch.testing.assert_close(network(*_batch(speech, 30, filling)), alone, rtol=0, atol=1e-5)
    assert (alone[0] - alone[1]).abs().max() > 1e-5


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2-group"])
def test_speech_of_more_than_30_s_is_read_in_pieces(kind: str, encoder_of: Callable[[str], Path]) -> None:
    network = _network(encoder_of(kind)).eval()
    with torch.no_grad():
        assert network(*_batch(_speech(1600, 20))).isfinite().all()


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2-layer"])
@pytest.mark.parametrize("adapter", ["none", "lora"])
def test_checkpointing_gives_the_same_gradients(kind: str, adapter: str, encoder_of: Callable[[str], Path]) -> None:
    gradients = []
    for checkpointing in (False, True):
        network = _network(encoder_of(kind), gradient_checkpointing=checkpointing, adapter=adapter).train()
        torch.manual_seed(2)
        network(*_batch(_speech(20, 33))).logsumexp(dim=1).sum().backward()
        gradients.append({name: one.grad for name, one in network.named_parameters() if one.grad is not None})
    torch.testing.assert_close(*gradients)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [{}, {"adapter": "lora"}, {"trainable_layers": 0}], ids=["layers", "lora", "none"])
def test_what_is_saved_is_what_learns_and_gives_the_same_logits(
    kind: str, settings: dict[str, Any], encoder_of: Callable[[str], Path]
) -> None:
    network = _network(encoder_of(kind), **settings)
    with torch.no_grad():
        for one in network.parameters():
            if one.requires_grad:
                one.add_(0.1 * torch.randn_like(one))
    state = network.state_dict()
    assert set(state) == {name for name, one in network.named_parameters() if one.requires_grad}
    other = _network(encoder_of(kind), **settings)
    other.load_state_dict(state)
    inputs = _batch(_speech(20, 33))
    torch.testing.assert_close(other.eval()(*inputs), network.eval()(*inputs), rtol=0, atol=0)
    copied = copy.deepcopy(network)
    assert set(copied.state_dict()) == set(state)
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({})


@pytest.mark.parametrize("adapter", ["none", "lora"])
def test_networks_share_frozen_weights_and_leave_the_opened_encoder_alone(
    adapter: str, encoder_of: Callable[[str], Path]
) -> None:
    folder = encoder_of("whisper")
    opened = open_encoder(folder, torch.device("cpu")).module
    before = {name: one.clone() for name, one in opened.state_dict().items()}
    network = _network(folder, adapter=adapter).train()
    # Where a network is copied or moved too, as averages of weights and GPUs need it
    for one in (network, copy.deepcopy(network), _network(folder, adapter=adapter).double().float()):
        assert one.get_parameter("encoder.conv1.weight").data_ptr() == opened.conv1.weight.data_ptr()
        learning = {one.data_ptr() for one in one.parameters() if one.requires_grad}
        assert learning.isdisjoint({one.data_ptr() for one in opened.parameters()})
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    network(*_batch(_speech(20))).logsumexp(dim=1).sum().backward()
    optimizer.step()
    torch.testing.assert_close(opened.state_dict(), before, rtol=0, atol=0)
    assert not any(one.requires_grad for one in opened.parameters())


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        ({"trainable_layers": 3}, (1, 320), "model.trainable_layers is 3; .* has 2 layers"),
        ({}, (1, 64), "expected features.name waveform"),
        ({"digest": "0" * 64}, (1, 320), "expected 000"),
    ],
)
def test_what_does_not_fit_is_refused(
    settings: dict[str, Any], shape: tuple[int, int], message: str, encoder_of: Callable[[str], Path]
) -> None:
    written = {"checkpoint": str(encoder_of("whisper")), **settings}
    with pytest.raises(ConfigError, match=message):
        ARCHITECTURE.build(ARCHITECTURE.settings.model_validate(written), InputShape(*shape, 2), 3)
