"""The settings classes of studies and trials, made of the settings of their components."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias, cast

from ..architectures import ARCHITECTURES
from ..config import (
    AnyTrial,
    FeatureSettings,
    LossSettings,
    ModelSettings,
    Settings,
    StudyConfig,
    TaskSettings,
    TrialConfig,
)
from ..features import FEATURE_SETS
from ..tasks import TASKS
from ..training import LOSSES

__all__ = ["AnyStudy", "study_kind", "trial_kind"]

# Text, because pydantic takes 0.3 s to make a class that nobody is an object of
AnyStudy: TypeAlias = "StudyConfig[ModelSettings, FeatureSettings, LossSettings, TaskSettings]"


def study_kind(sections: Mapping[str, Any]) -> "type[AnyStudy]":
    """The settings class of a study with the components that these sections name."""
    model, features, loss, task = (str(sections[part]["name"]) for part in ("model", "features", "loss", "task"))
    return _study_kind(model, features, loss, task)


@cache  # pydantic forgets a class that nobody holds, and takes tens of milliseconds to make it again
def _study_kind(model: str, features: str, loss: str, task: str) -> "type[AnyStudy]":
    parts = (*_settings_of(model, features, loss), TASKS.get(task).settings)
    return cast("type[AnyStudy]", StudyConfig.__class_getitem__(parts))


@cache
def trial_kind(model: str, features: str, loss: str) -> "type[AnyTrial]":
    """The settings class of a trial with these components."""
    return cast("type[AnyTrial]", TrialConfig.__class_getitem__(_settings_of(model, features, loss)))


def _settings_of(model: str, features: str, loss: str) -> tuple[type[Settings], ...]:
    return (ARCHITECTURES.get(model).settings, FEATURE_SETS.get(features).settings, LOSSES.get(loss).settings)
