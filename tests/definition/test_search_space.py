"""What may be searched, and that every range is checked before trial 0."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import Choice, FloatRange, IntRange, Range
from ser_tune.corpora import CORPORA
from ser_tune.errors import ConfigError
from ser_tune.search import define_study

Resolve = Callable[..., dict[str, Range]]


@pytest.fixture
def resolve(tmp_path: Path) -> Resolve:
    """What a study searches whose search section has these lines."""

    def _resolve(*lines: str, model: str = "3d_acrnn", **flags: object) -> dict[str, Range]:
        file = tmp_path / "study.yaml"
        file.write_text("\n  ".join(["corpus: {name: manifest}\nsearch:", *lines]), encoding="utf-8")
        given = {"model.name": model} | flags  # manifest: a corpus without settings of its own
        return dict(define_study(file, flags=given).search)

    return _resolve


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nosuch.path: [1]", "search.nosuch.path cannot be searched; see `ser-tune options`"),
        ("normalisation.scope: [train, utterance]", "search.* would rank scores of different protocols together"),
        ("training.selection: [last]", "search.* would rank scores of different protocols together"),
        ("training.patience: [0, 5]", "search.* would rank scores of different protocols together"),
        ("protocol.folds: [3, 5]", "search.protocol.folds cannot be searched"),
        ("protocol.aggregation: [mean_probability]", "search.protocol.aggregation cannot be searched"),
        ("protocol.holdout: [a, b]", "search.protocol.holdout cannot be searched"),
        ("protocol.fold_limit: {low: 1, high: 3}", "search.protocol.fold_limit cannot be searched"),
        ("protocol.merge: [none]", "search.protocol.merge cannot be searched"),
        ("corpus.name: [demo, emodb]", "search.corpus.name cannot be searched"),
        ("corpus.task: [improvised, merged]", "search.corpus.task cannot be searched"),
        ("study.promotion: [better, always]", "search.study.promotion cannot be searched"),
        ("study.trials: [3]", "search.study.trials cannot be searched"),
        ("features.name: [logspec]", "search.features.name cannot be searched"),
        ("training.device: [cpu]", "search.training.device cannot be searched"),
        ("seed: [1, 2]", "search.seed cannot be searched"),
        ("model.dropout: {low: 0.0, high: 1.5}", "search.model.dropout includes 1.5: .*less than 1"),
        ("model.dropout: {low: .nan, high: 0.5}", "search.model.dropout includes nan"),
        ("model.dropout: 3", "search.model.dropout is 3; expected a list of choices"),
        ("model.dropout: []", r"search.model.dropout is \[\]"),
        ("optimizer.name: [adam, lion]", "search.optimizer.name includes 'lion'"),
        ("training.epochs: {low: 5.5, high: 10}", "search.training.epochs is 5.5 … 10; expected whole numbers"),
        ("training.epochs: [5, 5.5]", "search.training.epochs includes 5.5"),
    ],
)
def test_a_bad_search_section_is_refused_and_the_file_named(resolve: Resolve, line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"study\.yaml: {message}"):
        resolve(line)


def test_two_ranges_whose_ends_do_not_go_together_are_refused(resolve: Resolve, tmp_path: Path) -> None:
    # Each alone goes with the other's default
    lines = ("model.width: [0.5, 1.0]", f"model.weights: [none, {tmp_path / 'weights.pt'}]")
    with pytest.raises(ConfigError, match=r"search.model.width includes 0.5, which does not go with .*weights"):
        resolve(*lines, model="alex_net")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["alex_net", "fcn_attention", "fcn_gap"])
def test_with_pretrained_weights_the_width_does_not_vary(resolve: Resolve, model: str) -> None:
    # Whatever a corpus wants it to be
    for corpus in CORPORA.names():
        flags = {"model.name": model, "corpus.name": corpus, "model.weights": "imagenet"}
        assert define_study(flags=flags).config.model.width == 1
    # Where a study file varies it, what is given wins over it
    searched = ("model.width: [0.5, 1.0]", "training.epochs: [5, 6]")
    assert set(resolve(*searched, model=model)) == {"model.width", "training.epochs"}
    assert set(resolve(*searched, model=model, **{"model.weights": "file.pth"})) == {"training.epochs"}


def test_a_study_file_that_wants_pretrained_weights_of_other_widths_is_refused(resolve: Resolve) -> None:
    lines = ("model.width: [0.5, 1.0]", "model: {weights: file.pth}")
    with pytest.raises(ConfigError, match=r"search.model.width includes 0.5: .*must be 1 with model.weights file.pth"):
        resolve(lines[0] + "\n" + lines[1], model="fcn_gap")


def test_whole_numbers_are_a_range_of_real_ones_where_the_setting_is_real(resolve: Resolve) -> None:
    assert resolve("model.width: {low: 1, high: 2}") == {"model.width": FloatRange(low=1.0, high=2.0)}


def test_real_numbers_are_a_range_of_whole_ones_where_the_setting_is_whole(resolve: Resolve) -> None:
    # YAML 1.1 reads 1e1 as text
    assert resolve("training.epochs: {low: 5.0, high: 1e1}") == {"training.epochs": IntRange(low=5, high=10)}


def test_choices_become_numbers_where_the_setting_is_one(resolve: Resolve) -> None:
    expected = {"optimizer.learning_rate": Choice((1e-4, 1e-3)), "training.epochs": Choice((5, 6))}
    assert resolve("optimizer.learning_rate: [1e-4, 1e-3]", "training.epochs: ['5', 6]") == expected


def test_steps_and_logarithms_are_kept(resolve: Resolve) -> None:
    expected = {"segments.frames": IntRange(100, 300, step=50), "training.batch_size": IntRange(4, 64, log=True)}
    assert (
        resolve(
            "segments.frames: {low: 100, high: 300, step: 50}", "training.batch_size: {low: 4, high: 64, log: true}"
        )
        == expected
    )


@pytest.mark.slow
def test_every_default_range_is_valid_for_every_architecture_and_corpus() -> None:
    for model in ARCHITECTURES.names():
        for corpus in CORPORA.names():
            assert define_study(flags={"model.name": model, "corpus.name": corpus}).search


@pytest.mark.parametrize(
    ("task", "objectives"),
    [
        ("classification", ("ridge", "squared_hinge", "logistic")),
        ("distribution", ("logistic", "ridge")),
        ("multilabel", ("logistic", "ridge", "squared_hinge")),
        ("dimensions", ("ridge", "unscaled_ridge")),
    ],
)
def test_objectives_that_a_task_does_not_allow_are_not_searched(task: str, objectives: tuple[str, ...]) -> None:
    flags = {"model.name": "linear_probe", "corpus.name": "demo", "task.name": task}
    definition = define_study(flags=flags)
    assert definition.search["model.objective"] == Choice(objectives)
    assert definition.default()["model.objective"] == objectives[0]


@pytest.mark.parametrize(
    ("task", "objective", "valid"),
    [
        ("classification", "unscaled_ridge", "ridge, squared_hinge, logistic"),
        ("distribution", "squared_hinge", "logistic, ridge"),
        ("dimensions", "logistic", "ridge, unscaled_ridge"),
    ],
)
def test_an_objective_that_a_task_does_not_allow_is_refused(
    resolve: Resolve, task: str, objective: str, valid: str
) -> None:
    message = f"model.objective is '{objective}'; for task {task} choose from {valid}$"
    flags = {"model.name": "linear_probe", "corpus.name": "demo", "task.name": task}
    with pytest.raises(ConfigError, match=f"^{message}"):
        define_study(flags=flags, settings={"model.objective": objective})
    with pytest.raises(ConfigError, match=f"search.model.objective includes '{objective}': {message}"):
        resolve(f"model.objective: [ridge, {objective}]", **flags)
    definition = define_study(flags=flags)
    with pytest.raises(ConfigError, match=f"^{message}"):
        definition.trial({"model.objective": objective})
