"""Putting a study together from layers: general defaults, the architecture's, the corpus's, a study file, flags.

Later layers win. What a study file, a flag or a corpus's own defaults set is fixed; the other settings that have a
default search range are searched, unless the study file says what to search.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import torch
import yaml

from ..architectures import ARCHITECTURES, Architecture, InputShape
from ..config import (
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
from ..training import LOSSES, AnyTrial

__all__ = ["AnyStudy", "StudyDefinition", "define_study", "options"]

AnyStudy: TypeAlias = StudyConfig[ModelSettings, FeatureSettings, LossSettings]

PROTOCOL_PATHS = ("normalisation.scope", "training.selection")
"""Settings of a trial that change what its score means; searching them would rank unlike numbers together."""
NOT_SEARCHED = ("model.name", "features.name", "loss.name", "training.device", "training.precision", "seed")


@dataclass(frozen=True, slots=True)
class StudyDefinition:
    """A study, fully resolved."""

    config: AnyStudy
    search: Mapping[str, Range]
    """What varies: dotted path to range; everything else stays as `config` has it."""

    def as_json(self) -> str:
        """Everything, as text that `from_json` reads."""
        search = {path: asdict(span) for path, span in self.search.items()}
        return json.dumps({"config": self.config.model_dump(mode="json", exclude={"search"}), "search": search})

    @classmethod
    def from_json(cls, text: str) -> "StudyDefinition":
        """Read what `as_json` wrote."""
        written = json.loads(text)
        config = validated(_study_kind(written["config"]), written["config"], lambda _: "the stored study")
        return cls(config=config, search={path: parse_range(path, span) for path, span in written["search"].items()})

    @property
    def name(self) -> str:
        """The study's name: given, or made of what it studies."""
        config = self.config
        return config.name or f"{config.corpus.name}-{config.model.name}-{config.features.name}"

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
        parts = (type(self.config.model), type(self.config.features), type(self.config.loss))
        kind = cast("type[AnyTrial]", TrialConfig.__class_getitem__(parts))
        return validated(kind, nest(flat), lambda path: f"trial with {path}")

    def published(self) -> dict[str, Value]:
        """The values of trial 0 for what varies: the published configuration, where the search can propose it."""
        flat = flatten(self.config.model_dump())
        return {path: flat[path] for path, span in self.search.items() if span.contains(flat[path])}

    def input_shape(self, config: AnyTrial) -> InputShape:
        """The shape of the segments that a trial's networks see."""
        feature_set = FEATURE_SETS.get(config.features.name)
        return InputShape(feature_set.channels, feature_set.bands(config.features), config.segments.frames)

    def network_bytes(self, config: AnyTrial, n_classes: int) -> int:
        """Bytes of one network's weights, without allocating them.

        Raises:
            ConfigError: The architecture cannot be built for such segments.
        """
        with torch.device("meta"):
            network = ARCHITECTURES.get(config.model.name).build(config.model, self.input_shape(config), n_classes)
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
    file: Path | None = None, *, flags: Mapping[str, object] | None = None, assignments: Sequence[str] = ()
) -> StudyDefinition:
    """Resolve a study.

    Args:
        file: A study file, YAML.
        flags: Dotted path to value, from named options; None values are not given. They win over the file.
        assignments: `path=value` texts from `--set`. They win over both.

    Raises:
        ConfigError: A file cannot be read, a key is unknown, a value or range is invalid.
    """
    written, search = _read(file) if file else ({}, None)
    given = {path: value for path, value in (flags or {}).items() if value is not None}
    given |= dict(_assignment(text) for text in assignments)
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
    known = {leaf.path: leaf for leaf in _leaves(kind, architecture)}
    presets = {path: value for path, value in {**architecture.defaults, **corpus.defaults}.items() if path in known}
    explicit = {path: _none(value, known.get(path)) for path, value in explicit.items()}

    def source(path: str) -> str:
        return "--set or a flag" if path in given else str(file or "the settings")

    sections = nest(labels | presets | explicit)
    sections["search"] = search
    config = validated(kind, sections, source)
    definition = StudyDefinition(
        config=config, search=_effective_search(config, known, set(explicit) | set(corpus.defaults), set(given))
    )
    _check_search(definition, known, str(file or "the settings"))
    return definition


def _leaves(kind: type[AnyStudy], architecture: Architecture) -> list[Leaf]:
    """Every setting, with the search range that it has for this architecture."""
    return [replace(leaf, search=architecture.search.get(leaf.path, leaf.search)) for leaf in leaves(kind)]


def _study_kind(sections: Mapping[str, Any]) -> "type[AnyStudy]":
    """The settings class of a study with the components that these sections name."""
    parts = (
        ARCHITECTURES.get(str(sections["model"]["name"])).settings,
        FEATURE_SETS.get(str(sections["features"]["name"])).settings,
        LOSSES.get(str(sections["loss"]["name"])).settings,
    )
    return cast("type[AnyStudy]", StudyConfig.__class_getitem__(parts))


def options(model: str, features: str | None = None, loss: str = "cross_entropy") -> list[Leaf]:
    """Every setting of a study with this architecture, with the defaults that it would have.

    Raises:
        UnknownNameError: A component does not exist.
    """
    flags = {"model.name": model, "features.name": features, "loss.name": loss, "corpus.name": "emodb"}
    config = define_study(flags=flags).config
    flat = flatten(config.model_dump())
    described = _leaves(type(config), ARCHITECTURES.get(model))
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
        raise ConfigError(f"study file '{file}' holds {type(content).__name__}; expected settings such as 'model:'")
    content = dict(content)
    search = content.pop("search", None)
    if search is not None and not isinstance(search, Mapping):
        raise ConfigError(f"{file}: search is {search!r}; expected dotted paths with ranges")
    try:
        ranges = None if search is None else {str(path): parse_range(str(path), span) for path, span in search.items()}
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None
    return flatten(content), ranges


def _assignment(text: str) -> tuple[str, object]:
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise ConfigError(f"--set '{text}' is not an assignment; expected path=value, such as training.epochs=20")
    return path.strip(), yaml.safe_load(value)


def _none(value: object, leaf: Leaf | None) -> object:
    """`none` as users write it where a setting may be absent."""
    return None if value == "none" and leaf is not None and leaf.type_name.endswith("or none") else value


def _effective_search(
    config: AnyStudy, known: Mapping[str, Leaf], explicit: set[str], given: set[str]
) -> dict[str, Range]:
    """What varies: the file's search section, or all default ranges but for what is fixed."""
    if config.search is not None:
        return {path: span for path, span in config.search.items() if path not in given}
    return {leaf.path: leaf.search for leaf in known.values() if leaf.search is not None and leaf.path not in explicit}


def _check_search(definition: StudyDefinition, known: Mapping[str, Leaf], source: str) -> None:
    """Every searched path exists in a trial, and every corner of its range is a valid value."""
    searchable = {leaf.path for leaf in leaves(TrialConfig)} | {
        path for path in known if path.split(".")[0] in ("model", "features", "loss")
    }
    for path, span in definition.search.items():
        if path in PROTOCOL_PATHS:
            raise ConfigError(
                f"{source}: search.{path} would rank scores of different protocols together; run one study for each"
            )
        if path not in searchable or path in NOT_SEARCHED:
            raise ConfigError(f"{source}: search.{path} cannot be searched; see `ser-tune options` for the paths")
        for corner in span.corners():
            try:
                definition.trial({path: corner})
            except ConfigError as error:
                raise ConfigError(f"{source}: search.{path} includes {corner!r}: {error}") from None
