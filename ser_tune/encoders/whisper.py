"""Whisper's encoder for extraction: read from its files without transformers, run over speech of any length at once."""

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..audio import SAMPLE_RATE_HZ
from ..errors import ConfigError
from .checkpoint import CONFIG, INDEX, PREPROCESSOR, SILENCE_S, STEP_S, WINDOW_S, speech_frames, weight_files
from .families import encoder_weight, is_language_model, read_config, read_preprocessor
from .linear_maps import Blocks, LinearMap, computes_natively, linear_map

__all__ = ["WhisperInput", "WhisperReader", "mel_filters", "read_weights", "save_whisper"]

POINTS, HOP = 400, 160
"""Samples of a frame of the spectrogram, and from one frame to the next."""
FRAME = 2 * HOP
"""Samples from one frame of the hidden states to the next."""
ROWS_AT_ONCE = {"cpu": 4096, "cuda": 65536, "mps": 16384}
"""Frames that are read at once, at most, unless a single piece of speech has more."""


class WhisperInput(nn.Module):
    """Speech (B, N) to Whisper's log Mel spectrogram (B, M, N / 160), as its feature extractor computes it."""

    filters: Tensor
    window: Tensor

    def __init__(self, filters: np.ndarray) -> None:
        """Take Mel filters of shape (201, M)."""
        super().__init__()
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(POINTS), persistent=False)

    def forward(self, speech: Tensor) -> Tensor:
        """Compute it; each utterance's floor is 80 dB below its maximum."""
        with torch.autocast(speech.device.type, enabled=False):
            spectrum = torch.stft(speech.float(), POINTS, HOP, window=self.window, return_complex=True)[..., :-1]
            mel = self.filters.T @ spectrum.abs().square()
            log = mel.clamp(min=1e-10).log10()
            floored = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8)
            return (floored + 4) / 4


@lru_cache(maxsize=4)
def mel_filters(number: int) -> np.ndarray:
    """Whisper's Mel filters, shape (201, M), float64: triangles on Slaney's scale up to 8 kHz, of equal areas."""
    # Linear up to 1 kHz, which is Mel 15; from there 27 Mel to a factor of 6.4
    highest = 15 + 27 * math.log(8) / math.log(6.4)
    mels = np.linspace(0, highest, number + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * math.log(6.4) / 27))
    points = np.linspace(0, SAMPLE_RATE_HZ / 2, POINTS // 2 + 1)
    rising = (points[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - points[:, None]) / np.diff(edges)[1:]
    filters: np.ndarray = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
    return filters


class _Layer(NamedTuple):
    """A transformer layer: normalisations as weight and bias, and its linear maps."""

    attention_norm: tuple[Tensor, Tensor]
    queries_keys_values: LinearMap
    attended: LinearMap
    norm: tuple[Tensor, Tensor]
    widened: LinearMap
    narrowed: LinearMap


class WhisperReader:
    """Whisper's encoder, which reads speech of any length: frames of all utterances are rows of the same products.

    Rows are computed in blocks, and attention is that of each utterance alone: on a CPU, what an utterance's states are
    does not depend on what is read with it. Weights are rounded to float16, as registered models store them.
    """

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        """Read the encoder in a folder to a device, to compute in float32 or bfloat16.

        Raises:
            ConfigError: The files cannot be read, or weights are missing.
        """
        self.device, self.dtype = device, dtype
        self.blocks = Blocks.of(device, dtype)
        self.native = computes_natively(device, dtype)
        self.at_once = ROWS_AT_ONCE[device.type]
        config = read_config(folder)
        self.heads: int = config["encoder_attention_heads"]
        bands = _checked_bands(folder, config)
        weights = _read(folder, _shapes(config, bands))

        def norm(name: str) -> tuple[Tensor, Tensor]:
            return weights[f"{name}.weight"].to(device), weights[f"{name}.bias"].to(device)

        def mapped(weight: Tensor, bias: Tensor, *, gelu: bool = False) -> LinearMap:
            return linear_map(weight.to(device, dtype), bias.to(device, dtype), gelu=gelu)

        def linear(name: str, *, gelu: bool = False) -> LinearMap:
            weight = weights[f"{name}.weight"]
            if weight.ndim == 3:  # a convolution: of three frames' values one after another
                weight = weight.transpose(1, 2).flatten(1)
            return mapped(weight, weights[f"{name}.bias"], gelu=gelu)

        def attention(name: str) -> LinearMap:
            queries, keys, values = (weights[f"{name}.{part}_proj.weight"] for part in "qkv")
            query_bias, value_bias = weights[f"{name}.q_proj.bias"], weights[f"{name}.v_proj.bias"]
            scale = (len(queries) // self.heads) ** -0.5  # of two scaled before it is rounded
            return mapped(
                torch.cat([scale * queries, keys, values]),
                torch.cat([scale * query_bias, torch.zeros_like(query_bias), value_bias]),
            )

        with torch.inference_mode():
            self.input = WhisperInput(mel_filters(bands)).to(device)
            self.convolutions = [linear("conv1", gelu=True), linear("conv2", gelu=True)]
            self.positions = weights["embed_positions.weight"].to(device)
            self.layers = [
                _Layer(
                    norm(f"layers.{number}.self_attn_layer_norm"),
                    attention(f"layers.{number}.self_attn"),
                    linear(f"layers.{number}.self_attn.out_proj"),
                    norm(f"layers.{number}.final_layer_norm"),
                    linear(f"layers.{number}.fc1", gelu=True),
                    linear(f"layers.{number}.fc2"),
                )
                for number in range(config["encoder_layers"])
            ]
            self.norm = norm("layer_norm")

    def read(self, pieces: Sequence[np.ndarray], *, padded: bool) -> Iterator[tuple[list[int], Iterator[list[Tensor]]]]:
        """Read pieces of speech of up to 30 s, as `Reader` describes; those of equal length are neighbours."""
        lengths = [_filled_samples(len(piece), padded) for piece in pieces]
        batch: list[int] = []
        rows = 0
        for number in [*sorted(range(len(pieces)), key=lengths.__getitem__), None]:
            own = 0 if number is None else lengths[number] // FRAME
            if batch and (number is None or rows + own > self.at_once):
                filled = [np.pad(pieces[each], (0, lengths[each] - len(pieces[each]))) for each in batch]
                yield (
                    batch,
                    self._layers(filled, [speech_frames(len(pieces[each]), FRAME / SAMPLE_RATE_HZ) for each in batch]),
                )
                batch, rows = [], 0
            if number is not None:
                batch.append(number)
                rows += own

    @torch.inference_mode()
    def _layers(self, pieces: Sequence[np.ndarray], real: Sequence[int]) -> Iterator[list[Tensor]]:
        """States of each layer, for pieces of whole frames, of which some are not of silence."""
        counts = [len(piece) // FRAME for piece in pieces]
        state = self._embedded(pieces, counts)
        yield _parts(state, counts, real)
        width = state.shape[1]
        projected = state.new_empty((len(state), 3 * width), dtype=self.dtype)
        attended = state.new_empty(state.shape, dtype=self.dtype)
        attended[sum(counts) :] = 0
        for number, layer in enumerate(self.layers):
            for rows in self.blocks.slices(len(state)):
                normed = nn.functional.layer_norm(state[rows], (width,), *layer.attention_norm)
                projected[rows] = layer.queries_keys_values(normed.to(self.dtype))
            self._attend(projected, attended, counts)
            last = number + 1 == len(self.layers)
            for rows in self.blocks.slices(len(state)):
                own = state[rows]
                own += layer.attended(attended[rows])
                normed = nn.functional.layer_norm(own, (width,), *layer.norm)
                own += layer.narrowed(layer.widened(normed.to(self.dtype)))
                if last:
                    own.copy_(nn.functional.layer_norm(own, (width,), *self.norm))
            yield _parts(state, counts, real)

    def _embedded(self, pieces: Sequence[np.ndarray], counts: Sequence[int]) -> Tensor:
        """The input of the first layer, (rows, D), float32: two convolutions of the spectrograms, and positions."""
        first, second = self.convolutions
        spectra = (self.input(torch.from_numpy(piece).to(self.device)[None])[0].T for piece in pieces)
        hidden = self._convolved(spectra, [2 * count for count in counts], first, stride=1)
        convolved = self._convolved(torch.split(hidden, [2 * count for count in counts]), counts, second, stride=2)
        state = torch.zeros(self.blocks.rows(len(convolved)), convolved.shape[1], device=self.device)
        torch.add(convolved, torch.cat([self.positions[:count] for count in counts]), out=state[: len(convolved)])
        return state

    def _convolved(self, inputs: Any, counts: Sequence[int], product: LinearMap, *, stride: int) -> Tensor:  # noqa: ANN401
        """Rows of a convolution over three frames, each input (T, C) with a frame of silence before and after it."""
        windows: Tensor | None = None
        start = 0
        for frames, count in zip(inputs, counts, strict=True):
            channels = frames.shape[1]
            if windows is None:
                windows = torch.zeros(self.blocks.rows(sum(counts)), 3 * channels, dtype=self.dtype, device=self.device)
            padded = nn.functional.pad(frames, (0, 0, 1, 1)).contiguous()
            windows[start : start + count] = padded.as_strided((count, 3 * channels), (stride * channels, 1))
            start += count
        assert windows is not None
        return torch.cat([product(windows[rows]) for rows in self.blocks.slices(len(windows))])[:start]

    def _attend(self, projected: Tensor, attended: Tensor, counts: Sequence[int]) -> None:
        """Write what every frame attends to within its utterance, of utterances of equal length at once."""
        start, width = 0, attended.shape[1]
        for count, equal in groupby(counts):
            number = len(list(equal))
            stop = start + number * count
            parts = projected[start:stop].view(number, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            if not self.native:
                parts = parts.float()
            queries, keys, values = parts
            found = nn.functional.scaled_dot_product_attention(queries, keys, values, scale=1.0)
            attended[start:stop].view(number, count, width).copy_(found.transpose(1, 2).flatten(2))
            start = stop


def _filled_samples(samples: int, padded: bool) -> int:
    """Samples that the encoder reads of so much speech: silence follows."""
    length_s = WINDOW_S if padded else STEP_S * math.ceil((samples / SAMPLE_RATE_HZ + SILENCE_S) / STEP_S)
    return round(min(length_s, WINDOW_S) * SAMPLE_RATE_HZ)


def _parts(state: Tensor, counts: Sequence[int], real: Sequence[int]) -> list[Tensor]:
    """The rows of each piece of speech, without those of silence."""
    parts = torch.split(state[: sum(counts)], list(counts))
    return [part[:frames] for part, frames in zip(parts, real, strict=True)]


def _checked_bands(folder: Path, config: Mapping[str, Any]) -> int:
    """The number of Mel bands, or `ConfigError` where the input is not Whisper's."""
    written = read_preprocessor(folder)
    expected = {"sampling_rate": SAMPLE_RATE_HZ, "n_fft": POINTS, "hop_length": HOP}
    for name, value in expected.items():
        if (found := written.get(name, value)) != value:
            raise ConfigError(f"checkpoint '{folder}' has {name} {found} in {PREPROCESSOR}; expected {value}")
    if (activation := config.get("activation_function", "gelu")) != "gelu":
        raise ConfigError(f"checkpoint '{folder}' has activation_function '{activation}' in {CONFIG}; expected gelu")
    return int(config.get("num_mel_bins", 80))


def _shapes(config: Mapping[str, Any], bands: int) -> dict[str, tuple[int, ...]]:
    """The encoder's weights by name, and their shapes."""
    width, wide = config["d_model"], config["encoder_ffn_dim"]
    shapes: dict[str, tuple[int, ...]] = {
        "conv1.weight": (width, bands, 3),
        "conv2.weight": (width, width, 3),
        "embed_positions.weight": (config.get("max_source_positions", 1500), width),
    }
    norms, biased = ["layer_norm"], ["conv1", "conv2"]
    for number in range(config["encoder_layers"]):
        layer = f"layers.{number}"
        norms += [f"{layer}.self_attn_layer_norm", f"{layer}.final_layer_norm"]
        biased += [f"{layer}.self_attn.{part}_proj" for part in ("q", "v", "out")]
        shapes |= {f"{layer}.self_attn.{part}_proj.weight": (width, width) for part in ("q", "k", "v", "out")}
        shapes |= {
            f"{layer}.fc1.weight": (wide, width),
            f"{layer}.fc1.bias": (wide,),
            f"{layer}.fc2.weight": (width, wide),
        }
        biased.append(f"{layer}.fc2")
    shapes |= {f"{name}.weight": (width,) for name in norms}
    return shapes | {f"{name}.bias": (width,) for name in (*norms, *biased)}


def save_whisper(folder: Path, into: Path) -> None:
    """Write the encoder of a checkpoint alone, with float16 weights, as transformers saves a `WhisperEncoder`.

    Raises:
        ConfigError: The files cannot be read, or weights are missing.
    """
    config = read_config(folder)
    halves = {name: weight.half().contiguous() for name, weight in read_weights(folder).items()}
    save_file(halves, into / "model.safetensors", metadata={"format": "pt"})
    written = config | {"architectures": ["WhisperEncoder"], "dtype": "float16"}
    written.pop("torch_dtype", None)  # the older name of `dtype`
    (into / CONFIG).write_text(json.dumps(written, indent=2), encoding="utf-8")
    if (folder / PREPROCESSOR).is_file():
        shutil.copyfile(folder / PREPROCESSOR, into / PREPROCESSOR)
    else:
        (into / PREPROCESSOR).write_text(json.dumps(read_preprocessor(folder), indent=2), encoding="utf-8")


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The encoder's weights by name, rounded to float16, as float32.

    Raises:
        ConfigError: The files cannot be read, or weights are missing.
    """
    config = read_config(folder)
    return _read(folder, _shapes(config, _checked_bands(folder, config)))


def _read(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Weights, rounded to float16, as float32."""
    inside, index = is_language_model(folder), folder / INDEX
    files = [folder / "model.safetensors"]
    if inside:
        files = weight_files(folder)
    elif not files[0].is_file() and index.is_file():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        files = [folder / name for name in sorted(names)]
    found: dict[str, Tensor] = {}
    try:
        for path in files:
            with safe_open(path, framework="pt") as file:
                for key in file.keys():  # noqa: SIM118 - it is no mapping
                    own = encoder_weight(key, inside=inside)
                    if own is not None and own in shapes:
                        found[own] = file.get_tensor(key).half().float()
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"checkpoint '{folder}' cannot be opened: {error}") from None
    if lacks := sorted(shapes.keys() - found.keys()):
        raise ConfigError(
            f"checkpoint '{folder}' lacks {len(lacks)} of the encoder's weights, such as {lacks[0]}; expected all"
        )
    for name, shape in shapes.items():
        if found[name].shape != shape:
            raise ConfigError(
                f"checkpoint '{folder}' cannot be opened: {name} has the shape {tuple(found[name].shape)}; {CONFIG} "
                f"says {shape}"
            )
    return found
