"""A study, fully resolved: its settings and its search ranges."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..architectures import ARCHITECTURES
from ..config import (
    AnyTrial,
    CorpusPart,
    Range,
    Role,
    SearchSettings,
    TrialConfig,
    Value,
    flatten,
    nest,
    parse_range,
    paths_with,
    validated,
)
from ..corpora import CORPORA, UNION_NEEDS
from ..encoders import CheckpointSettings, digest_of
from ..errors import ConfigError, brief, valid_names
from ..features import FEATURE_SETS
from ..metrics import Metric
from ..objectives import StudyObjective, objectives_of
from ..tasks import DEFAULT_TASK, TASKS, Goal, Task
from ..training import LOSSES
from .differences import Difference, differences_of
from .domains import refuse_unfitting_adaptation, refuse_unfitting_domains
from .kinds import AnyStudy, study_kind, trial_kind
from .plan import Plan, plan_of

__all__ = ["StudyDefinition", "metrics_of", "refuse_unfitting"]


@dataclass(frozen=True, slots=True)
class StudyDefinition:
    """A study, fully resolved."""

    config: AnyStudy
    search: Mapping[str, Range]
    """Dotted path to range; everything else stays as in `config`."""
    published: Mapping[str, Value] = field(default_factory=dict)
    """Differences of the architecture's published configuration, as far as the user's settings allow it, from `config`:
    dotted path to value."""
    folders: tuple[Path, ...] = ()
    """Folders beside the table's own in which its recordings may lie; the user allowed them."""

    def as_json(self) -> str:
        """Everything but where folds are trained, as text that `from_json` reads."""
        search = {
            path: {key: value for key, value in asdict(span).items() if (key, value) != ("step", 1)}
            for path, span in self.search.items()
        }
        per_call = set(paths_with(Role.PER_CALL, SearchSettings))
        config = self.config.model_dump(mode="json", exclude={"search": True, "study": per_call})
        folders = {"folders": [str(folder) for folder in self.folders]} if self.folders else {}
        return json.dumps({"config": config, "search": search, "published": dict(self.published), **folders})

    @classmethod
    def from_json(cls, text: str) -> "StudyDefinition":
        """Read what `as_json` wrote."""
        written = json.loads(text)
        written["config"].setdefault("task", {"name": DEFAULT_TASK})  # studies from before there were tasks
        config = validated(study_kind(written["config"]), written["config"], lambda _: "the stored study")
        search = {path: parse_range(path, span) for path, span in written["search"].items()}
        folders = tuple(map(Path, written.get("folders", ())))
        return cls(config=config, search=search, published=written["published"], folders=folders)

    def differences(self, other: "StudyDefinition", *, but: Role | None = None) -> list[Difference]:
        """The settings and search ranges that differ from another definition's, but those of a role."""
        left_out = set[str]() if but is None else self.paths_with(but) | other.paths_with(but)
        return [found for found in differences_of(self._flat(), other._flat()) if found.path not in left_out]

    def paths_with(self, role: Role) -> frozenset[str]:
        """The dotted paths of the study's settings that have a role."""
        return paths_with(role, type(self.config))

    def _flat(self) -> dict[str, object]:
        """Settings by dotted path, and ranges by `search.` and their path."""
        written = json.loads(self.as_json())  # the published values follow from the rest
        return {**flatten(written["config"]), **flatten(written["search"], "search.")}

    @property
    def name(self) -> str:
        """The study's name: given, or made of corpus, model and features, and of another target than the consensus."""
        config, label = self.config, self.config.corpus.task
        target = [] if self.task.name == DEFAULT_TASK else [label or self.task.name]
        if not target and label is not None and CORPORA.get(config.corpus.name).subset(label).by_plurality:
            target = [label]
        return config.name or "-".join([config.corpus.shown, *target, config.model.name, config.features.name])

    @property
    def task(self) -> Task:
        """The task."""
        return TASKS.get(self.config.task.name)

    @property
    def goal(self) -> Goal:
        """Task and metrics of the study's networks; the first metric is the objective."""
        return Goal(self.task.name, self.config.protocol.aggregation, metrics_of(self.task, self.ranking_metrics))

    @property
    def objectives(self) -> tuple[str, ...]:
        """The names of the study's objectives; the first, a metric, is the primary one."""
        return self.config.study.objectives or self.task.metrics[:1]

    @property
    def ranking_metrics(self) -> tuple[str, ...]:
        """The names of the objectives that are metrics of predictions, which are part of the protocol."""
        return tuple(objective.name for objective in self.study_objectives if objective.is_metric)

    @property
    def study_objectives(self) -> tuple[StudyObjective, ...]:
        """The study's objectives; the first is the primary one."""
        return objectives_of(self.objectives, self.task)

    @property
    def further(self) -> tuple[StudyObjective, ...]:
        """The objectives after the primary one; none in a study with a single objective."""
        return self.study_objectives[1:]

    @property
    def preferred(self) -> str:
        """The name of the objective by which a trial of the Pareto front is chosen; the first, where there is one."""
        return self.config.study.prefer or self.objectives[0]

    @property
    def measures(self) -> tuple[Metric, ...]:
        """Name, title, direction and range of each objective; the first is the metric `objective`."""
        return tuple(objective.measure for objective in self.study_objectives)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of predictions; the first is the objective."""
        return tuple(map(self.task.metric, self.goal.metrics))

    @property
    def objective(self) -> Metric:
        """The metric that ranks trials, selects epochs and promotes."""
        return self.metrics[0]

    @property
    def plan(self) -> Plan:
        """The trials that search and those that confirm; a solved network has the same score on every seed."""
        is_random = ARCHITECTURES.get(self.config.model.name).is_random
        return plan_of(self.config.study.trials, self.config.study.confirm if is_random else 0.0)

    def with_data(self, data: Path | None) -> "StudyDefinition":
        """The same study of a corpus that was moved; None is the old place.

        Args:
            data: The place; of a union NAME=DATA of each corpus that was moved, separated as in PATH.

        Raises:
            ConfigError: The study is of several corpora, and a text names none of them.
        """
        if data is None:
            return self
        if not self.config.corpus.union:
            return self.with_parts([replace(self.config.corpus.parts[0], data=data)])
        return self.with_parts([CorpusPart.read(text) for text in str(data).split(os.pathsep)])

    def with_parts(self, parts: Sequence[CorpusPart]) -> "StudyDefinition":
        """The same study, of whose corpora some are at another place.

        Args:
            parts: Some of the study's corpora; those that are left out stay where they were.

        Raises:
            ConfigError: The study has no such corpus.
        """
        own = self.config.corpus
        if not own.union:
            update: dict[str, object] = {"data": parts[0].data or own.data}
        else:
            moved, labels = {part.label: str(part) for part in parts}, [part.label for part in own.parts]
            if unknown := sorted(moved.keys() - set(labels)):
                raise ConfigError(
                    f"the study has no corpus '{unknown[0]}'; expected NAME=DATA of corpora that were moved, of "
                    f"{', '.join(labels)}"
                )
            update = {"union": tuple(moved.get(part.label, str(part)) for part in own.parts)}
        return replace(self, config=self.config.model_copy(update={"corpus": own.model_copy(update=update)}))

    def resolved(self, cache: Path) -> "StudyDefinition":
        """The same study with the digest and the arithmetic of its pretrained encoder; `cache` is the project's.

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
            sampled: Dotted path to value, for each search range.
            seed: The trial's own seed; None keeps the study's.

        Raises:
            ConfigError: The values do not go together.
        """
        sections = self.config.model_dump(include=set(TrialConfig.model_fields))
        flat = flatten(sections) | dict(sampled)
        if seed is not None:
            flat["seed"] = seed
        return self.stored_trial(nest(flat))

    def stored_trial(self, sections: Mapping[str, Any]) -> AnyTrial:
        """The same from all of its sections, where settings that are missing have their defaults, not the study's.

        Raises:
            ConfigError: The values do not go together.
        """
        config = self.config
        kind = trial_kind(config.model.name, config.features.name, config.loss.name)
        trial = validated(kind, sections, lambda path: f"trial with {path}")
        _refuse_restricted(trial, self.task)
        refuse_unfitting_domains(trial)
        refuse_unfitting_adaptation(trial, self.task)
        return trial

    def choices(self, path: str) -> tuple[Value, ...]:
        """The values that trials may have of a setting: its search range's corners, or the study's own value."""
        searched = self.search.get(path)
        return (flatten(self.config.model_dump())[path],) if searched is None else searched.corners()

    def default(self) -> dict[str, Value]:
        """The value of `config` for each search range, or the nearest in it."""
        return self.within({})[0]

    def first_trials(self) -> list[dict[str, Value]]:
        """The values of the published configuration, where there is one, and of the default."""
        default = self.default()
        return [default | dict(self.published), default] if self.published else [default]

    def within(self, values: Mapping[str, Value]) -> tuple[dict[str, Value], dict[str, Value]]:
        """Separate values, by dotted path, into values that the search can propose and others.

        Returns:
            A value for each search range, the nearest in it; and the values that are not among them.
        """
        flat = flatten(self.config.model_dump()) | dict(values)
        proposed = {
            path: flat[path] if span.contains(flat[path]) else span.nearest(flat[path])
            for path, span in self.search.items()
        }
        return proposed, {
            path: value for path, value in values.items() if path not in proposed or proposed[path] != value
        }

    def out_of_range(self) -> list[Difference]:
        """Differences of the default trial from the configuration, whose values the search ranges exclude."""
        values, flat = self.default(), flatten(self.config.model_dump())
        return differences_of(values, {path: flat[path] for path in values})


def metrics_of(task: Task, objectives: Sequence[str]) -> tuple[str, ...]:
    """The names of a study's metrics: the objectives, then the task's others."""
    return tuple(dict.fromkeys((*objectives, *task.metrics)))


def refuse_unfitting(config: AnyStudy) -> None:
    """Refuse a task that does not fit the architecture, loss, metric or aggregation of the study.

    Raises:
        ConfigError: A part does not support the task.
        UnknownNameError: There is no such metric.
    """
    task, architecture = TASKS.get(config.task.name), ARCHITECTURES.get(config.model.name)
    if architecture.solve is not None and task.predictions not in architecture.solves:
        raise ConfigError(
            f"{architecture.name} is solved, and its solver learns {' or '.join(architecture.solves)}; task "
            f"{task.name} has {task.predictions}"
        )
    if config.corpus.union and task.needs != UNION_NEEDS:
        raise ConfigError(f"task {task.name} needs {task.needs}, but a union of corpora has a single emotion of each")
    _refuse_restricted(config, task)
    refuse_unfitting_domains(config)
    if (loss := LOSSES.get(config.loss.name)).targets != task.encoding:
        fitting = [name for name in LOSSES.names() if LOSSES.get(name).targets == task.encoding]
        raise ConfigError(
            f"loss.name is {loss.name}, which compares {loss.targets}; task {task.name} has {task.encoding}: choose "
            f"from {', '.join(fitting)}"
        )
    refuse_unfitting_adaptation(config, task)
    if config.study.objectives:
        objectives_of(config.study.objectives, task)
    if config.protocol.aggregation not in task.aggregations:
        raise ConfigError(
            f"protocol.aggregation is {brief(config.protocol.aggregation)}; task {task.name} has "
            f"{valid_names(config.protocol.aggregation, task.aggregations)}"
        )


def _refuse_restricted(config: "AnyStudy | AnyTrial", task: Task) -> None:
    """Refuse a setting of an architecture that the task does not allow."""
    flat = flatten(config.model_dump(include={"model"}))
    for path, allowed in ARCHITECTURES.get(config.model.name).restricted.get(task.predictions, {}).items():
        if not allowed.contains(flat[path]):
            choices = ", ".join(str(choice) for choice in allowed.choices)
            raise ConfigError(f"{path} is {brief(flat[path])}; for task {task.name} choose from {choices}")
