"""Published numbers that readers compare with, and the studies that reproduce them."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from ..config import Project
from ..errors import ConfigError, UnknownNameError
from ..metrics import METRICS, Metric
from ..search import SHIPPED

__all__ = ["PUBLISHED", "Form", "Published", "published_study", "reproduced_metric"]

Form: TypeAlias = Literal["pooled", "fold mean", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A number of the literature. Fractions, not percentages."""

    who: str
    corpus: str
    task: str
    """Task of the corpus, or the task nearest to the publication's."""
    source: str
    protocol: str
    """As its authors describe it."""
    uar: float | None = None
    uar_std: float | None = None
    wa: float | None = None
    wa_std: float | None = None
    classes: int
    """Number of emotions."""
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
        return {"uar": (self.uar, self.uar_std), "wa": (self.wa, self.wa_std)}.get(metric, (None, None))


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
