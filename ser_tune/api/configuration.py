"""Keyword arguments that define a study: settings by the names of their options."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

from .. import search
from ..errors import ConfigError
from .arguments import Argument, path_or_none

if TYPE_CHECKING:
    from ..config import CorpusSettings, Leaf
    from ..definition import StudyDefinition
    from ..project import Project

__all__ = ["ConfigurationFlags", "StudyFlags", "define", "options", "refuse_missing_corpus"]

_NAMES = ("model.name", "features.name", "loss.name", "task.name")
"""Settings that name a component, whose own settings are in the same section."""


_FOLDS_FILE = "protocol.folds_file"
"""The setting of `folds`, whose value can also be the number of folds."""


class ConfigurationFlags(TypedDict, total=False):
    """The corpus, model and folds of a configuration, and where it is trained; None is as if it were not given.

    The settings with a `Flag` in `ser_tune.config` document each.
    """

    model: str | None
    corpus: str | Sequence[str] | None
    mapping: str | None
    unlabelled: str | Path | None
    data: str | Path | None
    task: str | None
    features: str | None
    epochs: int | None
    lr: float | None
    batch_size: int | None
    seed: int | None
    name: str | None
    holdout: Sequence[str] | None
    folds: str | int | Path | None
    scheme: str | None
    test_corpus: Sequence[str] | None
    text_independent: bool
    rule: str | None
    workers: int | None
    parallel: str | None
    executor: str | None
    ray_address: str | None


class StudyFlags(ConfigurationFlags, total=False):
    """The same, and the length and the parts of the search."""

    trials: int | None
    per_gpu: int | None
    timeout: float | None
    max_failures: int | str | None
    stop_when_converged: bool
    sampler: str | None
    pruner: str | None
    warm_start: Sequence[str] | None
    keep_models: int | str | None


def define(
    file: str | Path | None,
    flags: ConfigurationFlags,
    settings: Mapping[str, object] | None,
    *,
    option: str = "--set",
) -> "StudyDefinition":
    """Resolve a study.

    Args:
        file: A study file; flags win over it.
        flags: Values of settings, by the names of their options.
        settings: Values by dotted path; they win over both.
        option: Where the settings were written, as messages name it.

    Raises:
        TypeError: There is no such flag.
        ConfigError: A file cannot be read, a key is unknown, a value or range is invalid.
    """
    from ..config import flagged_settings  # pydantic

    known = flagged_settings()
    if unknown := flags.keys() - known.keys():
        raise TypeError(f"unknown argument '{min(unknown)}'; choose from: {', '.join(sorted(known))}")
    # A switch that is off leaves the study file's value
    given = {known[name].path: None if value is False else value for name, value in flags.items()}
    if (number := str(given.get(_FOLDS_FILE))).isdecimal() and not Path(number).exists():
        given["protocol.folds"] = int(number)
        del given[_FOLDS_FILE]
    given |= _corpora(flags.get("corpus"), given)
    return search.define_study(path_or_none(file), flags=given, settings=settings or {}, option=option)


def _corpora(written: str | Sequence[str] | None, given: Mapping[str, object]) -> dict[str, object]:
    """The settings of one `--corpus` or several, in place of a study file's corpus.

    Args:
        written: `NAME[:TASK][=DATA]` of each; None where no corpus is given.
        given: Further settings, by dotted path.

    Raises:
        ConfigError: A text is not as described, or `--data` or `--task` does not go with it.
    """
    from ..config import UNION, CorpusPart  # pydantic

    texts = [] if not written else [written] if isinstance(written, str) else list(written)
    if not texts:
        return {}
    option = {"corpus.data": "--data", "corpus.task": "--task"}
    if len(texts) > 1:
        if double := [path for path in option if given.get(path) is not None]:
            raise ConfigError(
                f"{option[double[0]]} goes with a single --corpus; expected NAME[:TASK][=DATA] of each of "
                f"{', '.join(texts)}"
            )
        return {"corpus.name": UNION, "corpus.union": texts, **dict.fromkeys([*option, "corpus.label"], "none")}
    part = CorpusPart.read(texts[0])
    own = {"corpus.data": part.data, "corpus.task": part.task}
    if double := [path for path, value in own.items() if value is not None and given.get(path) is not None]:
        raise ConfigError(
            f"--corpus is {texts[0]}, and {option[double[0]]} is {given[double[0]]}; expected one of the two"
        )
    own = {path: value for path, value in own.items() if value is not None}
    alone = {"corpus.union": [], "corpus.label": "none", "corpus.mapping": given.get("corpus.mapping") or "none"}
    return {"corpus.name": part.name, **alone, **own}


def corpus_settings(
    corpus: str | Sequence[str], *, data: str | Path | None = None, task: str | None = None, mapping: str | None = None
) -> "CorpusSettings":
    """The settings of a corpus, or of a union.

    Args:
        corpus: `NAME[:TASK][=DATA]` of each.
        data: The folder or table of a single corpus.
        task: The task of a single corpus.
        mapping: The table of a union.

    Raises:
        ConfigError: They do not go together, or a union has a corpus twice.
    """
    from ..config import CorpusSettings, nest, validated  # pydantic

    given: dict[str, object] = {"corpus.data": data, "corpus.task": task, "corpus.mapping": mapping}
    flat = given | {path: None if value == "none" else value for path, value in _corpora(corpus, given).items()}
    return validated(CorpusSettings, nest(flat)["corpus"], lambda _: "--corpus")


def refuse_missing_corpus(definition: "StudyDefinition", project: "Project") -> None:
    """Refuse a corpus without its folder, or with a folder that does not exist, before slow imports.

    Raises:
        CorpusError: The folder or table is missing.
    """
    from ..config import UNION
    from ..corpora import CORPORA

    corpus = definition.config.corpus
    if corpus.name == UNION:
        return
    if corpus.data is None or not corpus.data.exists():
        CORPORA.get(corpus.name).read(corpus.data, project.cache)


def options(*, model: Annotated[str | None, Argument(completes="architectures")] = None) -> list[dict[str, str]]:
    """List every setting: path, type, bounds, default, search range, help.

    Args:
        model: Architecture, such as 3d_acrnn, whose study has the settings; default: those of all components.
    """
    from ..architectures import ARCHITECTURES
    from ..features import FEATURE_SETS
    from ..tasks import TASKS
    from ..training import LOSSES

    models = ARCHITECTURES.names() if model is None else (model,)
    features = FEATURE_SETS.names() if model is None else (None,)
    # A component's settings do not depend on the others
    variants = [search.options(models[0], features[0])]
    variants += [search.options(name, features[0]) for name in models[1:]]
    variants += [search.options(models[0], name) for name in features[1:]]
    variants += [search.options(models[0], features[0], loss=name) for name in LOSSES.names()]
    variants += [search.options(models[0], features[0], task=name) for name in TASKS.names()]
    listed: dict[str, tuple[str, Leaf]] = {}
    for leaves in variants:
        owners = {leaf.path.split(".")[0]: str(leaf.default) for leaf in leaves if leaf.path in _NAMES}
        for leaf in leaves:
            section = leaf.path.split(".")[0]
            owner = owners.get(section, "")
            if section == "features" and model is not None:
                owner = ""
            listed.setdefault(f"{owner} {leaf.path}", (owner, leaf))
    return [
        {
            "path": leaf.path,
            "for": owner,
            "type": leaf.type_name,
            "bounds": leaf.bounds,
            "default": "none" if leaf.default is None else str(leaf.default),
            "search": "" if leaf.search is None else str(leaf.search),
            "help": leaf.help,
        }
        for owner, leaf in listed.values()
    ]
