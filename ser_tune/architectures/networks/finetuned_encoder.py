"""The network of `finetuned_encoder`: an encoder whose top layers learn, and a linear classifier."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...encoders import open_encoder, states_of
from ...encoders.whisper import WhisperInput
from ...errors import ConfigError
from ..base import InputShape
from ..finetuned_encoder import FinetunedEncoderSettings

__all__ = ["FinetunedEncoder"]

BLOCK = 320
"""Samples of a frame of the features `waveform`."""
STEP = 8
"""Encoders read multiples of so many frames: utterances of about equal length fit into one batch."""
SILENCE = 10
"""Frames of silence after speech that Whisper attends to."""
PIECE = 1480
"""Frames that the encoder reads at once; with silence they fit into Whisper's 1500."""
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")
ADAPTED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("data2vec-audio", "hubert", "unispeech", "unispeech-sat", "wav2vec2", "whisper"), PROJECTIONS),
    # Its attention reads the projections' weights, and would not notice an adapter
    "wavlm": ("intermediate_dense", "output_dense"),
}
"""Linear maps of a layer that get LoRA adapters, by family; the families that can be trained."""


class FinetunedEncoder(nn.Module):
    """Waveforms (B, 1, 320, T) to logits (B, K). Its state dictionary lacks the frozen weights."""

    def __init__(self, settings: FinetunedEncoderSettings, shape: InputShape, n_classes: int) -> None:
        """Copy the encoder's weights that learn, and share the rest with all networks of the checkpoint.

        Raises:
            ConfigError: The encoder cannot be had or trained, or the features are no waveforms.
        """
        super().__init__()
        if (shape.channels, shape.bands) != (1, BLOCK):
            raise ConfigError("finetuned_encoder takes speech itself; expected features.name waveform")
        described = settings.shape
        if described.family not in ADAPTED:
            raise ConfigError(
                f"{settings.checkpoint} is a {described.family} model; expected one of: {', '.join(sorted(ADAPTED))}"
            )
        if settings.trainable_layers >= described.layers:
            raise ConfigError(
                f"model.trainable_layers is {settings.trainable_layers}; {settings.checkpoint} has "
                f"{described.layers - 1} layers"
            )
        self.family = described.family
        cpu = torch.device("cpu")
        with cpu:  # weights are read even where sizes alone are asked for
            with torch.random.fork_rng([]):  # opening draws numbers, but only the first time
                opened = open_encoder(settings.folder, cpu)
            self.encoder = _with_trainable(opened.module, settings, described.family)
            extractor = opened.extractor
            self.whisper_input = WhisperInput(extractor.mel_filters) if self.family == "whisper" else None
        self.zero_mean = bool(getattr(extractor, "do_normalize", False))
        # Group norm over time, and data2vec's positional convolutions, see what an utterance is padded with
        masks = getattr(self.encoder.config, "feat_extract_norm", "") == "layer" and self.family != "data2vec-audio"
        self.batched = self.family == "whisper" or masks
        self.layer_scores = nn.Parameter(torch.zeros(described.layers))
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(described.width, n_classes)
        frozen = {name: weight for name, weight in self.encoder.named_parameters() if not weight.requires_grad}
        self._frozen = {f"encoder.{name}": weight.data for name, weight in frozen.items()}
        self.register_state_dict_post_hook(_without_frozen)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_with_frozen)  # type: ignore[no-untyped-call]

    def __deepcopy__(self, memo: dict[int, Any]) -> "FinetunedEncoder":
        """A copy of the weights that learn; frozen weights stay shared."""
        memo |= {id(weight): weight for weight in self.parameters() if not weight.requires_grad}
        memo |= {id(weight): weight for weight in self._frozen.values()}
        copied = memo[id(self)] = self.__class__.__new__(self.__class__)
        copied.__dict__ = copy.deepcopy(self.__dict__, memo)
        return copied

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "FinetunedEncoder":
        """Move or convert; frozen weights that return from a GPU are replaced by those that all networks share."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, shared in self._frozen.items():
            weight = self.get_parameter(name)
            if (weight.device, weight.dtype) == (shared.device, shared.dtype):
                weight.data = shared
        return self

    def train(self, mode: bool = True) -> "FinetunedEncoder":
        """Switch modes; frozen layers drop nothing out."""
        super().train(mode)
        self.encoder.eval()
        for layer in _layers(self.encoder):
            layer.train(mode and any(weight.requires_grad for weight in layer.parameters()))
        return self

    def forward(self, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return logits (B, K) of padded waveforms (B, 1, 320, T) with `lengths` (B,) in frames."""
        blocks = segments[:, 0].transpose(1, 2)  # (B, T, 320)
        if lengths is None:
            lengths = torch.full((len(blocks),), blocks.shape[1], device=blocks.device)
        shares = torch.softmax(self.layer_scores, dim=0)
        sums: list[Tensor] = [shares.new_zeros(self.classifier.in_features)] * len(blocks)
        counts = [0] * len(blocks)
        for rows, piece, frames in self._pieces(blocks, lengths):
            states, counted = self._states(piece, frames)
            mixed = sum(share * state.float() for share, state in zip(shares, states, strict=True))
            for row, state, count in zip(rows, mixed, counted, strict=True):
                sums[row] = sums[row] + state[:count].sum(dim=0)
                counts[row] += count
        pooled = torch.stack([total / count for total, count in zip(sums, counts, strict=True)])
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits

    def _pieces(self, blocks: Tensor, lengths: Tensor) -> Iterator[tuple[list[int], Tensor, list[int]]]:
        """Numbers of some utterances, a piece of each (B', T', 320) without what pads it, and its frames."""
        of_all = [int(length) for length in lengths.tolist()]
        for start in range(0, max(of_all), PIECE):
            rows = [row for row, length in enumerate(of_all) if length > start]
            frames = {row: min(PIECE, of_all[row] - start) for row in rows}
            groups: dict[int, list[int]] = {}
            for row in rows:
                groups.setdefault(0 if self.batched else -(-frames[row] // STEP), []).append(row)
            for group in groups.values():
                longest = max(frames[row] for row in group)
                piece = blocks[group, start : start + longest]
                count = torch.tensor([frames[row] for row in group], device=blocks.device)
                real = torch.arange(longest, device=blocks.device) < count[:, None]
                yield group, piece * real[:, :, None], [frames[row] for row in group]

    def _states(self, piece: Tensor, frames: list[int]) -> tuple[list[Tensor], list[int]]:
        """All layers' states, each (B', T', D), and how many of them are of speech."""
        length, device = piece.shape[1], piece.device
        if self.whisper_input is not None:
            # More silence than is attended to: what is beyond it must not depend on the batch's longest
            speech = nn.functional.pad(piece.flatten(1), (0, (SILENCE + STEP) * BLOCK))
            attended = torch.tensor(frames, device=device)[:, None] + SILENCE
            real = torch.arange(length + SILENCE + STEP, device=device) < attended
            return list(states_of(self.encoder, self.whisper_input(speech), real)), frames
        samples = torch.tensor(frames, device=device)[:, None] * BLOCK
        speech = nn.functional.pad(piece.flatten(1), (0, -length % STEP * BLOCK))
        real = torch.arange(speech.shape[1], device=device) < samples
        if self.zero_mean:
            mean = speech.sum(dim=1, keepdim=True) / samples
            variance = ((speech - mean).square() * real).sum(dim=1, keepdim=True) / samples
            speech = (speech - mean) * (variance + 1e-7).rsqrt() * real
        states = states_of(self.encoder, speech, real if self.batched else None)
        counted = self.encoder._get_feat_extract_output_lengths(samples[:, 0])
        return list(states), [max(1, int(count)) for count in counted.tolist()]


def _layers(encoder: Any) -> nn.ModuleList:  # noqa: ANN401 - an encoder of transformers
    layers: nn.ModuleList = encoder.layers if hasattr(encoder, "layers") else encoder.encoder.layers
    return layers


def _with_trainable(opened: Any, settings: FinetunedEncoderSettings, family: str) -> Any:  # noqa: ANN401
    """The encoder with copies of the layers that learn; frozen weights have the memory of the opened one."""
    of_all = _layers(opened)
    first = len(of_all) - settings.trainable_layers
    learning = set() if settings.adapter == "lora" else set(of_all[first:].parameters())
    frozen = (weight for weight in opened.parameters() if weight not in learning)
    shared = {id(weight): nn.Parameter(weight.detach(), requires_grad=False) for weight in frozen}
    encoder = copy.deepcopy(opened, shared)
    if settings.adapter == "lora":
        _adapt(encoder, first, settings.lora_rank, family)
    else:
        for layer in _layers(encoder)[first:]:
            layer.requires_grad_(True)
    if settings.gradient_checkpointing:
        encoder.activation_checkpointing_enable()
    return encoder


def _adapt(encoder: Any, first: int, rank: int, family: str) -> None:  # noqa: ANN401
    """Put adapters into the layers from a number on."""
    try:
        import peft
    except ModuleNotFoundError:
        raise ConfigError(
            "model.adapter lora needs the package peft; install it with pip install 'ser-tune[pretrained]'"
        ) from None
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(ADAPTED[family]))
    for layer in _layers(encoder)[first:]:
        peft.inject_adapter_in_model(config, layer)


def _without_frozen(network: FinetunedEncoder, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    for name in network._frozen:
        del state[prefix + name]


def _with_frozen(network: FinetunedEncoder, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    own = dict(network.named_parameters())
    state.update({prefix + name: own[name] for name in network._frozen})
