"""Names of methods that people look for, and the names that this program has for them."""

import re
from collections.abc import Mapping, Sequence

from ..errors import ConfigError

__all__ = ["ENCODERS", "METHODS", "OPTIONS", "refuse_method"]

ENCODERS: Mapping[str, str] = {
    "whisper": "openai/whisper-base",
    "wav2vec2": "facebook/wav2vec2-base",
    "wav2vec": "facebook/wav2vec2-base",
    "hubert": "facebook/hubert-base-ls960",
    "wavlm": "microsoft/wavlm-base-plus",
}
"""Begin of the name of a pretrained encoder to a checkpoint."""
_CNN = "light_cnn is a small convolutional network, alex_net, fcn_attention and fcn_gap are larger ones"
_LINEAR = "linear_probe is linear (ridge, squared hinge or logistic): `--model linear_probe`"
METHODS: Mapping[str, str] = {
    **dict.fromkeys(("cnn", "resnet", "vgg", "alexnet", "convnet", "crnn"), _CNN),
    **dict.fromkeys(("svm", "svc", "ridge", "logistic", "linear", "lda"), _LINEAR),
    **dict.fromkeys(("lstm", "bilstm", "blstm", "rnn", "gru", "acrnn"), "3d_acrnn is recurrent: `--model 3d_acrnn`"),
    **dict.fromkeys(
        ("transformer", "finetune", "finetuning"),
        "finetuned_encoder trains a pretrained encoder, attentive_probe a small network on its states",
    ),
    **dict.fromkeys(
        ("mfcc", "mel", "melspec", "spectrogram", "melspectrogram"),
        "logmelspec is the log Mel spectrogram, logmeldeltaspec has its differences too: `--features logmelspec`",
    ),
    **dict.fromkeys(
        ("egemaps", "gemaps", "compare"),
        "opensmile computes eGeMAPS and ComParE: `--features opensmile`, `ser-tune options linear_probe` has its sets",
    ),
}
"""A guessed name, in small letters without signs, to a sentence."""
OPTIONS: Mapping[str, str] = {
    **dict.fromkeys(("--gpu", "--cuda"), "write --set training.device=cuda"),
    "--cpu": "write --set training.device=cpu",
    **dict.fromkeys(("--encoder", "--backbone"), "write --set features.checkpoint=NAME_OR_FOLDER"),
    **dict.fromkeys(("--config", "--yaml", "--study-file"), "a study file is an argument: `ser-tune study FILE.yaml`"),
    **dict.fromkeys(("--onnx", "--torchscript"), "write --format onnx or --format torchscript"),
}
"""A guessed option to what to write."""


def refuse_method(command: str, words: Sequence[str]) -> None:
    """Refuse the name of a method in place of an architecture or feature set, with what there is.

    Args:
        command: Such as `study`.
        words: Values that are the name of no architecture or feature set.

    Raises:
        ConfigError: A word is such a name.
    """
    for word in words:
        name = re.sub(r"[\W_]+", "", word.casefold())
        encoder = next((checkpoint for begin, checkpoint in ENCODERS.items() if name.startswith(begin)), None)
        if encoder is not None:
            raise ConfigError(
                f"'{word}' is a pretrained encoder; type `ser-tune {command} --model linear_probe --set "
                f"features.checkpoint={encoder}`"
            )
        if name in METHODS:
            raise ConfigError(f"there is no '{word}' here: {METHODS[name]}")
