"""Hidden states of an encoder of transformers, for inputs of any length."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .families import AST, WHISPER

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["states_of"]


def states_of(module: Any, inputs: "Tensor", real: "Tensor | None" = None) -> "Sequence[Tensor]":  # noqa: ANN401 - transformers
    """The hidden states of an encoder, (B, T, D) of each layer, for inputs as its preprocessing makes them.

    `real` limits attention: to frames (B, T), bool, of Whisper; of others to samples. None attends to everything. The
    Audio Spectrogram Transformer attends to everything.
    """
    family = module.config.model_type
    if family == WHISPER:
        return _whispers(module, inputs, real)
    if family == AST:
        return _patches(module, inputs)
    mask = None if real is None else real.long()
    states: Sequence[Tensor] = module(inputs, attention_mask=mask, output_hidden_states=True).hidden_states
    return states


def _whispers(module: Any, inputs: "Tensor", real: "Tensor | None") -> "list[Tensor]":  # noqa: ANN401
    """States of Whisper's layers, which take any length (arXiv 2212.04356); its own forward refuses all but 30 s."""
    from torch import nn

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


def _patches(module: Any, spectrogram: "Tensor") -> "list[Tensor]":  # noqa: ANN401
    """States of an Audio Spectrogram Transformer: the mean over the patches of equal time (arXiv 2104.01778).

    Of a spectrogram (B, F, M) that is shorter than the window, the first of the positions in time are read.
    """
    import torch

    embeddings = module.embeddings
    patches = embeddings.patch_embeddings(spectrogram)  # (B, P, D), of each band all times
    bands, _ = embeddings.get_shape(module.config)
    times = patches.shape[1] // bands
    first, positions = embeddings.position_embeddings.split([2, embeddings.position_embeddings.shape[1] - 2], dim=1)
    positions = positions.reshape(1, bands, -1, positions.shape[2])[:, :, :times].flatten(1, 2)
    tokens = torch.cat([embeddings.cls_token, embeddings.distillation_token], dim=1) + first
    state = torch.cat([tokens.expand(len(patches), -1, -1), patches + positions], dim=1)
    states = [state]
    for layer in module.layers:
        state = layer(state)
        states.append(state)
    states[-1] = module.layernorm(state)
    return [own[:, 2:].reshape(len(own), bands, times, -1).mean(dim=1) for own in states]
