"""Settings of a network's input: segments, normalisation, augmentation, perturbed copies."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Settings
from .ranges import Choice, IntRange
from .roles import Role

__all__ = [
    "SHORTEST_REVERBERATION_S",
    "TOGETHER",
    "AugmentationSettings",
    "NormalisationSettings",
    "PerturbationSettings",
    "SegmentSettings",
]

SHORTEST_REVERBERATION_S = 0.2
"""Reverberation of the driest room that is drawn; for less, walls of the largest would have to take in all sound."""


TOGETHER = ("speaker", "corpus")
"""Scopes of a normalisation by which a registered model normalises all recordings of one call together."""


class SegmentSettings(Settings):
    """The cut of an utterance into segments of equal length, or none."""

    frames: Annotated[Annotated[int, Field(ge=16, le=3000)] | None, IntRange(low=150, high=400, step=50)] = 300
    """Length T of a segment in frames; a shorter utterance, or its last block, is padded to T. none: every utterance
    is one segment of its own length, which only some architectures take; one too short for them is padded."""
    hop_frames: Annotated[int, Field(ge=1, le=3000)] | None = None
    """Step between training segments in frames; none means T, no overlap."""
    evaluation_hop_frames: Annotated[int, Field(ge=1, le=3000)] | None = None
    """Step between the segments that validation, test and prediction read; none means T, no overlap."""
    padding: Literal["zero", "edge", "floor", "wrap"] = "zero"
    """Fill of a short segment: zeros, the last frame, the utterance's minimum, or the utterance again."""
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
    """The scaling of features, per channel and frequency."""

    kind: Literal["standard", "minmax", "none"] = "standard"
    """Zero mean and unit deviation, or the range 0 to 1; none leaves features as they are, as waveforms must be."""
    scope: Annotated[Literal["train", "utterance", "speaker", "corpus"], Role.PROTOCOL] = "train"
    """Frames that give the statistics: the training speakers', the utterance's own, the speaker's own, or in a union
    those of the training speakers of the utterance's own corpus. `speaker` uses all of a speaker's recordings and is
    therefore transductive. So is `corpus` for a corpus without training speakers, whose statistics are those of all its
    recordings, and for a registered model, whose statistics are those of the recordings of one call."""
    batch_norm: Literal["train", "speaker"] = "train"
    """Segments that give batch norm's statistics in evaluation: the training speakers', or mostly the judged
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
    """Augmentation of training segments."""

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
    """Mixup: draw a weight for every segment of a batch, instead of a single weight."""
    mixup_dominant: bool = False
    """Mixup: a weight λ becomes max(λ, 1 - λ), so that a mixture is mostly its first segment (as in MixMatch, Berthelot
    et al. 2019, arXiv 1905.02249)."""


class PerturbationSettings(Settings):
    """Copies of the training speakers' recordings that sound a little different.

    Ko et al. 2015, Interspeech, 3586-3589. Validation and test use clean speech only, and statistics do unless
    `statistics` is all; segments of a copy are scaled as their clean utterance is. A copy's perturbation is drawn from
    the speech itself, whatever the trial's seed: networks of all seeds train on the same copies.
    """

    copies: Annotated[int, Field(ge=0, le=10)] = 0
    """Perturbed copies of every training utterance, extracted once and cached. An epoch reads every utterance once, as
    itself or as one of its copies, each as likely: the number of optimiser steps does not depend on copies. 0 trains on
    clean speech alone, whatever the rest of this section."""
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
    """Longest time in which sound decays by 60 dB, at least 0.2 s, in rooms that are drawn (as augmentation Ko et al.
    2017, ICASSP); 0 switches it off."""
    rooms: Annotated[Literal["shoebox", "diffuse"], Role.ADDED] = "shoebox"
    """Rooms of copies: shoebox, image sources in rooms of drawn sizes, speakers and microphones (Allen & Berkley 1979,
    JASA 65(4)), as those of `evaluate --stress` are; diffuse, noise that decays, by statistics (Polack 1988, thesis, Le
    Mans), with a drawn distance to the microphone."""
    noise_snr_db: Annotated[float, Field(ge=-20, le=100)] | None = None
    """Lowest signal-to-noise ratio of added noise; none adds no noise."""
    noise: Annotated[Literal["coloured", "varied"], Role.ADDED] = "coloured"
    """Noise of copies: coloured, a colour drawn between white and Brownian (power density 1 to 1/f²: Timmer & König
    1995, A&A 300); varied, noise of a drawn kind that `evaluate --stress` does not have: modulated, blue to violet,
    of a band, harmonic, in bursts, or reversed speech."""
    noise_snr_highest_db: Annotated[float, Field(ge=-20, le=100)] = 30.0
    """Highest signal-to-noise ratio of added noise; a copy's is drawn between both."""
    gain_db: Annotated[float, Field(ge=0, le=60)] = 0.0
    """Largest change of level; 0 switches it off. It does nothing to features that are relative to the utterance's
    maximum: of the built-in ones, all but the noisy channel of lognrevspec."""
    saturation_db: Annotated[float, Field(ge=0, le=40), Role.ADDED] = 0.0
    """Largest drive of an amplifier that saturates; 0 switches it off."""
    band_hz: Annotated[Annotated[float, Field(ge=1000, le=7000)] | None, Role.ADDED] = None
    """Lowest upper edge of a drawn band-pass, whose lower edge is drawn from 30 to 500 Hz; none filters nothing."""
    codecs: Annotated[bool, Role.ADDED] = False
    """Whether copies go through a speech codec, drawn from G.711, G.721 and other ADPCM at 8 kHz, which `evaluate
    --stress` does not have."""
    bits: Annotated[Annotated[int, Field(ge=3, le=12)] | None, Role.ADDED] = None
    """Fewest bits that a copy is rounded to, of up to 12, as a recording that is far too quiet; none rounds nothing."""
    probability: Annotated[float, Field(gt=0, le=1), Role.ADDED] = 1.0
    """Probability with which each of these perturbations is applied to a copy of an utterance."""
    statistics: Annotated[Literal["clean", "all"], Role.ADDED] = "clean"
    """Utterances that give the statistics of normalisation: clean, the training speakers' recordings; all, these and
    their copies, for the scopes train and corpus."""
    stability: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Weight of stability training (Zheng et al. 2016, arXiv 1604.04326): the divergence KL(clean || copy) between the
    network's outputs for a clean segment and for the same segment of one copy is added to the loss of the clean
    segment. Copies then have no other part in training; what augments a segment augments its copy alike. Batch norm
    takes the statistics of clean segments and of copies apart, and judges by those of clean ones. A solver adds the
    squared difference of the scores, which is to its loss as this weight. 0 switches it off."""

    @model_validator(mode="after")
    def _goes_together(self) -> "PerturbationSettings":
        of_voice = self.time_stretch or self.pitch_semitones or self.vocal_tract
        of_recorder = self.gain_db or self.saturation_db or self.band_hz or self.codecs or self.bits
        if self.copies and not (of_voice or of_recorder or self.reverberation_s) and self.noise_snr_db is None:
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
