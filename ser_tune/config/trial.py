"""`TrialConfig`: the one concrete, frozen configuration that a trial trains with.

The sections `model`, `features` and `loss` belong to components (one file each below `architectures/`, `features/`
and `training/losses/`), so `TrialConfig` is generic in them. This module imports neither torch nor librosa.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from .base import Settings
from .ranges import Choice, FloatRange, IntRange, Range, Value
from .roles import Flag, Role

__all__ = [
    "OPTIMIZER_DEFAULTS",
    "OPTIMIZER_RANGES",
    "SHORTEST_REVERBERATION_S",
    "AugmentationSettings",
    "FeatureSettings",
    "LossSettings",
    "ModelSettings",
    "NetworkSettings",
    "NormalisationSettings",
    "OptimizerSettings",
    "PerturbationSettings",
    "SegmentSettings",
    "SpectralSettings",
    "TaskSettings",
    "TaskT",
    "TrainingSettings",
    "TrialConfig",
]


SHORTEST_REVERBERATION_S = 0.2
"""Reverberation of the driest room that is drawn; for less, walls of the largest would have to take in all sound."""


class ModelSettings(Settings):
    """What every architecture has."""

    name: Annotated[str, Role.FIXED, Role.IDENTITY, Flag("--model", completes="architectures")]
    """The architecture, such as 3d_acrnn."""

    @property
    def ensemble_size(self) -> int:
        """Networks of a fold whose probabilities are averaged."""
        return 1

    @classmethod
    def implied(cls, written: Mapping[str, object]) -> Mapping[str, Value]:
        """What some of these settings, as written, say of others: no default or search range may say otherwise."""
        return {}


class NetworkSettings(ModelSettings):
    """What every network has that is trained by gradient descent."""

    width: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Multiplies the number of maps and units of every layer; 1 is the published size."""
    networks: Annotated[int, Field(ge=1, le=20)] = 1
    """Networks of a fold, which learn from the same segments but start from other random weights, and whose
    probabilities are averaged: a deep ensemble (Lakshminarayanan et al. 2017, arXiv 1612.01474)."""

    @property
    def ensemble_size(self) -> int:
        """Networks of a fold whose probabilities are averaged."""
        return self.networks


class FeatureSettings(Settings):
    """What every feature set has."""

    name: Annotated[str, Role.FIXED, Role.IDENTITY, Flag("--features", completes="features")]
    """The feature set; by default the architecture's own."""


class SpectralSettings(FeatureSettings):
    """What every spectrogram has: the short-time Fourier transform of mono 16 kHz speech."""

    pre_emphasis: Annotated[float, Field(ge=0, lt=1)] = 0.97
    """Coefficient of the first-order high-pass that is applied to the waveform; 0 switches it off."""
    window: Literal["hamming", "hann"] = "hamming"
    """Window function of the Fourier transform."""
    window_s: Annotated[float, Field(ge=0.005, le=0.05)] = 0.04
    """Length of the window in seconds."""
    hop_s: Annotated[float, Field(ge=0.001, le=0.05)] = 0.01
    """Step from one frame to the next in seconds."""
    dft_points: Annotated[int, Field(ge=80, le=4096)] = 800
    """Points of the discrete Fourier transform, at least the window's samples."""


class LossSettings(Settings):
    """What every loss has."""

    name: Annotated[str, Role.FIXED]
    """The loss."""


class TaskSettings(Settings):
    """What every task has."""

    name: str
    """What is recognised."""


class SegmentSettings(Settings):
    """How an utterance's frames are cut into segments of equal length, or that they are not cut."""

    frames: Annotated[Annotated[int, Field(ge=16, le=3000)] | None, IntRange(low=150, high=400, step=50)] = 300
    """Length T of a segment in frames; a shorter utterance, or its last block, is padded to T. none: every utterance
    is one segment of its own length, which only some architectures take; one too short for them is padded."""
    hop_frames: Annotated[int, Field(ge=1, le=3000)] | None = None
    """Step between training segments in frames; none means T, no overlap."""
    evaluation_hop_frames: Annotated[int, Field(ge=1, le=3000)] | None = None
    """Step between the segments that validation, test and prediction read; none means T, no overlap."""
    padding: Literal["zero", "edge", "floor", "wrap"] = "zero"
    """What fills a short segment: zeros, the last frame, the utterance's minimum, or the utterance again."""
    last_block: Literal["pad", "overlap"] = "pad"
    """Whether the last block is padded, or starts early enough to be full."""
    crop: Annotated[Literal["fixed", "random"], Role.DESCENT] = "fixed"
    """Where training segments start: fixed, every hop; random, in every epoch somewhere else in their utterance, and as
    many as ever. Those of evaluation and of an export are fixed."""

    @model_validator(mode="after")
    def _whole_utterances_are_not_cut(self) -> "SegmentSettings":
        if self.frames is not None:
            return self
        for name, value, whole in (
            ("hop_frames", self.hop_frames, None),
            ("evaluation_hop_frames", self.evaluation_hop_frames, None),
            ("last_block", self.last_block, "pad"),
            ("crop", self.crop, "fixed"),
        ):
            if value != whole:
                raise ValueError(
                    f"segments.{name} is {value}, but segments.frames none leaves utterances whole; leave "
                    f"{name} {whole or 'none'}, or give frames a number"
                )
        return self


class NormalisationSettings(Settings):
    """How features are scaled, per channel and frequency."""

    kind: Literal["standard", "minmax", "none"] = "standard"
    """Zero mean and unit deviation, or the range 0 to 1; none leaves features as they are, as waveforms must be."""
    scope: Annotated[Literal["train", "utterance", "speaker"], Role.PROTOCOL] = "train"
    """Whose frames give the statistics: the training speakers', the utterance's own, or the speaker's own.
    `speaker` uses all of a speaker's recordings and is therefore transductive."""
    batch_norm: Literal["train", "speaker"] = "train"
    """Whose segments give batch norm's statistics where a network judges: the training speakers', or mostly the judged
    speaker's own (AdaBN: Li et al. 2017, arXiv 1603.04779; weighed as by Schneider et al. 2020, arXiv 2006.16971).
    `speaker` goes with scope speaker, and is as transductive."""

    @model_validator(mode="after")
    def _transductive_together(self) -> "NormalisationSettings":
        if self.batch_norm == "speaker" and self.scope != "speaker":
            raise ValueError(
                f"normalisation.batch_norm is speaker, but normalisation.scope is {self.scope}; expected scope speaker "
                "too, or batch_norm train"
            )
        return self


class AugmentationSettings(Settings):
    """What is done to training segments only."""

    specaugment: Annotated[bool, Choice((False, True))] = False
    """Mask random bands of frequencies and frames (Park et al. 2019, arXiv 1904.08779)."""
    masks: Annotated[int, Field(ge=1, le=10)] = 2
    """SpecAugment: number of masks along time, and as many along frequency."""
    frequency_mask: Annotated[float, Field(gt=0, le=0.5)] = 0.15
    """SpecAugment: largest width of a frequency mask, as a fraction of the bands."""
    time_mask: Annotated[float, Field(gt=0, le=0.5)] = 0.15
    """SpecAugment: largest width of a time mask, as a fraction of T."""
    mixup: Annotated[bool, Choice((False, True))] = False
    """Train on convex combinations of two segments and their labels (Zhang et al. 2018, arXiv 1710.09412)."""
    mixup_alpha: Annotated[float, Field(gt=0, le=10)] = 0.2
    """Mixup: both parameters of the beta distribution that the weight is drawn from."""
    mixup_per_sample: bool = False
    """Mixup: draw a weight for every segment of a batch, instead of one for all."""
    mixup_dominant: bool = False
    """Mixup: a weight λ becomes max(λ, 1 - λ), so that a mixture is mostly its first segment (as in MixMatch, Berthelot
    et al. 2019, arXiv 1905.02249)."""


class PerturbationSettings(Settings):
    """Copies of the training speakers' recordings that sound a little different.

    Ko et al. 2015, Interspeech, 3586-3589. Validation, test and all statistics know clean speech only; segments of a
    copy are scaled as their clean utterance is. What a copy undergoes is drawn from the speech itself, whatever the
    trial's seed: networks of all seeds hear the same copies.
    """

    copies: Annotated[int, Field(ge=0, le=10)] = 0
    """Perturbed copies of every training utterance, extracted once and cached. An epoch reads every utterance once, as
    itself or as one of its copies, each as likely: the number of optimiser steps does not depend on copies. 0 trains on
    clean speech alone, whatever else this section says."""
    time_stretch: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest relative change of speed at the same pitch, by a phase vocoder (Flanagan & Golden 1966, BSTJ 45(9)); 0
    switches it off."""
    pitch_semitones: Annotated[float, Field(ge=0, le=12)] = 0.0
    """Largest shift of pitch, and of all other frequencies with it, at the same speed (Salamon & Bello 2017, arXiv
    1608.04363); 0 switches it off."""
    vocal_tract: Annotated[float, Field(ge=0, le=0.3)] = 0.0
    """Largest relative change of the formants' frequencies: vocal tract length perturbation (Jaitly & Hinton 2013, ICML
    workshop, who take 0.1) of the spectral envelope, which leaves the pitch; 0 switches it off."""
    reverberation_s: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Longest time in which sound decays by 60 dB, at least 0.2 s, in shoebox rooms of drawn sizes, speakers and
    microphones (image sources: Allen & Berkley 1979, JASA 65(4); as augmentation Ko et al. 2017, ICASSP); 0 switches it
    off."""
    noise_snr_db: Annotated[float, Field(ge=-20, le=100)] | None = None
    """Lowest signal-to-noise ratio of added noise whose colour is drawn between white and Brownian (power density 1 to
    1/f²: Timmer & König 1995, A&A 300); none adds no noise."""
    noise_snr_highest_db: Annotated[float, Field(ge=-20, le=100)] = 30.0
    """Highest signal-to-noise ratio of added noise; a copy's is drawn between both."""
    gain_db: Annotated[float, Field(ge=0, le=60)] = 0.0
    """Largest change of level; 0 switches it off. It does nothing to features that are relative to the utterance's
    maximum: of the built-in ones, all but the noisy channel of lognrevspec."""
    stability: Annotated[float, Field(ge=0, le=1000), Role.DESCENT] = 0.0
    """Weight of stability training (Zheng et al. 2016, arXiv 1604.04326): the divergence KL(clean || copy) between what
    the network says of a clean segment and of the same segment of one copy is added to the loss of the clean segment.
    Copies then have no other part in training; what augments a segment augments its copy alike. Batch norm takes the
    statistics of clean segments and of copies apart, and judges by those of clean ones. 0 switches it off."""

    @model_validator(mode="after")
    def _goes_together(self) -> "PerturbationSettings":
        quiet = not (self.time_stretch or self.pitch_semitones or self.vocal_tract or self.gain_db)
        if self.copies and quiet and not self.reverberation_s and self.noise_snr_db is None:
            raise ValueError(
                f"perturbation.copies is {self.copies}, but nothing perturbs them; set another perturbation, such as "
                "perturbation.pitch_semitones, or leave copies 0"
            )
        if 0 < self.reverberation_s < SHORTEST_REVERBERATION_S:
            raise ValueError(
                f"perturbation.reverberation_s is {self.reverberation_s:g}; expected 0, or at least "
                f"{SHORTEST_REVERBERATION_S:g}, with which the driest room is drawn"
            )
        if self.noise_snr_db is not None and self.noise_snr_db > self.noise_snr_highest_db:
            raise ValueError(
                f"perturbation.noise_snr_db is {self.noise_snr_db:g}; expected at most "
                f"perturbation.noise_snr_highest_db, {self.noise_snr_highest_db:g}"
            )
        if self.stability and not self.copies:
            raise ValueError(
                f"perturbation.stability is {self.stability:g}, but perturbation.copies is 0; expected at least 1 copy"
            )
        if self.stability and self.time_stretch:
            raise ValueError(
                f"perturbation.stability is {self.stability:g} with perturbation.time_stretch {self.time_stretch:g}, "
                "but frames of stretched copies are not those of the clean speech; leave one of them 0"
            )
        return self


class OptimizerSettings(Settings):
    """The gradient descent."""

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    """Adam, AdamW (decoupled weight decay), or SGD with Nesterov momentum."""
    learning_rate: Annotated[float, Field(gt=0, le=1), FloatRange(low=1e-4, high=1e-2, log=True)] = 1e-3
    """Step size; with a schedule, its peak."""
    weight_decay: Annotated[float, Field(ge=0, le=1), FloatRange(low=1e-6, high=1e-1, log=True)] = 1e-4
    """L2 penalty, or decoupled decay with AdamW. Biases and batch norms are left out."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """SGD's momentum, and Adam's first coefficient."""


OPTIMIZER_DEFAULTS: Mapping[str, Mapping[str, Value]] = {"sgd": {"optimizer.learning_rate": 3e-2}}
"""Defaults that go with an optimizer, instead of the settings' and the architectures'."""
L2_PENALTY = FloatRange(low=1e-6, high=1e-2, log=True)
OPTIMIZER_RANGES: Mapping[str, Mapping[str, Range]] = {
    "adam": {"optimizer.weight_decay": L2_PENALTY},
    "sgd": {
        "optimizer.learning_rate": FloatRange(low=3e-3, high=3e-1, log=True),
        "optimizer.weight_decay": L2_PENALTY,
    },
}
"""Default search ranges that go with an optimizer, likewise: rates and penalties are of another size than AdamW's."""


SELECTIONS_OF_BEFORE = {
    "best_validation_uar": "best_validation_score",
    "smoothed_validation_uar": "smoothed_validation_score",
}
"""Names of version 0.1 for ways to select an epoch, each with the present name."""


class TrainingSettings(Settings):
    """The training of one fold's network."""

    epochs: Annotated[int, Field(ge=1, le=1000), Role.DESCENT] = 12
    """Passes over the training speakers, at most."""
    batch_size: Annotated[int, Field(ge=2, le=1024), Role.DESCENT] = 32
    """Segments in one step."""
    sampling: Annotated[Literal["shuffle", "oversample"], Role.DESCENT] = "shuffle"
    """Which segments an epoch reads: shuffle, each once; oversample, as many, drawn with replacement so that all
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
    """Which epoch's network a fold keeps: the last, or that of the best validation score by the first of
    study.objectives (of equal ones, the least loss), of the least validation loss, or of the best mean score over an
    epoch and the two before it (fewer at the start; of equal ones, the least mean loss). The score is the kept epoch's
    own. The fold's test speakers have no say in it. One validation speaker is a poor judge of epochs: the last of a
    schedule that ends at 0 did better on others. What ends on _uar, as version 0.1 called it, is read as _score."""
    averaging: Annotated[Literal["none", "ema", "swa"], Role.DESCENT] = "none"
    """Judge and keep an average of the weights instead of the last step's: ema, an exponential moving average over
    the steps (Polyak, Juditsky 1992, SIAM J. Control Optim. 30(4)), or swa, the mean of epoch-end weights (Izmailov et
    al. 2018, arXiv 1803.05407). Batch norm's statistics are measured again over the training segments."""
    ema_decay: Annotated[float, Field(ge=0, lt=1), Role.DESCENT] = 0.999
    """EMA: what the average keeps of itself at every step. After n steps it keeps (1 + n) / (10 + n) at most, so that
    the first random weights are soon forgotten."""
    swa_start: Annotated[float, Field(ge=0, lt=1), Role.DESCENT] = 0.75
    """SWA: fraction of `epochs` after which weights are averaged. Earlier epochs are kept only if none later comes, and
    patience does not count them. A constant schedule suits it: where the rate falls to 0, weights hardly differ."""
    precision: Annotated[Literal["auto", "float32", "bfloat16"], Role.FIXED, Role.CIRCUMSTANCE] = "auto"
    """Arithmetic of training; auto measures on this device. Evaluation is always float32, on CUDA without TF32."""
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], Role.FIXED, Role.CIRCUMSTANCE] = "auto"
    """Where to train; auto takes CUDA, then MPS, then the CPU."""
    threads: Annotated[Annotated[int, Field(ge=1, le=1024)] | Literal["auto"], Role.FIXED, Role.CIRCUMSTANCE] = "auto"
    """CPU threads that train a fold. Another number rounds sums otherwise. auto shares out the cores; a study keeps the
    number that it started with."""

    @field_validator("selection", mode="before")
    @classmethod
    def _score_of_any_metric(cls, written: Any) -> Any:  # noqa: ANN401 - anything a YAML file can hold
        return SELECTIONS_OF_BEFORE.get(written, written) if isinstance(written, str) else written

    @model_validator(mode="after")
    def _one_warmup(self) -> "TrainingSettings":
        if self.warmup and self.schedule == "one_cycle":
            raise ValueError(
                f"training.warmup is {self.warmup:g}, but training.schedule one_cycle has a warm-up of its own; leave "
                "warmup 0, or make schedule constant or cosine"
            )
        return self


ModelT = TypeVar("ModelT", bound=ModelSettings, covariant=True)
FeatureT = TypeVar("FeatureT", bound=FeatureSettings, covariant=True)
LossT = TypeVar("LossT", bound=LossSettings, covariant=True)
TaskT = TypeVar("TaskT", bound=TaskSettings, covariant=True)


class TrialConfig(Settings, Generic[ModelT, FeatureT, LossT]):
    """Everything that decides how a trial's networks come to be."""

    model: ModelT
    features: FeatureT
    segments: SegmentSettings = SegmentSettings()
    normalisation: NormalisationSettings = NormalisationSettings()
    augmentation: Annotated[AugmentationSettings, Role.DESCENT] = AugmentationSettings()
    perturbation: PerturbationSettings = PerturbationSettings()
    loss: Annotated[LossT, Role.DESCENT]
    optimizer: Annotated[OptimizerSettings, Role.DESCENT] = OptimizerSettings()
    training: TrainingSettings = TrainingSettings()
    seed: Annotated[int, Field(ge=0, lt=2**31), Role.FIXED] = 0
    """Where every random number of a trial comes from."""

    @model_validator(mode="after")
    def _copies_have_the_segments_of_clean_speech(self) -> Self:
        if self.perturbation.stability and self.segments.crop == "random":
            raise ValueError(
                f"perturbation.stability is {self.perturbation.stability:g} with segments.crop random, but a segment "
                "and its copy must start at the same frame; set segments.crop=fixed, or leave stability 0"
            )
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the components' classes and the values: a generic class with its parameters cannot be imported."""
        generic = type(self).__pydantic_generic_metadata__
        return _restored, (generic["origin"], generic["args"], self.model_dump())


def _restored(generic: Any, parameters: tuple[type, ...], values: dict[str, Any]) -> Settings:  # noqa: ANN401
    """Undo `TrialConfig.__reduce__`."""
    restored: Settings = generic[parameters].model_validate(values)
    return restored
