"""Published numbers that readers compare with, and the studies that reproduce them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from ..errors import ConfigError, UnknownNameError
from ..metrics import METRICS, Metric
from ..project import Project
from ..search import SHIPPED
from ..tasks import DEFAULT_TASK

__all__ = ["PUBLISHED", "Form", "Published", "published_study", "reproduced_metric"]

Form: TypeAlias = Literal["pooled", "fold mean", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A number of the literature. Fractions, not percentages."""

    who: str
    corpus: str
    task: str
    """Task of the corpus, or the task nearest to the publication's."""
    target: str = DEFAULT_TASK
    """The recognised target, as tasks are named: scores of others are never beside it."""
    source: str
    protocol: str
    """As its authors describe it."""
    uar: float | None = None
    uar_std: float | None = None
    wa: float | None = None
    wa_std: float | None = None
    macro_f1: float | None = None
    ccc: float | None = None
    """Mean over the dimensions."""
    classes: int
    """Number of emotions, or of dimensions."""
    form: Form
    """Whether the scores are pooled or means over the folds; unknown where the source does not state it."""
    label: str = ""
    """Name for `ser-tune reproduce`; empty where no study file reproduces it."""
    differs: str = ""
    """Known differences from this program's protocol for the same corpus and task."""

    @property
    def reproduced(self) -> float | None:
        """The number that a reproduction is compared with, of `reproduced_metric`."""
        return self.uar

    def score(self, metric: str) -> tuple[float | None, float | None]:
        """The number of a metric and its deviation; None where the source has none."""
        return self.scores.get(metric, (None, None))

    @property
    def scores(self) -> Mapping[str, tuple[float, float | None]]:
        """The metrics that the source has, each with its number and its deviation."""
        known = {
            "uar": (self.uar, self.uar_std),
            "wa": (self.wa, self.wa_std),
            "macro_f1": (self.macro_f1, None),
            "ccc": (self.ccc, None),
        }
        return {name: (value, deviation) for name, (value, deviation) in known.items() if value is not None}


# Deviations of 5 points and more can only be over folds, so the means beside them are over folds, too
_chen = partial(
    Published,
    source="M. Chen, X. He, J. Yang, H. Zhang, IEEE SPL 25(10), 1440-1444, 2018, Table II",
    protocol="speaker-independent, 10 folds 8/1/1, 5 seeds, epoch by validation UAR",
    form="fold mean",
)
_emobox = partial(
    Published,
    corpus="emodb",
    task="all",
    source="EmoBox, its tables",
    protocol="speaker-DEPENDENT folds",
    classes=7,
    form="unknown",
    differs="not comparable: test speakers are trained on",
)
_samsudin = partial(
    Published,
    corpus="iemocap",
    task="improvised",
    source="github.com/samsudinng/speech_emo_recognition, README",
    protocol="improvised, 4 classes, speaker-independent",
    classes=4,
    form="unknown",
)
_msp_podcast = partial(
    Published, corpus="msp_podcast", task="categorical", classes=8, form="pooled", differs="text and other data too"
)
_odyssey = partial(_msp_podcast, protocol="Odyssey 2024 challenge: official split, test set test3")
_naturalistic = partial(_msp_podcast, protocol="Interspeech 2025 challenge: official split, its own withheld test set")
_of_dimensions = {"task": "dimensions", "target": "dimensions", "classes": 3}

PUBLISHED = (
    _chen(
        who="Chen 2018, 3-D ACRNN",
        corpus="emodb",
        task="all",
        uar=0.8282,
        uar_std=0.0499,
        classes=7,
        label="chen2018",
    ),
    _chen(who="Chen 2018, 2-D ACRNN", corpus="emodb", task="all", uar=0.7938, classes=7),
    _chen(who="Chen 2018, DNN-ELM", corpus="emodb", task="all", uar=0.7156, classes=7),
    _emobox(who="EmoBox, WavLM-L frozen", uar=0.9258),
    _emobox(who="EmoBox, HuBERT-L frozen", uar=0.8981),
    _chen(
        who="Chen 2018, 3-D ACRNN",
        corpus="iemocap",
        task="improvised",
        uar=0.6474,
        uar_std=0.0544,
        classes=4,
    ),
    Published(
        who="Zhang 2019, FCN+Attention",
        corpus="iemocap",
        task="improvised",
        source="Y. Zhang, J. Du, Z. Wang, J. Zhang, Y. Tu, arXiv 1806.01506, 2019, abstract",
        protocol="improvised, 4 classes",
        uar=0.639,
        wa=0.704,
        classes=4,
        form="unknown",
        label="zhang2019",
        differs="how epochs were chosen is not stated",
    ),
    Published(
        who="NTU-SER, ACRNN in PyTorch",
        corpus="iemocap",
        task="improvised",
        source="github.com/NTU-SER/speech_utils, README",
        protocol="excitement merged; its scripts: improvised turns, one session out, its speakers take turns",
        uar=0.6599,
        uar_std=0.0951,
        wa=0.6603,
        wa_std=0.0997,
        classes=4,
        form="fold mean",
        label="ntu-ser",
        differs="excitement counts as happiness",
    ),
    _samsudin(
        who="samsudinng, AlexNet fine-tuned",
        uar=0.644,
        wa=0.740,
        differs="starts from ImageNet weights; stability training; the epoch by validation WA",
    ),
    _samsudin(
        who="samsudinng, FCN+GAP",
        uar=0.626,
        wa=0.732,
        label="fcn-gap",
        differs="starts from ImageNet weights; the epoch by validation WA",
    ),
    _odyssey(
        who="Goncalves 2024, baseline, WavLM large fine-tuned",
        source="L. Goncalves et al., Odyssey 2024; model card 3loi/SER-Odyssey-Baseline-WavLM-Categorical",
        macro_f1=0.311,
        differs="",
    ),
    _odyssey(
        who="Chen 2024, seven models, first place",
        source="M. Chen et al., Odyssey 2024, arXiv 2405.20064, abstract",
        macro_f1=0.3569,
        wa=0.3732,
    ),
    _odyssey(
        who="Härm 2024, Wav2Vec2-BERT and LLaMA2, second place",
        source="H. Härm, T. Alumäe, Odyssey 2024, abstract",
        macro_f1=0.354,
    ),
    _naturalistic(
        who="Jon 2025, MATER, fourth place",
        source="H. J. Jon et al., Interspeech 2025, arXiv 2506.19887, abstract",
        macro_f1=0.4101,
    ),
    _naturalistic(
        who="Ueda 2025, twelve models",
        source="L. H. Ueda et al., Interspeech 2025, arXiv 2505.20007, abstract",
        macro_f1=0.4094,
        wa=0.4128,
    ),
    _naturalistic(
        who="Iury 2025, graph fusion",
        source="A. Iury et al., Interspeech 2025, arXiv 2506.02088, abstract",
        macro_f1=0.3979,
    ),
    _odyssey(
        **_of_dimensions,
        who="Goncalves 2024, baseline, WavLM large fine-tuned",
        source="L. Goncalves et al., Odyssey 2024; model card 3loi/SER-Odyssey-Baseline-WavLM-Multi-Attributes",
        ccc=0.5197,
        differs="",
    ),
    _odyssey(
        **_of_dimensions,
        who="Härm 2024, Wav2Vec2-BERT and LLaMA2, sixth place",
        source="H. Härm, T. Alumäe, Odyssey 2024, abstract",
        ccc=0.5144,
    ),
    _naturalistic(
        **_of_dimensions,
        who="Jon 2025, MATER, fourth place",
        source="H. J. Jon et al., Interspeech 2025, arXiv 2506.19887, abstract",
        ccc=0.5928,
    ),
)


def reproduced_metric() -> Metric:
    """The metric by which published numbers are compared with ours."""
    return METRICS.get("uar")


def published_study(label: str, project: Project) -> tuple[Published, Path]:
    """A published number, and the study file that reproduces it; a file of the project wins over the shipped file.

    Raises:
        UnknownNameError: There is no such number.
        ConfigError: The study file is not there.
    """
    rows = {published.label: published for published in PUBLISHED if published.label}
    if label not in rows:
        raise UnknownNameError("published result", label, rows)
    places = [folder / "published" / f"{label}.yaml" for folder in (project.root / "studies", SHIPPED)]
    for place in places:
        if place.is_file():
            return rows[label], place
    raise ConfigError(f"the study file of '{label}' is neither '{places[0]}' nor '{places[1]}'")
