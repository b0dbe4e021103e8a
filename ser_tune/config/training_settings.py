"""Settings of gradient descent: the optimizer, and the training of a fold's network."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Settings
from .ranges import FloatRange, Range, Value
from .roles import Flag, Role

__all__ = ["OPTIMIZER_DEFAULTS", "OPTIMIZER_RANGES", "OptimizerSettings", "TrainingSettings"]


class OptimizerSettings(Settings):
    """The optimizer of gradient descent."""

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    """Adam, AdamW (decoupled weight decay), or SGD with Nesterov momentum."""
    learning_rate: Annotated[
        float, Field(gt=0, le=1), FloatRange(low=1e-4, high=1e-2, log=True), Flag("--lr", metavar="RATE")
    ] = 1e-3
    """Step size; with a schedule, its peak."""
    weight_decay: Annotated[float, Field(ge=0, le=1), FloatRange(low=1e-6, high=1e-1, log=True)] = 1e-4
    """L2 penalty, or decoupled decay with AdamW. Biases and batch norms are left out."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """SGD's momentum, and Adam's first coefficient."""


OPTIMIZER_DEFAULTS: Mapping[str, Mapping[str, Value]] = {"sgd": {"optimizer.learning_rate": 3e-2}}
"""Defaults of an optimizer, instead of those of the settings and the architectures."""
L2_PENALTY = FloatRange(low=1e-6, high=1e-2, log=True)
OPTIMIZER_RANGES: Mapping[str, Mapping[str, Range]] = {
    "adam": {"optimizer.weight_decay": L2_PENALTY},
    "sgd": {
        "optimizer.learning_rate": FloatRange(low=3e-3, high=3e-1, log=True),
        "optimizer.weight_decay": L2_PENALTY,
    },
}
"""Default search ranges of an optimizer, likewise: rates and penalties are of another size than AdamW's."""


class TrainingSettings(Settings):
    """The training of one fold's network."""

    epochs: Annotated[int, Field(ge=1, le=1000), Role.DESCENT, Flag("--epochs", metavar="N")] = 12
    """Passes over the training speakers, at most."""
    batch_size: Annotated[int, Field(ge=2, le=1024), Role.DESCENT, Flag("--batch-size", metavar="N")] = 32
    """Segments in one step."""
    sampling: Annotated[Literal["shuffle", "oversample"], Role.DESCENT] = "shuffle"
    """Segments of an epoch: shuffle, each once; oversample, as many, drawn with replacement so that all
    classes are equally frequent (Buda et al. 2018, arXiv 1710.05381)."""
    schedule: Annotated[Literal["constant", "cosine", "one_cycle"], Role.DESCENT] = "one_cycle"
    """Learning rate over the steps; one_cycle rises for 30 % of them (Smith 2018, arXiv 1708.07120)."""
    warmup: Annotated[float, Field(ge=0, lt=1), Role.DESCENT] = 0.0
    """Fraction of the steps in which the learning rate first rises linearly to its peak, before a constant or cosine
    schedule begins (Goyal et al. 2017, arXiv 1706.02677); one_cycle has a rise of its own."""
    gradient_clip_norm: Annotated[float, Field(ge=0, le=1000), Role.DESCENT] = 5.0
    """Largest norm of the gradient; longer ones are scaled down. 0 switches it off."""
    patience: Annotated[int, Field(ge=0, le=1000), Role.PROTOCOL, Role.DESCENT] = 0
    """Stop a fold after so many epochs without a better one by `selection`, which for last is as for
    best_validation_score; 0 never stops. With last, validation then chooses the last epoch: part of the protocol."""
    selection: Annotated[
        Literal["last", "best_validation_score", "best_validation_loss", "smoothed_validation_score"],
        Role.PROTOCOL,
        Role.DESCENT,
    ] = "last"
    """Epoch whose network a fold keeps: the last, or that of the best validation score by the first of
    study.objectives (of equal ones, the least loss), of the least validation loss, or of the best mean score over an
    epoch and the two before it (fewer at the start; of equal ones, the least mean loss). The score is the kept epoch's
    own. The fold's test speakers are not used. One validation speaker is a poor judge of epochs: the last of a
    schedule that ends at 0 did better on others."""
    averaging: Annotated[Literal["none", "ema", "swa"], Role.DESCENT] = "none"
    """Judge and keep an average of the weights instead of the last step's: ema, an exponential moving average over
    the steps (Polyak, Juditsky 1992, SIAM J. Control Optim. 30(4)), or swa, the mean of epoch-end weights (Izmailov et
    al. 2018, arXiv 1803.05407). Batch norm's statistics are measured again over the training segments."""
    ema_decay: Annotated[float, Field(ge=0, lt=1), Role.DESCENT] = 0.999
    """EMA: the fraction of the average that stays at every step. After n steps it keeps (1 + n) / (10 + n) at most, so
    that the first random weights are soon forgotten."""
    swa_start: Annotated[float, Field(ge=0, lt=1), Role.DESCENT] = 0.75
    """SWA: fraction of `epochs` after which weights are averaged. Earlier epochs are kept only if none later comes, and
    patience does not count them. A constant schedule suits it: where the rate falls to 0, weights hardly differ."""
    precision: Annotated[Literal["auto", "float32", "bfloat16"], Role.FIXED, Role.CIRCUMSTANCE] = "auto"
    """Arithmetic of training; auto measures on this device. Evaluation is always float32, on CUDA without TF32."""
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], Role.FIXED, Role.CIRCUMSTANCE] = "auto"
    """Device that trains; auto takes CUDA, then MPS, then the CPU."""
    threads: Annotated[Annotated[int, Field(ge=1, le=1024)] | Literal["auto"], Role.FIXED, Role.CIRCUMSTANCE] = "auto"
    """CPU threads that train a fold. Another number rounds sums otherwise. auto shares out the cores; a study keeps the
    number that it started with."""

    @model_validator(mode="after")
    def _one_warmup(self) -> "TrainingSettings":
        if self.warmup and self.schedule == "one_cycle":
            raise ValueError(
                f"training.warmup is {self.warmup:g}, but training.schedule one_cycle has a warm-up of its own; leave "
                "warmup 0, or make schedule constant or cosine"
            )
        return self
