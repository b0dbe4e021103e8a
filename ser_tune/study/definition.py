"""Putting a study together from layers: defaults (general, architecture, corpus, features), a study file, flags.

Later layers win. What a study file, a flag or a corpus's own defaults set is fixed; the other settings that have a
default search range are searched, unless the study file says what to search.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, cast

import torch
import yaml

from ..architectures import ARCHITECTURES, Architecture
from ..config import (
    OPTIMIZER_DEFAULTS,
    OPTIMIZER_RANGES,
    FeatureSettings,
    Leaf,
    LossSettings,
    ModelSettings,
    Range,
    StudyConfig,
    TrialConfig,
    Value,
    flatten,
    leaves,
    nest,
    parse_range,
    validated,
)
from ..corpora import CORPORA
from ..errors import ConfigError
from ..features import FEATURE_SETS
from ..training import LOSSES, AnyTrial, recipe_of
from .search import resolve_search

__all__ = ["AnyStudy", "StudyDefinition", "define_study", "options"]

REPLACED_PRUNERS, REPLACED_SETTINGS = {"wilcoxon", "median"}, {"median_trials", "warmup_folds"}
"""Of studies that version 0.1 stored: they go on with racing, against the trials that they complete from then on."""

# Text, because pydantic takes 0.3 s to make a class that nobody is an object of
AnyStudy: TypeAlias = "StudyConfig[ModelSettings, FeatureSettings, LossSettings]"


@dataclass(frozen=True, slots=True)
class StudyDefinition:
    """A study, fully resolved."""

    config: AnyStudy
    search: Mapping[str, Range]
    """What varies: dotted path to range; everything else stays as `config` has it."""

    def as_json(self) -> str:
        """Everything, as text that `from_json` reads."""
        search = {
            path: {key: value for key, value in asdict(span).items() if (key, value) != ("step", 1)}
            for path, span in self.search.items()
        }
        return json.dumps({"config": self.config.model_dump(mode="json", exclude={"search"}), "search": search})

    @classmethod
    def from_json(cls, text: str) -> "StudyDefinition":
        """Read what `as_json` wrote."""
        written = json.loads(text)
        settings = written["config"]["study"]
        if settings["pruner"] in REPLACED_PRUNERS:
            settings["pruner"] = "racing"
        for name in REPLACED_SETTINGS & set(settings):
            del settings[name]
        config = validated(_study_kind(written["config"]), written["config"], lambda _: "the stored study")
        return cls(config=config, search={path: parse_range(path, span) for path, span in written["search"].items()})

    def differences(self, other: "StudyDefinition") -> list[str]:
        """How another definition differs, a sentence for each setting."""
        now, then = (flatten(json.loads(one.as_json())) for one in (self, other))
        return [
            f"{path.removeprefix('config.')} is {now.get(path)!r}, not {then.get(path)!r}"
            for path in sorted(set(now) | set(then))
            if now.get(path) != then.get(path)
        ]

    @property
    def name(self) -> str:
        """The study's name: given, or made of what it studies."""
        config = self.config
        return config.name or f"{config.corpus.name}-{config.model.name}-{config.features.name}"

    def with_data(self, data: Path | None) -> "StudyDefinition":
        """The same study of a corpus that lies elsewhere now; None is where it was."""
        if data is None:
            return self
        corpus = self.config.corpus.model_copy(update={"data": data})
        return StudyDefinition(config=self.config.model_copy(update={"corpus": corpus}), search=self.search)

    def resolved(self, cache: Path) -> "StudyDefinition":
        """The same study with nothing left open that features depend on: a pretrained encoder's digest and arithmetic.

        Args:
            cache: The project's cache folder.

        Raises:
            ConfigError: The encoder cannot be found, or is another than it was.
        """
        pretrained = FEATURE_SETS.get(self.config.features.name).pretrained
        if pretrained is None:
            return self
        features = pretrained.resolve(self.config.features, cache)
        return StudyDefinition(config=self.config.model_copy(update={"features": features}), search=self.search)

    def without_search(self) -> "StudyDefinition":
        """The one configuration, as a study of a single trial; unless named, it is named by its content."""
        digest = hashlib.sha256(self.config.model_dump_json(exclude={"study", "search"}).encode()).hexdigest()[:8]
        settings = self.config.study.model_copy(update={"trials": 1})
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
        _, kind = _kinds(self.config.model.name, self.config.features.name, self.config.loss.name)
        return validated(kind, nest(flat), lambda path: f"trial with {path}")

    def published(self) -> dict[str, Value]:
        """The values of trial 0 for what varies: the published configuration, where the search can propose it."""
        flat = flatten(self.config.model_dump())
        return {path: flat[path] for path, span in self.search.items() if span.contains(flat[path])}

    def network_bytes(self, config: AnyTrial, n_classes: int) -> int:
        """Bytes of one network's weights, without allocating them.

        Raises:
            ConfigError: The architecture cannot be built for such segments.
        """
        labels = tuple(map(str, range(n_classes)))
        with torch.device("meta"):
            network = recipe_of(config, labels, self.config.protocol.aggregation).build_network()
        return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())

    def largest_network_bytes(self, n_classes: int) -> int:
        """Bytes of the largest network in the search: every corner of what varies, and the corners' maxima together.

        Raises:
            ConfigError: A corner of the search cannot be built.
        """
        corners = [{path: corner} for path, span in self.search.items() for corner in span.corners()]
        sizes = [self.network_bytes(self.trial(corner), n_classes) for corner in [{}, *corners]]
        numeric = {
            path: max(corner for corner in span.corners() if isinstance(corner, int | float))
            for path, span in self.search.items()
            if all(isinstance(corner, int | float) for corner in span.corners())
        }
        return max([*sizes, self.network_bytes(self.trial(numeric), n_classes)])


def define_study(
    file: Path | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    assignments: Sequence[str] = (),
    option: str = "--set",
) -> StudyDefinition:
    """Resolve a study.

    Args:
        file: A study file, YAML.
        flags: Dotted path to value, from named options; None values are not given. They win over the file.
        assignments: `path=value` texts. They win over both.
        option: Where the assignments were written, as messages name it.

    Raises:
        ConfigError: A file cannot be read, a key is unknown, a value or range is invalid.
    """
    written, search = _read(file) if file else ({}, None)
    given = {path: value for path, value in (flags or {}).items() if value is not None}
    for text in assignments:
        given |= _assignment(text, option)
    explicit = written | given
    if "model.name" not in explicit:
        valid = ", ".join(ARCHITECTURES.names())
        raise ConfigError(f"no architecture given; pass --model NAME or a study file; choose from: {valid}")

    architecture = ARCHITECTURES.get(str(explicit["model.name"]))
    corpus = CORPORA.get(str(explicit.get("corpus.name", "demo")))
    feature_name = explicit.get("features.name", architecture.defaults.get("features.name", "logmelspec"))
    labels = {
        "model.name": architecture.name,
        "features.name": feature_name,
        "loss.name": explicit.get("loss.name", "cross_entropy"),
    }
    kind = _study_kind(nest(labels))
    optimizer = str(explicit.get("optimizer.name", architecture.defaults.get("optimizer.name", "adamw")))
    known = {leaf.path: leaf for leaf in _leaves(kind, architecture, optimizer)}
    for path in explicit:
        if not architecture.takes(path):
            raise ConfigError(
                f"{path} is a setting of gradient descent; {architecture.name} is solved, and does without it"
            )
    feature_set = FEATURE_SETS.get(str(feature_name))
    # Features have the last word: a corpus's length of segments is meant for spectrograms
    own_rates = OPTIMIZER_DEFAULTS.get(optimizer, {})
    defaults = {**architecture.defaults, **own_rates, **corpus.defaults, **feature_set.defaults}
    presets = {path: value for path, value in defaults.items() if path in known}
    explicit = {path: _none(value, known.get(path)) for path, value in explicit.items()}
    implied = _implied(architecture, explicit)

    def source(path: str) -> str:
        inside = any(f"{one}.".startswith(f"{path}.") for one in given)
        return f"{option} or a flag" if inside else str(file or "the settings")

    sections = nest(labels | presets | implied | explicit)
    sections["search"] = search
    config = validated(kind, sections, source)
    # A corpus's own settings hold against a study file that is about no corpus in particular
    own = set() if "corpus.name" in written else set(corpus.defaults) - set(written)
    ranges = resolve_search(
        search,
        known,
        fixed=set(given) | own | set(_implied(architecture, given)),
        explicit=set(explicit) | set(feature_set.defaults) | set(corpus.defaults) | set(implied),
        build=StudyDefinition(config=config, search={}).trial,
        source=str(file or "the settings"),
    )
    return StudyDefinition(config=config, search=ranges)


def _leaves(kind: type[AnyStudy], architecture: Architecture, optimizer: str) -> list[Leaf]:
    """Every setting, with the search range that it has for this architecture and optimizer."""
    ranges = {**architecture.search, **OPTIMIZER_RANGES.get(optimizer, {})}
    return [
        replace(leaf, search=ranges.get(leaf.path, leaf.search))
        for leaf in leaves(kind)
        if architecture.takes(leaf.path)
    ]


def _study_kind(sections: Mapping[str, Any]) -> "type[AnyStudy]":
    """The settings class of a study with the components that these sections name."""
    return _kinds(str(sections["model"]["name"]), str(sections["features"]["name"]), str(sections["loss"]["name"]))[0]


@cache  # pydantic forgets a class that nobody holds, and takes tens of milliseconds to make it again
def _kinds(model: str, features: str, loss: str) -> "tuple[type[AnyStudy], type[AnyTrial]]":
    """The settings classes of a study and of a trial with these components."""
    parts = (ARCHITECTURES.get(model).settings, FEATURE_SETS.get(features).settings, LOSSES.get(loss).settings)
    return (
        cast("type[AnyStudy]", StudyConfig.__class_getitem__(parts)),
        cast("type[AnyTrial]", TrialConfig.__class_getitem__(parts)),
    )


def options(model: str, features: str | None = None, loss: str = "cross_entropy") -> list[Leaf]:
    """Every setting of a study with this architecture, with the defaults that it would have.

    Raises:
        UnknownNameError: A component does not exist.
    """
    architecture = ARCHITECTURES.get(model)
    flags: dict[str, object] = {"model.name": model, "features.name": features, "corpus.name": "emodb"}
    flags |= {"loss.name": loss} if architecture.takes("loss.name") else {}
    config = define_study(flags=flags).config
    flat = flatten(config.model_dump())
    described = _leaves(type(config), architecture, config.optimizer.name)
    return [leaf if leaf.path == "corpus.name" else replace(leaf, default=flat[leaf.path]) for leaf in described]


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Range] | None]:
    """A study file's settings by dotted path, and its search section."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"study file '{file}' does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"study file '{file}' cannot be read: {error}") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise ConfigError(f"study file '{file}'{line} is not YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(content, Mapping):
        held = "is empty" if content is None else f"holds {type(content).__name__}"
        raise ConfigError(f"study file '{file}' {held}; expected settings such as 'model:'")
    content = dict(content)
    search = content.pop("search", None)
    if search is not None and not isinstance(search, Mapping):
        raise ConfigError(f"{file}: search is {search!r}; expected dotted paths with ranges")
    try:
        ranges = None if search is None else {str(path): parse_range(str(path), span) for path, span in search.items()}
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None
    return flatten(content), ranges


def _implied(architecture: Architecture, written: Mapping[str, object]) -> dict[str, Value]:
    """Dotted path to value of what settings of the model say of its others."""
    own = {path.removeprefix("model."): value for path, value in written.items() if path.startswith("model.")}
    return {f"model.{name}": value for name, value in architecture.settings.implied(own).items()}


def _assignment(text: str, option: str) -> dict[str, object]:
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not path:
        raise ConfigError(f"{option} '{text}' is not an assignment; expected path=value, such as training.epochs=20")
    if path.split(".")[0] == "search":
        raise ConfigError(f"{option} '{text}' is a range; ranges stand in the search section of a study file")
    try:
        return flatten({path: yaml.safe_load(value)})
    except yaml.YAMLError as error:
        raise ConfigError(f"{option} '{text}' has no YAML value: {getattr(error, 'problem', error)}") from None


def _none(value: object, leaf: Leaf | None) -> object:
    """`none` as users write it where a setting may be absent."""
    return None if value == "none" and leaf is not None and leaf.type_name.endswith("or none") else value
