"""Well-known speech encoders: their authors, licences and training recordings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

__all__ = ["CHECKPOINTS", "Checkpoint", "find_checkpoint", "short_name"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Published facts about an encoder."""

    citation: str
    licence: str
    parameters_m: int
    """Millions of parameters, of the encoder alone."""
    data: str
    """Speech that pretraining and fine-tuning used; empty where its makers do not disclose it."""
    corpora: tuple[str, ...] = ()
    """This program's corpora that pretraining or fine-tuning used."""
    frame_rate_hz: float = 50.0


_WHISPER = "A. Radford et al.: Robust Speech Recognition via Large-Scale Weak Supervision, arXiv 2212.04356, 2022"
_WAV2VEC = "A. Baevski et al.: wav2vec 2.0, arXiv 2006.11477, 2020"
_ROBUST = "W.-N. Hsu et al.: Robust wav2vec 2.0, arXiv 2104.01027, 2021"
_XLSR = "A. Conneau et al.: Unsupervised Cross-lingual Representation Learning for Speech Recognition, arXiv 2006.13979"
_XLS_R = "A. Babu et al.: XLS-R, arXiv 2111.09296, 2021"
_HUBERT = "W.-N. Hsu et al.: HuBERT, arXiv 2106.07447, 2021"
_WAVLM = "S. Chen et al.: WavLM, arXiv 2110.13900, 2021"
_DATA2VEC = "A. Baevski et al.: data2vec, arXiv 2202.03555, 2022"
_UNISPEECH = "S. Chen et al.: UniSpeech-SAT, arXiv 2110.05752, 2021"
_AST = "Y. Gong et al.: AST: Audio Spectrogram Transformer, arXiv 2104.01778, 2021"
_QWEN2_AUDIO = "Y. Chu et al.: Qwen2-Audio Technical Report, arXiv 2407.10759, 2024"
_SUPERB = "S. Yang et al.: SUPERB, arXiv 2105.01051, 2021"
_LIBRISPEECH = "LibriSpeech, 960 h"
_LIBRILIGHT = "Libri-Light, 60,000 h"
_MIX = "Libri-Light, GigaSpeech and VoxPopuli, 94,000 h"
_CC_BY_SA = "CC BY-SA 3.0"

CHECKPOINTS: Mapping[str, Checkpoint] = {
    "openai/whisper-tiny": Checkpoint(_WHISPER, "MIT", 8, ""),
    "openai/whisper-base": Checkpoint(_WHISPER, "MIT", 20, ""),
    "openai/whisper-small": Checkpoint(_WHISPER, "MIT", 88, ""),
    "openai/whisper-medium": Checkpoint(_WHISPER, "MIT", 307, ""),
    "openai/whisper-large-v2": Checkpoint(_WHISPER, "MIT", 635, ""),
    "openai/whisper-large-v3": Checkpoint(_WHISPER, "MIT", 635, ""),
    "facebook/wav2vec2-base": Checkpoint(_WAV2VEC, "Apache 2.0", 94, _LIBRISPEECH),
    "facebook/wav2vec2-base-960h": Checkpoint(_WAV2VEC, "Apache 2.0", 94, _LIBRISPEECH),
    "facebook/wav2vec2-large-robust": Checkpoint(
        _ROBUST, "Apache 2.0", 315, "Libri-Light, CommonVoice, Switchboard and Fisher"
    ),
    "facebook/wav2vec2-large-xlsr-53": Checkpoint(
        _XLSR, "Apache 2.0", 315, "Multilingual LibriSpeech, CommonVoice and BABEL"
    ),
    "facebook/wav2vec2-xls-r-300m": Checkpoint(
        _XLS_R, "Apache 2.0", 315, "VoxPopuli, Multilingual LibriSpeech, CommonVoice, VoxLingua107 and BABEL"
    ),
    "facebook/hubert-base-ls960": Checkpoint(_HUBERT, "Apache 2.0", 94, _LIBRISPEECH),
    "facebook/hubert-large-ll60k": Checkpoint(_HUBERT, "Apache 2.0", 315, _LIBRILIGHT),
    "microsoft/wavlm-base": Checkpoint(_WAVLM, _CC_BY_SA, 94, _LIBRISPEECH),
    "microsoft/wavlm-base-plus": Checkpoint(_WAVLM, _CC_BY_SA, 94, _MIX),
    "microsoft/wavlm-large": Checkpoint(_WAVLM, _CC_BY_SA, 315, _MIX),
    "facebook/data2vec-audio-base": Checkpoint(_DATA2VEC, "Apache 2.0", 93, _LIBRISPEECH),
    "facebook/data2vec-audio-large": Checkpoint(_DATA2VEC, "Apache 2.0", 313, _LIBRISPEECH),
    "microsoft/unispeech-sat-base": Checkpoint(_UNISPEECH, "MIT", 94, _LIBRISPEECH),
    "microsoft/unispeech-sat-large": Checkpoint(_UNISPEECH, "MIT", 315, _MIX),
    "MIT/ast-finetuned-audioset-10-10-0.4593": Checkpoint(
        _AST, "BSD 3-Clause", 86, "images of ImageNet; fine-tuned on AudioSet", frame_rate_hz=10.0
    ),
    "Qwen/Qwen2-Audio-7B": Checkpoint(_QWEN2_AUDIO, "Apache 2.0", 635, ""),
    "Qwen/Qwen2-Audio-7B-Instruct": Checkpoint(_QWEN2_AUDIO, "Apache 2.0", 635, ""),
    "facebook/w2v-bert-2.0": Checkpoint("Seamless Communication: Seamless, arXiv 2312.05187, 2023", "MIT", 580, ""),
    "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim": Checkpoint(
        "J. Wagner et al.: Dawn of the Transformer Era in Speech Emotion Recognition, arXiv 2203.07378, 2022",
        "CC BY-NC-SA 4.0, research only",
        165,
        "that of wav2vec2-large-robust; fine-tuned on MSP-Podcast",
    ),
    "emotion2vec/emotion2vec_base": Checkpoint(
        "Z. Ma et al.: emotion2vec, arXiv 2312.15185, 2023",
        "its model card",
        94,
        "LibriSpeech, IEMOCAP, MELD, MEAD, CMU-MOSEI and MSP-Podcast",
        ("cmu_mosei", "iemocap", "meld", "msp_podcast"),
    ),
    "superb/wav2vec2-base-superb-er": Checkpoint(
        _SUPERB, "Apache 2.0", 94, "LibriSpeech; fine-tuned on IEMOCAP", ("iemocap",)
    ),
    "superb/hubert-large-superb-er": Checkpoint(
        _SUPERB, "Apache 2.0", 315, "Libri-Light; fine-tuned on IEMOCAP", ("iemocap",)
    ),
    "ehcalabres/wav2vec2-lg-xlsr-en-speech-emotion-recognition": Checkpoint(
        "its model card", "Apache 2.0", 315, "that of wav2vec2-large-xlsr-53; fine-tuned on RAVDESS", ("ravdess",)
    ),
}
"""Published facts of encoders, by their name on the hub."""


def find_checkpoint(name: str) -> Checkpoint | None:
    """The entry of a checkpoint, by its name on the hub or by the name of its folder; None where there is none.

    >>> find_checkpoint("/models/whisper-base").licence
    'MIT'
    """
    if name in CHECKPOINTS:
        return CHECKPOINTS[name]
    short = short_name(name).casefold()
    matches = (entry for known, entry in CHECKPOINTS.items() if short_name(known).casefold() == short)
    return next(matches, None)


def short_name(name: str) -> str:
    """The last part of a checkpoint's name on the hub, or the name of its folder.

    >>> short_name("openai/whisper-base"), short_name("/models/whisper-base/")
    ('whisper-base', 'whisper-base')
    """
    return PurePath(name).name
