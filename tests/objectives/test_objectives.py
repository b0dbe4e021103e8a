"""Objectives of a study: names, what their values are, and that costs do not change what a score means."""

import struct
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from torch import nn

from ser_tune.corpora import Utterance, grouped_by
from ser_tune.errors import ConfigError, StudyError
from ser_tune.features import TYPICAL_CONDITIONS, Disturbance, Scaling
from ser_tune.metrics import METRICS
from ser_tune.objectives import CompleteTrial, objectives_of
from ser_tune.objectives.macs import multiply_adds
from ser_tune.objectives.utterances import features_of_second, run_network
from ser_tune.prediction import Predictor, has_features_in
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import score_validation_speakers
from ser_tune.search.several_objectives import refuse_other_machine
from ser_tune.tasks import TASKS
from ser_tune.training import recipe_of

TASK = TASKS.get("classification")
FORMS = "worst_group_METRIC:ATTRIBUTE, stressed_METRIC, worst_condition_METRIC, size_mb, macs, seconds_per_second"


def test_objectives_have_titles_and_directions_and_the_metrics_are_the_studys() -> None:
    names = (
        "wa",
        "uar",
        "worst_group_uar:gender",
        "stressed_wa",
        "worst_condition_wa",
        "size_mb",
        "macs",
        "seconds_per_second",
    )
    found = objectives_of(names, TASK)
    assert tuple(objective.name for objective in found) == names
    assert [objective.is_metric for objective in found] == [True, True, *[False] * 6]
    assert [objective.measure.higher_is_better for objective in found] == [*[True] * 5, *[False] * 3]
    assert [objective.measure.title for objective in found[:5]] == [
        *("WA", "UAR", "UAR of the worst gender"),
        *("WA in worse recordings", "WA in the worst recordings"),
    ]
    assert [objective.name for objective in found if objective.of_recipe is not None] == ["size_mb", "macs"]
    assert [objective.name for objective in found if objective.of_device] == ["seconds_per_second"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objectives": ["size_mb", "uar"]}, "study.objectives begins with size_mb; expected a metric of predictions"),
        ({"objectives": ["uar", "size"]}, f"study.objectives has 'size'; task classification has .*uar.*{FORMS}"),
        ({"objectives": ["worst_group_uar"]}, "study.objectives has 'worst_group_uar'; task classification has"),
        ({"objectives": ["uar", "stressed_size_mb"]}, "study.objectives has 'stressed_size_mb'"),
        ({"objectives": ["uar", "worst_group_ccc:gender"]}, "has ccc, which is of dimensions; task classification"),
        (
            {"objectives": ["uar", "size_mb"], "pruner": "MedianPruner"},
            "study.pruner is MedianPruner, and Optuna's pruners decide by a single objective; study.objectives has 2",
        ),
    ],
)
def test_what_no_objective_can_be_is_refused_in_one_sentence(
    tiny: Callable[..., Any], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        tiny(**{f"study.{name}": value for name, value in settings.items()})
    assert "\n" not in str(caught.value)


def test_a_sampler_of_one_objective_is_refused_with_two(
    tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("If the study is being used for multi-objective optimization, X cannot be used.")

    two = {"study.objectives": ["uar", "size_mb"], "study.sampler": "NSGAIISampler"}
    assert tiny(**two).objectives == ("uar", "size_mb")
    monkeypatch.setattr("optuna.samplers.NSGAIISampler.infer_relative_search_space", refuse)
    with pytest.raises(ConfigError, match=r"study\.sampler is NSGAIISampler, which searches by a single objective"):
        tiny(**two)


def test_costs_do_not_change_what_a_score_means_and_further_metrics_do(
    tiny: Callable[..., Any], project: Project
) -> None:
    of = {
        names: prepare(tiny(**{"study.objectives": list(names)}), project).protocol
        for names in ((), ("uar",), ("uar", "size_mb", "worst_group_wa:speaker"), ("uar", "wa", "macs"))
    }
    plain, same, costly, unlike = of.values()
    assert plain.fingerprint == same.fingerprint == costly.fingerprint
    assert [difference.path for difference in unlike.differences(plain)] == ["objectives"]
    assert unlike.objectives == ("uar", "wa")


def test_a_group_that_no_utterance_has_is_refused_before_anything_is_trained(
    tiny: Callable[..., Any], project: Project
) -> None:
    definition = tiny(**{"study.objectives": ["uar", "worst_group_uar:planet"]})
    with pytest.raises(ConfigError, match="has worst_group_uar:planet, but no utterance of corpus manifest has 'plan"):
        prepare(definition, project)


@pytest.mark.parametrize(
    ("attribute", "groups", "worst"),
    [("gender", ["f", "F", "m", "unknown"], 0.0), ("speaker", ["a", "b", "c", "c"], 0.0)],
)
def test_the_worst_groups_score_is_that_of_its_pooled_utterances(
    attribute: str, groups: list[str], worst: float
) -> None:
    utterances = [
        Utterance(
            id=f"u{number}",
            path=Path("x"),
            speaker=group,
            emotion="joy",
            attributes=() if attribute == "speaker" else ((attribute, group),),
        )
        for number, group in enumerate(groups)
    ]
    (_, objective) = objectives_of(["wa", f"worst_group_wa:{attribute}"], TASK)
    # u0 and u1 are right, u2 is wrong, u3 is right; u3's gender is not known, and its speaker is u2's
    trial = _trial(utterances, truth=[0, 1, 0, 1], predicted=[0, 1, 1, 1])
    expected = {"gender": worst, "speaker": 0.5}[attribute]
    assert objective.value(trial) == expected
    assert len(set(grouped_by(utterances, attribute)) - {""}) == {"gender": 2, "speaker": 3}[attribute]


@pytest.mark.parametrize("metric", ["ccc", "pcc"])
@pytest.mark.parametrize("constant", [False, True])
def test_a_group_whose_truth_has_no_spread_is_left_out_and_a_constant_prediction_is_not(
    metric: str, constant: bool
) -> None:
    utterances = [Utterance(id=f"u{n}", path=Path("x"), speaker=name, emotion="") for n, name in enumerate("aabbc")]
    (_, objective) = objectives_of([metric, f"worst_group_{metric}:speaker"], TASKS.get("dimensions"))
    truth = np.array([[1.0], [3.0], [2.0], [4.0], [5.0]])
    trial = _trial(utterances, truth=[0] * 5, predicted=[0] * 5)
    predicted = truth * 0.5
    if constant:
        predicted[2:4] = 1.0
    trial = replace(trial, predicted=[predicted[:2], predicted[2:]])
    trial.targets.values, trial.targets.names = truth, ("arousal",)  # type: ignore[misc]
    value = objective.value(trial)
    # Of a single utterance neither is defined; a constant prediction has no PCC, which fails the trial, and a CCC of 0
    expected = METRICS.get(metric).score(truth[2:4], predicted[2:4], 1)
    np.testing.assert_equal(value, expected)
    assert np.isnan(value) == (constant and metric == "pcc")


def _trial(utterances: list[Utterance], truth: list[int], predicted: list[int]) -> CompleteTrial:
    """Two folds: of the first two utterances, and of the others."""
    corpus: Any = type("Corpus", (), {"utterances": utterances, "name": "made"})()
    targets: Any = type("Targets", (), {"values": np.array(truth), "names": ("anger", "joy")})()
    sides = [np.arange(2), np.arange(2, len(truth))]
    unused: Any = None
    return CompleteTrial(
        recipe=unused,
        corpus=corpus,
        targets=targets,
        networks=[],
        validation=sides,
        predicted=[np.array(predicted)[side] for side in sides],
        scores={},
        threads=1,
        cache=Path(),
    )


@pytest.mark.parametrize("model", ["alex_net", "light_cnn", "3d_acrnn"])
def test_size_is_that_of_the_saved_network_and_macs_are_those_of_its_layers(
    tiny: Callable[..., Any], model: str, tmp_path: Path
) -> None:
    shape = {} if model == "alex_net" else {"model.width": 0.1}
    features = {"features.name": "logmeldeltaspec"} if model == "3d_acrnn" else {}
    definition = tiny(**({"model.name": model, "study.objectives": ["uar", "size_mb", "macs"]} | shape | features))
    recipe = recipe_of(definition.trial({}), ("anger", "joy"), definition.goal)
    network = recipe.build_network()
    Predictor(recipe, [network], [None]).save(tmp_path)
    (file,) = tmp_path.glob("*.safetensors")
    header = 8 + struct.unpack("<Q", file.read_bytes()[:8])[0]
    size, macs = (objective.of_recipe(recipe) for objective in definition.further if objective.of_recipe)
    assert size == (file.stat().st_size - header) / 1e6
    counted = _multiply_adds_of_layers(lambda: run_network(recipe, network, features_of_second(recipe)), network)
    assert counted <= macs == multiply_adds(recipe) <= 1.02 * counted  # attention has products of its own
    assert model != "alex_net" or macs == counted


def _multiply_adds_of_layers(predict: Callable[[], None], network: nn.Module) -> float:
    """Multiply-adds of convolutions, linear and recurrent layers, from the shapes of what goes through them."""
    found = 0.0

    def note(layer: Any, inputs: Any, output: Any) -> None:
        nonlocal found
        out = output[0] if isinstance(output, tuple) else output
        if isinstance(layer, nn.Conv2d):
            kernel = layer.kernel_size[0] * layer.kernel_size[1] * layer.in_channels // layer.groups
            found += out.numel() * kernel
        elif isinstance(layer, nn.Linear):
            found += out.numel() * layer.in_features
        else:
            weights = sum(weight.numel() for name, weight in layer.named_parameters() if "weight" in name)
            found += weights * inputs[0].shape[0] * inputs[0].shape[1]

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear | nn.LSTM)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    with torch.inference_mode():
        predict()
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.slow
def test_the_stressed_score_is_the_mean_over_worse_recordings_of_the_validation_speakers(
    run: Callable[..., Any],
    recorder: Any,
    project: Project,
    tiny: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["uar", "stressed_uar", "worst_condition_uar", "seconds_per_second", "worst_group_uar:speaker"]
    run(1, **{"study.objectives": names})
    (outcome,) = recorder.outcomes
    assert list(outcome.values) == names
    assert outcome.values["uar"] == outcome.scores["uar"].value
    assert 0 < outcome.values["seconds_per_second"] < 10
    prepared = prepare(tiny(name="one"), project)
    recipe = recipe_of(outcome.config, prepared.targets.names, prepared.definition.goal)
    networks = [fold.fitted.network for fold in outcome.folds]
    scalings: list[Scaling | None] = [fold.fitted.scaling for fold in outcome.folds]
    predictor = Predictor(recipe, networks, scalings, folds=[fold.fold.key for fold in outcome.folds])
    disturbance, scores = Disturbance(prepared.corpus), []
    for condition in filter(disturbance.possible, TYPICAL_CONDITIONS):
        found = score_validation_speakers(prepared, predictor, tmp_path / "apart", condition=condition)
        scores.append(found.scores["uar"].value)
    assert outcome.values["stressed_uar"] == pytest.approx(float(np.mean(scores)), abs=1e-12)
    assert outcome.values["worst_condition_uar"] == pytest.approx(min(scores), abs=1e-12)
    stored = {path.name for path in (project.cache / "stressed").iterdir()}
    apart = {path.name for path in (tmp_path / "apart" / "stressed").iterdir()}
    assert apart <= stored  # one entry for search and evaluation
    assert has_features_in(TYPICAL_CONDITIONS[0], prepared.corpus, predictor, tmp_path / "apart")
    monkeypatch.setattr(import_module("ser_tune.prediction.predictor"), "FEATURE_FORMAT", 0)  # other code extracts
    assert not has_features_in(TYPICAL_CONDITIONS[0], prepared.corpus, predictor, tmp_path / "apart")
    assert METRICS.get("uar").low <= outcome.values["worst_group_uar:speaker"] <= outcome.values["uar"]


def test_a_study_that_measures_time_goes_on_only_on_its_machine(
    tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name="one", directions=["maximize", "minimize"])
    timed = tiny(**{"study.objectives": ["uar", "seconds_per_second"]})
    monkeypatch.setattr("ser_tune.search.several_objectives.processor_name", lambda: "Z80")
    refuse_other_machine(study, timed, 1)
    refuse_other_machine(study, timed, 1)
    for other, threads in (("Z80", 2), ("6502", 1)):
        monkeypatch.setattr("ser_tune.search.several_objectives.processor_name", lambda other=other: other)
        with pytest.raises(StudyError, match=f"measures seconds_per_second on Z80, .* runs on {other}, ") as caught:
            refuse_other_machine(study, timed, threads)
        assert "\n" not in str(caught.value)
    refuse_other_machine(study, tiny(**{"study.objectives": ["uar", "size_mb"]}), 2)  # measures nothing


@pytest.mark.slow
@pytest.mark.usefixtures("plugged")
def test_a_trial_fails_where_a_further_objective_is_not_defined(
    run: Callable[..., Any], recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.plugged.MANY", 1000)
    summary = run(1, **{"study.objectives": ("uar", "of_many")})
    assert (summary.complete, summary.failed, summary.front) == (0, 1, None)
    (outcome,) = recorder.outcomes
    assert outcome.reason == "UndefinedScoreError: of_many of its predictions is not defined"
    assert outcome.values == {}
