"""Families of encoders: their classes in transformers, and what config.json has of them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "AST",
    "FAMILIES",
    "FIXED_WINDOW",
    "LANGUAGE_MODELS",
    "MODELS",
    "SPECTROGRAM_HOP_S",
    "WHISPER",
    "encoder_weight",
    "is_language_model",
    "patches_in_time",
    "preprocessor_file",
    "read_config",
    "read_preprocessor",
]

AST, WHISPER = "audio-spectrogram-transformer", "whisper"
MODELS: Mapping[str, str] = {
    AST: "ASTModel",
    "data2vec-audio": "Data2VecAudioModel",
    "hubert": "HubertModel",
    "unispeech": "UniSpeechModel",
    "unispeech-sat": "UniSpeechSatModel",
    "wav2vec2": "Wav2Vec2Model",
    "wav2vec2-bert": "Wav2Vec2BertModel",
    "wav2vec2-conformer": "Wav2Vec2ConformerModel",
    "wavlm": "WavLMModel",
    WHISPER: "WhisperModel",
}
"""Classes of transformers, which are imported alone: its `AutoModel` imports what all models need."""
LANGUAGE_MODELS = ("audioflamingo3", "qwen2_audio", "voxtral")
"""Audio language models. Their encoder has Whisper's layers, trained further; it is read without the language model."""
FAMILIES = tuple(sorted((*MODELS, *LANGUAGE_MODELS)))
"""Values of `model_type` in config.json of the encoders that can be opened."""
FIXED_WINDOW = (AST, WHISPER)
"""Families that were trained with windows of a fixed length."""
SPECTROGRAM_HOP_S = 0.01
"""Seconds from one frame to the next of the spectrogram that an Audio Spectrogram Transformer reads."""

_INSIDE = re.compile(r"(?:model\.)?audio_tower\.(.+)")
_WHISPERS_NAMES = {
    "hidden_size": "d_model",
    "intermediate_size": "encoder_ffn_dim",
    "num_attention_heads": "encoder_attention_heads",
    "num_hidden_layers": "encoder_layers",
}
_LARGE = {
    "activation_function": "gelu",
    "d_model": 1280,
    "encoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "encoder_layers": 32,
    "max_source_positions": 1500,
    "num_mel_bins": 128,
}
"""Sizes that config.json of a language model may leave out: those of Whisper large v3, as in transformers."""


def is_language_model(folder: Path) -> bool:
    """Whether config.json is that of a language model with an encoder inside.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON object.
    """
    return _read(folder / "config.json").get("model_type") in LANGUAGE_MODELS


def read_config(folder: Path) -> dict[str, Any]:
    """The encoder's part of config.json; of a language model, under the names that Whisper has.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON object.
    """
    config = _read(folder / "config.json")
    if config.get("model_type") not in LANGUAGE_MODELS:
        return config
    own = {_WHISPERS_NAMES.get(name, name): value for name, value in (config.get("audio_config") or {}).items()}
    sizes = {name: own.get(name, usual) for name, usual in _LARGE.items()}
    return {"model_type": WHISPER, "architectures": ["WhisperEncoder"], **sizes}


def preprocessor_file(folder: Path) -> Path:
    """The file that describes the encoder's input; some language models have it in that of the whole model's input."""
    own, whole = folder / "preprocessor_config.json", folder / "processor_config.json"
    return whole if whole.is_file() and not own.is_file() else own


def read_preprocessor(folder: Path) -> dict[str, Any]:
    """The description of the encoder's input.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON object.
    """
    written = _read(preprocessor_file(folder))
    inside = written.get("feature_extractor")
    return inside if isinstance(inside, dict) else written


def _read(file: Path) -> dict[str, Any]:
    written = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(written, dict):
        raise ValueError(f"{file.name} is no object")
    return written


def patches_in_time(config: Mapping[str, Any]) -> int:
    """Patches that an Audio Spectrogram Transformer has of its whole window, in the direction of time."""
    return int((config["max_length"] - config["patch_size"]) // config["time_stride"] + 1)


def encoder_weight(name: str, *, inside: bool) -> str | None:
    """The encoder's own name of a weight in a file; None where it is none of the encoder's.

    >>> encoder_weight("model.encoder.conv1.bias", inside=False), encoder_weight("decoder.norm.bias", inside=False)
    ('conv1.bias', None)
    >>> encoder_weight("audio_tower.conv1.bias", inside=True), encoder_weight("model.conv1.bias", inside=True)
    ('conv1.bias', None)

    Args:
        name: As in the file.
        inside: Whether the encoder is part of a language model.
    """
    if inside:
        found = _INSIDE.fullmatch(name)
        return found[1] if found else None
    return None if "decoder." in name else name.removeprefix("model.").removeprefix("encoder.")
