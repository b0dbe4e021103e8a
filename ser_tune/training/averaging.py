"""Averages of a network's weights over its training, which are validated and kept in place of the last weights."""

import copy
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from ..config import TrainingSettings

__all__ = ["WeightAverage"]


class WeightAverage:
    """The network that is validated at an epoch's end: an average of weights, or with averaging off, the last ones.

    Training is the same as without averaging: its weights and its random numbers.

    The statistics of batch norms are measured again at an epoch's end, with the averaged weights over the training
    segments (Izmailov et al. 2018, arXiv 1803.05407). Averages of the statistics that training passed through would
    be cheaper, but they are of other networks' activations, and with few steps an epoch they lag far behind.
    """

    def __init__(self, network: nn.Module, settings: TrainingSettings) -> None:
        """Copy the network where its weights are to be averaged."""
        self._settings, self._network = settings, network
        self._average = None if settings.averaging == "none" else copy.deepcopy(network)
        self._taken_in = 0

    def is_there(self, epoch: int) -> bool:
        """Whether there is an average at this epoch's end, counted from 1; with averaging off there is nothing else."""
        return self._settings.averaging != "swa" or epoch > self._settings.swa_start * self._settings.epochs

    def after_step(self) -> None:
        """Take in the weights of a step.

        The exponential average's decay rises to the wanted one: after n steps it is (1 + n) / (10 + n). A fold has
        hundreds of steps; with a decay of 0.999 from the first, its average would mostly be random weights.
        """
        if self._settings.averaging == "ema":
            steps = self._taken_in
            decay = min(self._settings.ema_decay, (1 + steps) / (10 + steps)) if steps else 0.0
            self._take_in(1 - decay)

    def after_epoch(
        self, epoch: int, inputs: Callable[[], Iterable[Sequence[Tensor]]], *, is_used: bool = True
    ) -> nn.Module:
        """Take in the weights of an epoch, and return the network to validate and to keep.

        Args:
            epoch: Counted from 1.
            inputs: Inputs of the network for all training segments, in batches as mixed as those of training, because
                batch norm's variances are those within a batch.
            is_used: Whether the network will be called or kept; if not, batch norms are not measured.
        """
        if self._average is None or not self.is_there(epoch):
            return self._network
        if self._settings.averaging == "swa":
            self._take_in(1 / (1 + self._taken_in))
        if not is_used:
            return self._average
        for buffer, current in zip(self._average.buffers(), self._network.buffers(), strict=True):
            buffer.copy_(current)
        device = next(self._average.parameters()).device
        # Dropout takes part in the statistics as it does in training, but the next epoch must not see that it did
        with torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=device.type):
            update_bn(((batch,) for batch in inputs()), _Unpacking(self._average))
        return self._average

    @torch.no_grad()
    def _take_in(self, weight: float) -> None:
        """Move the average towards the network's weights; the first time, by a weight of 1, onto them.

        Torch's `AveragedModel` does the same, but has the host wait for the GPU at every step.
        """
        assert self._average is not None
        torch._foreach_lerp_(list(self._average.parameters()), list(self._network.parameters()), weight)
        self._taken_in += 1


class _Unpacking(nn.Module):
    """Calls a network with all of its inputs; `update_bn` hands over one argument."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        logits: Tensor = self.network(*inputs)
        return logits
