"""Averages of the weights that training passes through, to be judged and kept in their stead."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from ..config import TrainingSettings

__all__ = ["WeightAverage"]


class WeightAverage:
    """What stands for the network at an epoch's end: an average of its weights, or with averaging off, itself.

    Training takes no notice: its weights and its random numbers are those it would have without averaging.

    The statistics of batch norms are measured again at every epoch's end, with the averaged weights over the training
    segments (Izmailov et al. 2018, arXiv 1803.05407). Averages of the statistics that training passed through would
    be cheaper, but they are of other networks' activations, and with few steps an epoch they lag far behind.
    """

    def __init__(self, network: nn.Module, settings: TrainingSettings) -> None:
        """Copy the network where its weights are to be averaged."""
        self._settings, self._network = settings, network
        self._average: AveragedModel | None = None
        if settings.averaging != "none":
            average = _warmed_ema(settings.ema_decay) if settings.averaging == "ema" else None  # None: equal weights
            self._average = AveragedModel(network, multi_avg_fn=average)

    def stands_for(self, epoch: int) -> bool:
        """Whether there is an average at this epoch's end, counted from 1; with averaging off there is nothing else."""
        return self._settings.averaging != "swa" or epoch > self._settings.swa_start * self._settings.epochs

    def after_step(self) -> None:
        """Take in the weights of a step."""
        if self._average is not None and self._settings.averaging == "ema":
            self._average.update_parameters(self._network)

    def after_epoch(self, epoch: int, inputs: Callable[[], Iterable[Sequence[Tensor]]]) -> nn.Module:
        """Take in the weights of an epoch.

        Args:
            epoch: Counted from 1.
            inputs: Gives what the network is called with for every training segment, in batches as mixed as those of
                training, because batch norm's variances are those within a batch.

        Returns:
            The network to judge and to keep.
        """
        if self._average is None or not self.stands_for(epoch):
            return self._network
        if self._settings.averaging == "swa":
            self._average.update_parameters(self._network)
        averaged: nn.Module = self._average.module
        device = next(averaged.parameters()).device
        # Dropout takes part in the statistics as it does in training, but the next epoch must not see that it did
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            update_bn(((batch,) for batch in inputs()), _Unpacking(averaged))
        return averaged


class _Unpacking(nn.Module):
    """Calls a network with all of its inputs; `update_bn` hands over one argument."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        logits: Tensor = self.network(*inputs)
        return logits


def _warmed_ema(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """An exponential moving average whose decay rises to the wanted one: after n steps it is (1 + n) / (10 + n).

    A fold has hundreds of steps. With a decay of 0.999 from the first, its average would mostly be random weights.
    """

    def average(averaged: Sequence[Tensor], current: Sequence[Tensor], steps: Tensor | int) -> None:
        n = int(steps)
        update = get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))  # type: ignore[no-untyped-call]
        update(averaged, current, steps)

    return average
