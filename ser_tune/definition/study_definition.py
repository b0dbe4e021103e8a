"""A study, fully resolved: its settings, and what varies."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, cast

from ..architectures import ARCHITECTURES
from ..config import (
    FeatureSettings,
    LossSettings,
    ModelSettings,
    Range,
    Role,
    SearchSettings,
    StudyConfig,
    TaskSettings,
    TrialConfig,
    Value,
    flatten,
    nest,
    parse_range,
    paths_with,
    validated,
)
from ..encoders import CheckpointSettings, digest_of
from ..errors import ConfigError, brief, valid_names
from ..features import FEATURE_SETS
from ..metrics import METRICS, Metric
from ..tasks import DEFAULT_TASK, TASKS, Goal, Task
from ..training import LOSSES, AnyTrial
from .differences import Difference, differences_of

__all__ = ["AnyStudy", "StudyDefinition", "metrics_of", "refuse_unfitting", "study_kind"]

REPLACED_PRUNERS, REPLACED_SETTINGS = {"wilcoxon", "median"}, {"median_trials", "warmup_folds"}
"""Of studies that version 0.1 stored: they go on with racing, against the trials that they complete from then on."""

# Text, because pydantic takes 0.3 s to make a class that nobody is an object of
AnyStudy: TypeAlias = "StudyConfig[ModelSettings, FeatureSettings, LossSettings, TaskSettings]"


@dataclass(frozen=True, slots=True)
class StudyDefinition:
    """A study, fully resolved."""

    config: AnyStudy
    search: Mapping[str, Range]
    """What varies: dotted path to range; everything else stays as `config` has it."""
    published: Mapping[str, Value] = field(default_factory=dict)
    """Where the architecture's published configuration, as far as the user's settings allow it, is another than
    `config`: dotted path to value."""
    folders: tuple[Path, ...] = ()
    """Beside its own folder, where the recordings of the corpus's table may lie; the user allowed them."""

    def as_json(self) -> str:
        """Everything but where folds are trained, as text that `from_json` reads."""
        search = {
            path: {key: value for key, value in asdict(span).items() if (key, value) != ("step", 1)}
            for path, span in self.search.items()
        }
        unstored: dict[str, Any] = {"search": True, "study": set(paths_with(Role.PER_CALL, SearchSettings))}
        config = self.config.model_dump(mode="json", exclude=unstored)
        folders = {"folders": [str(folder) for folder in self.folders]} if self.folders else {}
        return json.dumps({"config": config, "search": search, "published": dict(self.published), **folders})

    @classmethod
    def from_json(cls, text: str) -> "StudyDefinition":
        """Read what `as_json` wrote."""
        written = json.loads(text)
        _migrate(written["config"])
        config = validated(study_kind(written["config"]), written["config"], lambda _: "the stored study")
        search = {path: parse_range(path, span) for path, span in written["search"].items()}
        # Version 0.1 had nothing published
        folders = tuple(map(Path, written.get("folders", ())))
        return cls(config=config, search=search, published=written.get("published", {}), folders=folders)

    def differences(self, other: "StudyDefinition", *, but: Role | None = None) -> list[Difference]:
        """The settings and search ranges that another definition has not, or has otherwise.

        Args:
            other: The other definition.
            but: Settings of this role are left out.
        """
        left_out = set[str]() if but is None else self.paths_with(but) | other.paths_with(but)
        return [one for one in differences_of(self._flat(), other._flat()) if one.path not in left_out]

    def paths_with(self, role: Role) -> frozenset[str]:
        """The dotted paths of the study's settings that have a role."""
        return paths_with(role, type(self.config))

    def _flat(self) -> dict[str, object]:
        """Settings by dotted path, and ranges by `search.` and theirs."""
        written = json.loads(self.as_json())  # what is published follows from the rest
        return {**flatten(written["config"]), **flatten(written["search"], "search.")}

    @property
    def name(self) -> str:
        """The study's name: given, or made of what it studies."""
        config = self.config
        return config.name or f"{config.corpus.name}-{config.model.name}-{config.features.name}"

    @property
    def task(self) -> Task:
        """What is recognised."""
        return TASKS.get(self.config.task.name)

    @property
    def goal(self) -> Goal:
        """What the study's networks are trained for: the task, and the metrics, of which the first is the objective."""
        return Goal(self.task.name, self.config.protocol.aggregation, metrics_of(self.task, self.objectives))

    @property
    def objectives(self) -> tuple[str, ...]:
        """The names of the metrics that decide; the first is the primary one."""
        return self.config.study.objectives or self.task.metrics[:1]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is computed of predictions; the first is the objective."""
        return tuple(map(METRICS.get, self.goal.metrics))

    @property
    def objective(self) -> Metric:
        """What ranks trials, selects epochs and promotes."""
        return self.metrics[0]

    def with_data(self, data: Path | None) -> "StudyDefinition":
        """The same study of a corpus that lies elsewhere now; None is where it was."""
        if data is None:
            return self
        corpus = self.config.corpus.model_copy(update={"data": data})
        return replace(self, config=self.config.model_copy(update={"corpus": corpus}))

    def resolved(self, cache: Path) -> "StudyDefinition":
        """The same study with nothing left open that trials depend on: a pretrained encoder's digest and arithmetic.

        Args:
            cache: The project's cache folder.

        Raises:
            ConfigError: The encoder cannot be found, or is another than it was.
        """
        model, features = self.config.model, self.config.features
        if isinstance(model, CheckpointSettings) and model.digest is None:
            model = model.model_copy(update={"digest": digest_of(model.folder)})
        update = {"model": model, "features": FEATURE_SETS.get(features.name).resolve(features, cache)}
        return replace(self, config=self.config.model_copy(update=update))

    def without_search(self) -> "StudyDefinition":
        """The one configuration, as a study of a single trial; unless named, it is named by its content."""
        # A setting that is not used is left out, so that a configuration keeps the name that it had before
        unused: dict[str, Any] = {} if self.config.corpus.names_as_written else {"corpus": {"names_as_written"}}
        if self.config.task.model_dump() == {"name": DEFAULT_TASK}:
            unused["task"] = True
        written = self.config.model_dump_json(exclude={"study": True, "search": True, **unused})
        digest = hashlib.sha256(written.encode()).hexdigest()[:8]
        settings = self.config.study.model_copy(update={"trials": 1, "warm_start": ()})
        update = {"name": self.config.name or f"{self.name}-{digest}", "study": settings, "search": {}}
        return StudyDefinition(config=self.config.model_copy(update=update), search={})

    def trial(self, sampled: Mapping[str, Value], *, seed: int | None = None) -> AnyTrial:
        """The concrete configuration of one trial.

        Args:
            sampled: Dotted path to value, for what varies.
            seed: The trial's own seed; None keeps the study's.

        Raises:
            ConfigError: The values do not go together.
        """
        sections = self.config.model_dump(include=set(TrialConfig.model_fields))
        flat = flatten(sections) | dict(sampled)
        if seed is not None:
            flat["seed"] = seed
        config = self.config
        _, kind = _kinds(config.model.name, config.features.name, config.loss.name, config.task.name)
        return validated(kind, nest(flat), lambda path: f"trial with {path}")

    def default(self) -> dict[str, Value]:
        """The values of `config` for what varies, or the nearest in the search ranges."""
        return self.within({})[0]

    def first_trials(self) -> list[dict[str, Value]]:
        """The values of the trials that the search starts with: of the published configuration, then of the default.

        Where nothing is published, there is only the second.
        """
        default = self.default()
        return [default | dict(self.published), default] if self.published else [default]

    def within(self, values: Mapping[str, Value]) -> tuple[dict[str, Value], dict[str, Value]]:
        """Tell values that the search can propose from those that it cannot.

        Args:
            values: Dotted path to value.

        Returns:
            A value for everything that varies, the nearest in its range; and the values that are not among them.
        """
        flat = flatten(self.config.model_dump()) | dict(values)
        proposed = {
            path: flat[path] if span.contains(flat[path]) else span.nearest(flat[path])
            for path, span in self.search.items()
        }
        return proposed, {path: one for path, one in values.items() if path not in proposed or proposed[path] != one}

    def out_of_range(self) -> list[Difference]:
        """Where the default trial is not the configuration, because a search range excludes its value."""
        values, flat = self.default(), flatten(self.config.model_dump())
        return differences_of(values, {path: flat[path] for path in values})


def metrics_of(task: Task, objectives: Sequence[str]) -> tuple[str, ...]:
    """The names of all that is computed of predictions: the objectives, then the task's other metrics."""
    return tuple(dict.fromkeys((*objectives, *task.metrics)))


def refuse_unfitting(config: AnyStudy) -> None:
    """Raise where a study's parts do not go together: its task with its architecture, loss, metric or aggregation.

    Raises:
        ConfigError: As said.
        UnknownNameError: There is no such metric.
    """
    task, architecture = TASKS.get(config.task.name), ARCHITECTURES.get(config.model.name)
    if architecture.solve is not None and task.predictions not in architecture.solves:
        raise ConfigError(
            f"{architecture.name} is solved, and its solver learns {' or '.join(architecture.solves)}; task "
            f"{task.name} has {task.predictions}"
        )
    if (loss := LOSSES.get(config.loss.name)).targets != task.encoding:
        fitting = [one for one in LOSSES.names() if LOSSES.get(one).targets == task.encoding]
        raise ConfigError(
            f"loss.name is {loss.name}, which compares {loss.targets}; task {task.name} has {task.encoding}: choose "
            f"from {', '.join(fitting)}"
        )
    for metric in map(METRICS.get, config.study.objectives):
        if metric.predictions != task.predictions:
            fitting = [one for one in METRICS.names() if METRICS.get(one).predictions == task.predictions]
            raise ConfigError(
                f"study.objectives has {metric.name}, which is of {metric.predictions}; task {task.name} predicts "
                f"{task.predictions}: choose from {', '.join(fitting)}"
            )
    if config.protocol.aggregation not in task.aggregations:
        raise ConfigError(
            f"protocol.aggregation is {brief(config.protocol.aggregation)}; task {task.name} has "
            f"{valid_names(config.protocol.aggregation, task.aggregations)}"
        )


def _migrate(written: dict[str, Any]) -> None:
    """Replace what version 0.1 stored of pruning, and add the task, of which it had one."""
    written.setdefault("task", {"name": DEFAULT_TASK})
    settings = written["study"]
    if settings["pruner"] in REPLACED_PRUNERS:
        settings["pruner"] = "racing"
    for name in REPLACED_SETTINGS & set(settings):
        del settings[name]


def study_kind(sections: Mapping[str, Any]) -> "type[AnyStudy]":
    """The settings class of a study with the components that these sections name."""
    model, features, loss, task = (str(sections[one]["name"]) for one in ("model", "features", "loss", "task"))
    return _kinds(model, features, loss, task)[0]


@cache  # pydantic forgets a class that nobody holds, and takes tens of milliseconds to make it again
def _kinds(model: str, features: str, loss: str, task: str) -> "tuple[type[AnyStudy], type[AnyTrial]]":
    """The settings classes of a study and of a trial with these components."""
    parts = (ARCHITECTURES.get(model).settings, FEATURE_SETS.get(features).settings, LOSSES.get(loss).settings)
    return (
        cast("type[AnyStudy]", StudyConfig.__class_getitem__((*parts, TASKS.get(task).settings))),
        cast("type[AnyTrial]", TrialConfig.__class_getitem__(parts)),
    )
