"""Speech encoders of random weights.

A plugin of all tests: it imports no library that takes seconds to load.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LANGUAGE_MODELS = {"audioflamingo3": "AudioFlamingo3", "qwen2_audio": "Qwen2Audio", "voxtral": "Voxtral"}
"""Audio language models, and the start of the names of their classes."""


def _language_model(family: str, sizes: dict[str, int]) -> Any:
    """An audio language model, whose encoder is tiny as its language model is."""
    import transformers

    name = LANGUAGE_MODELS[family]
    text: dict[str, Any] = {**sizes, "vocab_size": 8, "num_key_value_heads": 1, "max_position_embeddings": 64}
    text["model_type"] = "llama" if family == "voxtral" else "qwen2"
    inside = {**sizes, "num_mel_bins": 128}
    config = getattr(transformers, f"{name}Config")(audio_config=inside, text_config=text)
    return getattr(transformers, f"{name}ForConditionalGeneration")(config)


def write_checkpoint(folder: Path, family: str, seed: int = 0) -> None:
    """Write a speech encoder of random weights, which reads and computes as the published ones do, but tiny."""
    import torch
    import transformers

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    convolutions = {"conv_dim": (8, 8, 8), "conv_kernel": (10, 8, 4), "conv_stride": (10, 8, 4)}
    positions = {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if family == "whisper":
            decoder = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 16, "vocab_size": 8}
            config = transformers.WhisperConfig(
                d_model=16,
                encoder_layers=2,
                encoder_attention_heads=2,
                encoder_ffn_dim=32,
                **decoder,
                **{f"{token}_token_id": number for number, token in enumerate(("pad", "bos", "eos", "decoder_start"))},
            )
            module = transformers.WhisperModel(config)
            extractor = transformers.WhisperFeatureExtractor()
        elif family in LANGUAGE_MODELS:
            module = _language_model(family, sizes)
            extractor = transformers.WhisperFeatureExtractor(feature_size=128)
        elif family == "audio-spectrogram-transformer":
            window = {"max_length": 96, "num_mel_bins": 32, "patch_size": 16}
            module = transformers.ASTModel(transformers.ASTConfig(**sizes, **window))
            extractor = transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=96)
        else:
            kind = {
                "data2vec-audio": "Data2VecAudio",
                "hubert": "Hubert",
                "unispeech": "UniSpeech",
                "unispeech-sat": "UniSpeechSat",
                "wav2vec2": "Wav2Vec2",
                "wav2vec2-bert": "Wav2Vec2Bert",
                "wav2vec2-conformer": "Wav2Vec2Conformer",
                "wavlm": "WavLM",
            }[family]
            config = getattr(transformers, f"{kind}Config")(**sizes, **convolutions, **positions)
            module = getattr(transformers, f"{kind}Model")(config)
            extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=family != "hubert")
            if family == "wav2vec2-bert":
                extractor = transformers.SeamlessM4TFeatureExtractor()
        for parameter in module.parameters():  # fresh ones hardly differ from layer to layer
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.2)
        module.save_pretrained(folder)
        extractor.save_pretrained(folder)


@pytest.fixture(scope="session")
def make_checkpoint() -> Callable[..., None]:
    """Write a tiny speech encoder into a folder: `make_checkpoint(folder, "wavlm", seed=1)`."""
    pytest.importorskip("transformers", reason="needs the extra pretrained")
    return write_checkpoint


@pytest.fixture(scope="session")
def checkpoint(once: Callable[..., Path], make_checkpoint: Callable[..., None]) -> Callable[[str], Path]:
    """The folder of a tiny speech encoder, by its family: `checkpoint("wav2vec2")`; do not change it."""

    def _checkpoint(family: str) -> Path:
        return once(f"checkpoint-{family}", lambda folder: make_checkpoint(folder, family))

    return _checkpoint
