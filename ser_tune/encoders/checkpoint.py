"""Pretrained encoders on disk: found by hub name or folder, checked, identified by digest, opened and run."""

import copy
import hashlib
import json
import math
import re
from collections.abc import Iterator
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
from .families import (
    AST,
    FAMILIES,
    MODELS,
    SPECTROGRAM_HOP_S,
    WHISPER,
    encoder_weight,
    is_language_model,
    patches_in_time,
    preprocessor_file,
    read_config,
    read_preprocessor,
)

if TYPE_CHECKING:
    import torch

__all__ = [
    "Encoder",
    "EncoderShape",
    "digest_of",
    "locate",
    "open_encoder",
    "shape_of",
    "speech_frames",
    "weight_files",
]

_EXTRACTORS = (
    "ASTFeatureExtractor",
    "SeamlessM4TFeatureExtractor",
    "Wav2Vec2FeatureExtractor",
    "WhisperFeatureExtractor",
)
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
INDEX = "model.safetensors.index.json"
EXTRA = "install it with pip install 'ser-tune[pretrained]'"

WINDOW_S = 30.0
"""Whisper's window; longer speech is cut into such pieces, for every encoder whose own window is not shorter."""
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
    window_s: float = WINDOW_S
    """Longest speech that is read at once; longer speech is cut into such pieces."""


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
    with suppress(Exception):  # it was not downloaded before; the hub's client raises many kinds
        folder = _downloaded(checkpoint, revision, local_files_only=True)
        weights = weight_files(folder)
        if weights and all(file.is_file() for file in weights):  # no download was interrupted
            return folder
    try:
        return _downloaded(checkpoint, revision, local_files_only=False)
    except ModuleNotFoundError:
        raise ConfigError(f"checkpoint '{checkpoint}' needs the package huggingface_hub; {EXTRA}") from None
    except Exception as error:  # the hub's client raises those of several network libraries
        reason = re.split(r"\n|\. ", str(error).strip())[0] or type(error).__name__
        raise ConfigError(
            f"checkpoint '{checkpoint}' is no folder here and cannot be downloaded ({reason}); where there is no "
            f"network, download {CONFIG}, {PREPROCESSOR} and model.safetensors of https://huggingface.co/{checkpoint} "
            "elsewhere, and pass their folder: --set features.checkpoint=FOLDER (finetuned_encoder: model.checkpoint)"
        ) from None


def _downloaded(checkpoint: str, revision: str | None, *, local_files_only: bool) -> Path:
    """The folder of a checkpoint of the hub: descriptions, and the files with the encoder's weights."""
    import huggingface_hub

    fetch = partial(huggingface_hub.snapshot_download, checkpoint, revision=revision, local_files_only=local_files_only)
    described = Path(fetch(allow_patterns=["*.json"]))
    weights = [file.name for file in weight_files(described)] if (described / INDEX).is_file() else []
    return Path(fetch(allow_patterns=["*.json", *(weights or ["*.safetensors"])]))


@lru_cache(maxsize=16)
def shape_of(folder: Path) -> EncoderShape:
    """Read an encoder's config.json.

    Raises:
        ConfigError: It is missing, or of no audio encoder that can be opened.
    """
    try:
        config = read_config(folder)
        family = str(config.get("model_type"))
        if family not in MODELS:
            raise ConfigError(
                f"checkpoint '{folder}' is a '{family}' model; expected a speech encoder of: {', '.join(FAMILIES)}"
            )
        layers = int(config["encoder_layers"] if family == WHISPER else config["num_hidden_layers"]) + 1
        width = int(config["d_model"] if family == WHISPER else config["hidden_size"])
        if family == AST:
            hop_s = int(config["time_stride"]) * SPECTROGRAM_HOP_S
            return EncoderShape(family, layers, width, hop_s, window_s=patches_in_time(config) * hop_s)
        stride = math.prod(config["conv_stride"]) if "conv_stride" in config and family != "wav2vec2-bert" else 320
        return EncoderShape(family, layers, width, stride / SAMPLE_RATE_HZ)
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
    weights = weight_files(folder)
    if not weights:
        pickles = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt"))
        has = f"only {pickles[0]}, a pickle that can run code" if pickles else "no weights"
        raise ConfigError(f"checkpoint '{folder}' has {has}; expected model.safetensors")
    total = hashlib.sha256()
    for path in (folder / CONFIG, preprocessor_file(folder), *weights):
        if not path.is_file():
            raise ConfigError(f"checkpoint '{folder}' has no {path.name}; expected a folder that transformers saved")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        _refuse_damaged(path, digest)
        total.update(f"{path.name} {digest}\n".encode())
    return total.hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """The files with an encoder's weights, sorted: of a language model in several files, those with its encoder."""
    with suppress(OSError, ValueError, KeyError):  # no such files, or damaged ones
        if is_language_model(folder):
            names: dict[str, str] = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
            return sorted({folder / file for name, file in names.items() if encoder_weight(name, inside=True)})
    return sorted(folder.glob("*.safetensors"))


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
    config = read_config(folder)
    alone = config.get("architectures") == ["WhisperEncoder"]
    try:
        with _quiet():
            models: Any = transformers.models.whisper.modeling_whisper if alone else transformers
            kind = getattr(models, "WhisperEncoder" if alone else MODELS[shape.family])
            source: dict[str, Any] = {"pretrained_model_name_or_path": folder, "local_files_only": True}
            if is_language_model(folder):
                from .whisper import read_weights

                source = {
                    "pretrained_model_name_or_path": None,
                    "config": transformers.WhisperConfig(**config),
                    "state_dict": read_weights(folder),
                }
            module, loading = kind.from_pretrained(
                **source,
                use_safetensors=True,
                output_loading_info=True,
                dtype=torch.float32,  # or that of the files is torch's default meanwhile, in all threads
            )
            if shape.family == WHISPER and not alone:
                module = module.get_encoder()
            extractor = _extractor_class(folder).from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(f"checkpoint '{folder}' cannot be opened: {reason}") from None
    needed = {name.removeprefix("encoder.") if shape.family == WHISPER else name for name in loading["missing_keys"]}
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

    name = read_preprocessor(folder).get("feature_extractor_type")
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
