"""Assembly of a study from layers: defaults (general, architecture, corpus, features), a study file, flags.

Later layers win. A setting of a study file, a flag or a corpus's own defaults is fixed; the other settings that have a
default search range are searched, unless the study file has a search section.
"""

from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..architectures import ARCHITECTURES, Architecture
from ..components import Catalogue
from ..config import (
    OPTIMIZER_DEFAULTS,
    OPTIMIZER_RANGES,
    UNION,
    CorpusPart,
    Leaf,
    Range,
    Role,
    Value,
    flatten,
    label_of,
    leaves,
    nest,
    parse_range,
    read_yaml,
    validated,
)
from ..corpora import CORPORA
from ..definition import AnyStudy, StudyDefinition, refuse_unfitting, resolve_search, study_kind
from ..errors import ConfigError, brief, valid_names
from ..execution import EXECUTORS
from ..features import FEATURE_SETS
from ..promotion_rules import PROMOTION_RULES
from ..tasks import DEFAULT_TASK, TASKS, Task
from ..training import LOSSES
from .pruners import PRUNERS
from .samplers import SAMPLERS
from .several_objectives import refuse_unable
from .short_paths import with_whole_paths

__all__ = ["PARTS", "SHIPPED", "define_study", "options", "read_assignments", "shipped"]

SHIPPED = next(
    (folder for up in (1, 2) if (folder := Path(__file__).parents[up] / "studies").is_dir()),
    Path(__file__).parents[1] / "studies",
)
"""The study files that come with the program: inside an installed package, beside that of a checkout."""
PARTS: Mapping[str, Catalogue[Any]] = {
    "sampler": SAMPLERS,
    "pruner": PRUNERS,
    "promotion": PROMOTION_RULES,
    "executor": EXECUTORS,
}
"""The catalogue of every search setting that names a component."""
AGGREGATION = "protocol.aggregation"
"""The setting that names one of the task's ways to combine segments."""


def define_study(
    file: Path | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    settings: Mapping[str, object] | None = None,
    option: str = "--set",
) -> StudyDefinition:
    """Resolve a study.

    Args:
        file: A study file, YAML; where it does not exist, the shipped one of that name below `studies/`.
        flags: Dotted path to value, from named options; None values are not given. They win over the file.
        settings: Dotted path to value. They win over both.
        option: The option that the settings were written in, for messages.

    Raises:
        ConfigError: A file cannot be read, a key is unknown, a value or range is invalid.
    """
    written, search = _read(shipped(file)) if file else ({}, None)
    given = _given(written, flags or {}, settings or {}, option)
    explicit = written | given
    if explicit.get("corpus.union"):
        explicit.setdefault("corpus.name", UNION)
    layers = _layers(explicit)
    explicit = {path: _none(value, layers.known.get(path)) for path, value in explicit.items()}
    implied = _implied(layers.architecture, explicit)

    def source(path: str) -> str:
        leaf = layers.known.get(path)
        if path in (flags or {}) and path not in (settings or {}) and leaf is not None and leaf.flag is not None:
            return leaf.flag.option
        inside = any(f"{own}.".startswith(f"{path}.") for own in given)
        return f"{option} or a flag" if inside else str(file or "the settings")

    sections = nest(layers.labels | layers.presets | implied | explicit | _called(explicit))
    config = validated(layers.kind, sections | {"search": search}, source)
    for name, catalogue in PARTS.items():
        catalogue.check(getattr(config.study, name))
    refuse_unfitting(config)
    refuse_unable(config.study)
    # A corpus's own settings hold against a study file that is about no corpus in particular
    own = set() if "corpus.name" in written else layers.of_corpus - set(written)
    settled = set(explicit) | set(implied) | layers.of_features | layers.of_corpus
    ranges = resolve_search(
        search,
        layers.known,
        fixed=set(given) | own | set(_implied(layers.architecture, given)),
        explicit=settled,
        build=StudyDefinition(config=config, search={}).trial,
        source=str(file or "the settings"),
    )
    definition = StudyDefinition(config=config, search=ranges)
    unset = layers.known.keys() - settled - definition.paths_with(Role.PROTOCOL)
    return replace(definition, published=_published(layers.architecture, definition, unset, set(explicit)))


def _given(
    written: Mapping[str, object], flags: Mapping[str, object], settings: Mapping[str, object], option: str
) -> dict[str, object]:
    """Flags and settings together, by whole paths; settings win."""
    given = {path: value for path, value in flags.items() if value is not None} | flatten(settings)
    for path in given:
        if path.split(".")[0] == "search":
            where = "ranges belong in the search section of a study file"
            raise ConfigError(f"{option} '{path}' is a range; expected one value ({where})")
    if any("." not in path for path in given):
        return with_whole_paths(given, _layers({**written, **given}).kind, option)
    return given


@dataclass(frozen=True, slots=True)
class _Layers:
    """The components that a study's settings name, and the defaults that these bring."""

    architecture: Architecture
    kind: type[AnyStudy]
    labels: dict[str, object]
    """Dotted path to the name of each component."""
    known: Mapping[str, Leaf]
    """Every setting, with its search range for this architecture and optimizer."""
    presets: dict[str, object]
    """Defaults of the components, by dotted path."""
    of_corpus: Set[str]
    """Settings that the corpus has defaults for."""
    of_features: Set[str]


def _layers(explicit: Mapping[str, object]) -> _Layers:
    if "model.name" not in explicit:
        valid = ", ".join(ARCHITECTURES.names())
        raise ConfigError(f"no architecture given; pass --model NAME or a study file; choose from: {valid}")
    architecture = ARCHITECTURES.get(str(explicit["model.name"]))
    of_corpus = _of_corpus(explicit)
    task = TASKS.get(str(explicit.get("task.name", of_corpus.get("task.name", DEFAULT_TASK))))
    feature_name = explicit.get("features.name", architecture.defaults.get("features.name", "logmelspec"))
    labels = {
        "model.name": architecture.name,
        "features.name": feature_name,
        "loss.name": explicit.get("loss.name", task.loss),
        "task.name": task.name,
    }
    kind = study_kind(nest(labels))
    optimizer = str(explicit.get("optimizer.name", architecture.defaults.get("optimizer.name", "adamw")))
    known = {leaf.path: leaf for leaf in _leaves(kind, architecture, optimizer, task)}
    for path in explicit:
        if path in architecture.unused(kind):
            raise ConfigError(
                f"{path} is a setting of gradient descent; {architecture.name} is solved, and does without it"
            )
    feature_set = FEATURE_SETS.get(str(feature_name))
    # Features have the last word: a corpus's length of segments is meant for spectrograms
    defaults: dict[str, object] = {
        AGGREGATION: task.aggregations[0],
        **architecture.defaults,
        **{path: allowed.choices[0] for path, allowed in architecture.restricted.get(task.predictions, {}).items()},
        **OPTIMIZER_DEFAULTS.get(optimizer, {}),
        **of_corpus,
        **feature_set.defaults,
    }
    presets = {path: value for path, value in defaults.items() if path in known}
    return _Layers(architecture, kind, labels, known, presets, set(of_corpus), set(feature_set.defaults))


def _of_corpus(explicit: Mapping[str, object]) -> Mapping[str, Value]:
    """The settings that a corpus has defaults for; a union has none. Unknown corpora and tasks are refused early."""
    label = explicit.get("corpus.task")
    if isinstance(written := explicit.get("corpus.union"), list | tuple) and written:
        for part in (CorpusPart.read(str(text)) for text in written):
            CORPORA.get(part.name).subset(part.task)
        return {}
    if (name := str(explicit.get("corpus.name", "demo"))) == UNION:
        return {}
    corpus = CORPORA.get(name)
    if isinstance(label, str) and label != "none":
        corpus.subset(label)  # before a checkpoint is looked for
    return corpus.defaults_of(label)


def _called(explicit: Mapping[str, object]) -> dict[str, object]:
    """The label of a table of the user's, by the name of its file; none where a label or no file is given."""
    name, data = explicit.get("corpus.name"), explicit.get("corpus.data")
    if explicit.get("corpus.label") is not None or not isinstance(data, str | Path):
        return {}
    label = label_of(str(name), Path(data))
    return {} if label == name else {"corpus.label": label}


def _published(
    architecture: Architecture, definition: StudyDefinition, unset: Set[str], explicit: Set[str]
) -> dict[str, Value]:
    """Differences of the published configuration, as far as the user's settings allow it, from the default.

    Args:
        architecture: The published one.
        definition: The study, without it.
        unset: Settings of a trial that neither the user nor the corpus nor the features set.
        explicit: Settings of the user.
    """
    flat, default = flatten(definition.config.model_dump()), definition.default()
    # Another optimizer has other rates, another front end other windows
    changed = {path for path, value in architecture.published.items() if path in explicit and flat.get(path) != value}
    replaced = {path.split(".")[0] for path in changed if path.startswith("features.") or path.endswith(".name")}
    taken: dict[str, Value] = {}
    for path, value in architecture.published.items():
        if path in unset and path.split(".")[0] not in replaced and flat[path] != value:
            with suppress(ConfigError):  # it does not go with what the user set
                definition.trial(default | taken | {path: value})
                taken[path] = value
    return taken


def _leaves(kind: type[AnyStudy], architecture: Architecture, optimizer: str, task: Task) -> list[Leaf]:
    """Every setting, with the search range that it has for this architecture, task and optimizer."""
    restricted = architecture.restricted.get(task.predictions, {})
    ranges = {**architecture.search, **restricted, **OPTIMIZER_RANGES.get(optimizer, {})}
    names = {f"study.{name}": catalogue.names() for name, catalogue in PARTS.items()} | {AGGREGATION: task.aggregations}
    unused, found = architecture.unused(kind), []
    for leaf in leaves(kind):
        if leaf.path in names:
            leaf = replace(leaf, type_name=" | ".join(names[leaf.path]))
        if leaf.path in ranges:
            leaf = replace(leaf, search=ranges[leaf.path])
        if leaf.path not in unused:
            found.append(leaf)
    return found


def options(model: str, features: str | None = None, *, loss: str | None = None, task: str | None = None) -> list[Leaf]:
    """Every setting of a study with this architecture, with the defaults that it would have.

    Args:
        model: The architecture.
        features: The feature set; None is the architecture's own.
        loss: The loss, with the first task that it fits; None is the task's own, as of solved architectures.
        task: The recognition task; None is the default. A task that the architecture does not solve is left out.

    Raises:
        UnknownNameError: A component does not exist.
    """
    architecture = ARCHITECTURES.get(model)
    flags: dict[str, object] = {"model.name": model, "features.name": features, "corpus.name": "emodb"}
    if architecture.solve is None and loss is not None:
        targets = LOSSES.get(loss).targets
        fitting = (name for name in TASKS.names() if TASKS.get(name).encoding == targets)
        flags |= {"loss.name": loss, "task.name": next(fitting, None)}
    if task is not None and (architecture.solve is None or TASKS.get(task).predictions in architecture.solves):
        flags["task.name"] = task
    given = {path: value for path, value in flags.items() if value is not None}
    layers = _layers(given)
    sections = nest(layers.labels | layers.presets | _implied(architecture, given) | given)
    defaults = flatten(sections) | {"corpus.name": layers.known["corpus.name"].default}
    return [
        replace(leaf, default=defaults[leaf.path]) if leaf.path in defaults else leaf for leaf in layers.known.values()
    ]


def shipped(file: Path) -> Path:
    """The file, or where it does not exist and its name is `studies/…`, the file that comes with the program."""
    first, *rest = file.parts or ("",)
    ours = SHIPPED.joinpath(*rest)
    return ours if first == "studies" and not file.exists() and ours.is_file() else file


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Range] | None]:
    """A study file's settings by dotted path, and its search section."""
    try:
        content = read_yaml(file.read_text(encoding="utf-8"), f"study file '{file}' is not YAML")
    except FileNotFoundError:
        raise ConfigError(f"study file '{file}' does not exist{_instead_of(file)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"study file '{file}' cannot be read: {error}") from None
    if not isinstance(content, Mapping):
        held = "is empty" if content is None else f"holds {type(content).__name__}"
        raise ConfigError(f"study file '{file}' {held}; expected settings such as 'model:'")
    content = dict(content)
    search = content.pop("search", None)
    if search is not None and not isinstance(search, Mapping):
        raise ConfigError(f"{file}: search is {brief(search)}; expected dotted paths with ranges")
    try:
        ranges = None if search is None else {str(path): parse_range(str(path), span) for path, span in search.items()}
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None
    return flatten(content), ranges


def _instead_of(file: Path) -> str:
    """The end of a message on a study file that does not exist: what may be meant."""
    shipped = sorted(path.relative_to(SHIPPED.parent).as_posix() for path in SHIPPED.rglob(f"{file.stem}.yaml"))
    if shipped:
        return f"; did you mean {' or '.join(shipped)}?"
    return "" if file.suffix else f"; it is no architecture either: {valid_names(str(file), ARCHITECTURES.names())}"


def _implied(architecture: Architecture, written: Mapping[str, object]) -> dict[str, Value]:
    """Dotted path to value: defaults of model settings that depend on other model settings."""
    own = {path.removeprefix("model."): value for path, value in written.items() if path.startswith("model.")}
    return {f"model.{name}": value for name, value in architecture.settings.implied(own).items()}


def read_assignments(texts: Sequence[str], option: str = "--set") -> dict[str, object]:
    """Dotted path to value, of `path=value` texts; later ones win.

    Raises:
        ConfigError: A text is not an assignment.

    >>> read_assignments(["training.epochs=20", "optimizer={name: sgd}"])
    {'training.epochs': 20, 'optimizer.name': 'sgd'}
    """
    read: dict[str, object] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise ConfigError(
                f"{option} {brief(text)} is not an assignment; expected path=value, such as training.epochs=20"
            )
        read |= flatten({path.strip(): read_yaml(value, f"{option} {brief(text)} has no YAML value")})
    return read


def _none(value: object, leaf: Leaf | None) -> object:
    """`none` as users write it where a setting may be absent."""
    return None if value == "none" and leaf is not None and leaf.optional else value
