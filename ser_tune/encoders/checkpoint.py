"""Pretrained encoders on disk: found by hub name or folder, checked, identified by digest, opened and run."""

import copy
import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from ..audio import SAMPLE_RATE_HZ
from ..device import pick_device
from ..errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = [
    "FAMILIES",
    "Encoder",
    "EncoderShape",
    "digest_of",
    "locate",
    "open_encoder",
    "shape_of",
    "speech_frames",
    "states_of",
]

_MODELS = {
    "data2vec-audio": "Data2VecAudioModel",
    "hubert": "HubertModel",
    "unispeech": "UniSpeechModel",
    "unispeech-sat": "UniSpeechSatModel",
    "wav2vec2": "Wav2Vec2Model",
    "wav2vec2-bert": "Wav2Vec2BertModel",
    "wavlm": "WavLMModel",
    "whisper": "WhisperModel",
}
"""Classes of transformers, which are imported alone: its `AutoModel` imports what all models need."""
_EXTRACTORS = ("SeamlessM4TFeatureExtractor", "Wav2Vec2FeatureExtractor", "WhisperFeatureExtractor")
FAMILIES = tuple(_MODELS)
"""Values of `model_type` in config.json of the encoders that can be opened."""
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
EXTRA = "install it with pip install 'ser-tune[pretrained]'"

WINDOW_S = 30.0
"""Whisper's window; longer speech is cut into such pieces, for every encoder."""
SILENCE_S = 0.2
"""Appended to Whisper's input, which was trained on speech that silence follows."""
STEP_S = 0.16
"""Inputs are filled up with silence to a multiple of it: utterances of about equal length fit into one batch, and what
an utterance is filled up to does not depend on the batch."""
_OPENING = Lock()


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """Sizes of an encoder, from config.json."""

    family: str
    layers: int
    """Hidden states: the input of the first transformer layer, and every layer's output."""
    width: int
    hop_s: float
    """Seconds from one frame to the next."""


def speech_frames(samples: int, hop_s: float) -> int:
    """Hidden states that are of so much speech, and not of the silence that is appended to it."""
    return max(1, round(samples / SAMPLE_RATE_HZ / hop_s))


@lru_cache(maxsize=16)
def locate(checkpoint: str, revision: str | None) -> Path:
    """The folder of a checkpoint, downloaded from the hub where it is a name there.

    Raises:
        ConfigError: There is no such folder, and no such name on the hub or no network.
    """
    folder = Path(checkpoint)
    if folder.is_dir():
        return folder.absolute()
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", checkpoint):
        raise ConfigError(
            f"checkpoint '{checkpoint}' is no folder; expected an existing folder, or a name on the Hugging Face hub "
            "such as openai/whisper-base"
        )
    try:
        import huggingface_hub
    except ModuleNotFoundError:
        raise ConfigError(f"checkpoint '{checkpoint}' needs the package huggingface_hub; {EXTRA}") from None
    files = ["*.json", "*.safetensors"]
    fetch = partial(huggingface_hub.snapshot_download, checkpoint, revision=revision, allow_patterns=files)
    with suppress(Exception):  # it was not downloaded before; the hub's client raises many kinds
        return Path(fetch(local_files_only=True))
    try:
        return Path(fetch())
    except Exception as error:  # the hub's client raises those of several network libraries
        reason = re.split(r"\n|\. ", str(error).strip())[0] or type(error).__name__
        raise ConfigError(
            f"checkpoint '{checkpoint}' is no folder here and cannot be downloaded ({reason}); where there is no "
            f"network, download {CONFIG}, {PREPROCESSOR} and model.safetensors of https://huggingface.co/{checkpoint} "
            "elsewhere, and pass their folder: --set features.checkpoint=FOLDER (finetuned_encoder: model.checkpoint)"
        ) from None


@lru_cache(maxsize=16)
def shape_of(folder: Path) -> EncoderShape:
    """Read an encoder's config.json.

    Raises:
        ConfigError: It is missing, or of no audio encoder that can be opened.
    """
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        family = str(config.get("model_type"))
        if family not in FAMILIES:
            raise ConfigError(
                f"checkpoint '{folder}' is a '{family}' model; expected a speech encoder of: {', '.join(FAMILIES)}"
            )
        stride = math.prod(config["conv_stride"]) if "conv_stride" in config and family != "wav2vec2-bert" else 320
        layers = config["encoder_layers"] if family == "whisper" else config["num_hidden_layers"]
        width = config["d_model"] if family == "whisper" else config["hidden_size"]
        return EncoderShape(family, int(layers) + 1, int(width), stride / SAMPLE_RATE_HZ)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"checkpoint '{folder}' has no readable {CONFIG} ({error}); expected a folder that transformers saved"
        ) from None


@lru_cache(maxsize=16)
def digest_of(folder: Path) -> str:
    """SHA-256 of a checkpoint's weights and of the files that describe it.

    Raises:
        ConfigError: There are no weights as safetensors, or they differ from those that were downloaded.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickles = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt"))
        has = f"only {pickles[0]}, a pickle that can run code" if pickles else "no weights"
        raise ConfigError(f"checkpoint '{folder}' has {has}; expected model.safetensors")
    total = hashlib.sha256()
    for path in (folder / CONFIG, folder / PREPROCESSOR, *weights):
        if not path.is_file():
            raise ConfigError(f"checkpoint '{folder}' has no {path.name}; expected a folder that transformers saved")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        _refuse_damaged(path, digest)
        total.update(f"{path.name} {digest}\n".encode())
    return total.hexdigest()


def _refuse_damaged(path: Path, digest: str) -> None:
    """Refuse a large file that the hub's client downloaded and somebody changed: its cache names it by its SHA-256."""
    blob = path.resolve()
    if blob.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", blob.name) and blob.name != digest:
        raise ConfigError(f"checkpoint file '{path}' is damaged; remove '{blob}' to have it downloaded again")


class Encoder:
    """A pretrained speech encoder as transformers opens it, and its feature extractor.

    Weights are rounded to float16, as registered models store them, so that both compute the same.
    """

    def __init__(self, module: Any, extractor: Any, shape: EncoderShape, device: "torch.device") -> None:  # noqa: ANN401
        """Take an encoder and its feature extractor, as transformers opened them, to a device."""
        self.device = device
        self.module = module.half().float().eval().requires_grad_(False).to(device)
        self.shape = shape
        self.extractor = extractor

    def save(self, folder: Path) -> None:
        """Write encoder and preprocessing, weights as float16, in a form that `open_encoder` reads."""
        with _quiet():
            copy.deepcopy(self.module).cpu().half().save_pretrained(folder)
            self.extractor.save_pretrained(folder)


def states_of(module: Any, inputs: "Tensor", real: "Tensor | None" = None) -> "Sequence[Tensor]":  # noqa: ANN401 - transformers
    """The hidden states of an encoder, (B, T, D) of each layer, for inputs as its preprocessing makes them.

    `real` limits attention: to frames (B, T), bool, of Whisper; of others to samples. None attends to everything.
    """
    from torch import nn

    if module.config.model_type != "whisper":
        mask = None if real is None else real.long()
        states: Sequence[Tensor] = module(inputs, attention_mask=mask, output_hidden_states=True).hidden_states
        return states
    # Whisper's own forward refuses inputs that are not 30 s long; its layers take any length (arXiv 2212.04356)
    convolved = inputs
    for convolution in (module.conv1, module.conv2):
        convolved = nn.functional.gelu(convolution(convolved))
    state = convolved.permute(0, 2, 1) + module.embed_positions.weight[: convolved.shape[2]]
    states = [state]
    mask = None if real is None else real[:, None, None].expand(-1, 1, real.shape[1], -1)
    for layer in module.layers:
        state = layer(state, mask)
        states.append(state)
    return [*states[:-1], module.layer_norm(state)]


def open_encoder(folder: Path, device: "torch.device | None" = None) -> Encoder:
    """Open the encoder in a folder, without decoder or head; the two encoders that were opened last stay in memory.

    Args:
        folder: As transformers saved it.
        device: None picks the fastest.

    Raises:
        ConfigError: The package transformers is missing, or it cannot open the folder.
    """
    with _OPENING:  # extraction's threads ask for it at the same time
        return _open(folder, device or pick_device("auto"))


@lru_cache(maxsize=2)
def _open(folder: Path, device: "torch.device") -> Encoder:
    shape = shape_of(folder)
    digest_of(folder)  # refuses what lacks files
    import torch

    try:
        import transformers
    except ModuleNotFoundError as error:
        raise ConfigError(f"a pretrained encoder needs the package {error.name}; {EXTRA}") from None
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    alone = config.get("architectures") == ["WhisperEncoder"]
    try:
        with _quiet():
            models: Any = transformers.models.whisper.modeling_whisper if alone else transformers
            kind = getattr(models, "WhisperEncoder" if alone else _MODELS[shape.family])
            module, loading = kind.from_pretrained(
                folder,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                dtype=torch.float32,  # or that of the files is torch's default meanwhile, in all threads
            )
            if shape.family == "whisper" and not alone:
                module = module.get_encoder()
            extractor = _extractor_class(folder).from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(f"checkpoint '{folder}' cannot be opened: {reason}") from None
    needed = {name.removeprefix("encoder.") if shape.family == "whisper" else name for name in loading["missing_keys"]}
    # transformers fills in random weights; those of masks serve pretraining alone
    if lacks := sorted(name for name in needed & set(module.state_dict()) if not name.endswith("masked_spec_embed")):
        raise ConfigError(
            f"checkpoint '{folder}' lacks {len(lacks)} of the encoder's weights, such as {lacks[0]}; expected all"
        )
    if extractor.sampling_rate != SAMPLE_RATE_HZ:
        raise ConfigError(
            f"checkpoint '{folder}' takes speech at {extractor.sampling_rate} Hz; expected {SAMPLE_RATE_HZ} Hz"
        )
    return Encoder(module, extractor, shape, device)


def _extractor_class(folder: Path) -> Any:  # noqa: ANN401 - a class of transformers
    """The class of a checkpoint's feature extractor; transformers finds it where the file has no well-known name."""
    import transformers

    name = json.loads((folder / PREPROCESSOR).read_text(encoding="utf-8")).get("feature_extractor_type")
    return getattr(transformers, name if name in _EXTRACTORS else "AutoFeatureExtractor")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from drawing bars, and from listing the weights of heads, which are left out on purpose."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
