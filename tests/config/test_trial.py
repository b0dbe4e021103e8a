"""Every setting of every component: told what it is for, within its own bounds, and the same after a round trip."""

from dataclasses import replace
from itertools import product
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import Leaf, StudyConfig, TrialConfig, flatten, leaves, nest, validated
from ser_tune.corpora import CORPORA
from ser_tune.errors import ConfigError
from ser_tune.features import FEATURE_SETS
from ser_tune.tasks import DEFAULT_TASK, TASKS
from ser_tune.training import LOSSES

QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_ALL = list(product(ARCHITECTURES.names(), FEATURE_SETS.names(), LOSSES.names()))
COMBINATIONS = [one for one in _ALL if sum(map(str.__ne__, one, _ALL[0])) <= 1]
"""Every component, with the first of the other kinds: their settings know nothing of one another."""


def _kind(base: type[Any], model: str, features: str, loss: str) -> type[Any]:
    parts = (ARCHITECTURES.get(model).settings, FEATURE_SETS.get(features).settings, LOSSES.get(loss).settings)
    tasks = (TASKS.get(DEFAULT_TASK).settings,) if base is StudyConfig else ()
    return cast("type[Any]", base.__class_getitem__((*parts, *tasks)))


def _built(kind: type[Any], flat: dict[str, Any]) -> Any:
    sections = {"model": {}, "features": {}, "loss": {}} | nest(flat)
    if issubclass(kind, StudyConfig):
        sections.setdefault("task", {})
    return validated(kind, sections, lambda path: f"<{path}>")


def _leaves(model: str, features: str, loss: str) -> dict[str, Leaf]:
    """Every setting, with the search ranges that the architecture puts in other sections."""
    search = ARCHITECTURES.get(model).search
    kind = _kind(StudyConfig, model, features, loss)
    return {leaf.path: replace(leaf, search=search.get(leaf.path, leaf.search)) for leaf in leaves(kind)}


@pytest.mark.parametrize(("model", "features", "loss"), COMBINATIONS)
def test_every_setting_says_what_it_is_for(model: str, features: str, loss: str) -> None:
    found = _leaves(model, features, loss)
    assert len(found) > 30
    assert [leaf.path for leaf in found.values() if not leaf.help.endswith(".")] == []


@pytest.mark.parametrize(("model", "features", "loss"), COMBINATIONS)
def test_every_default_lies_in_its_default_search_range(model: str, features: str, loss: str) -> None:
    found = _leaves(model, features, loss)
    defaults = {path: leaf.default for path, leaf in found.items()}
    defaults |= {path: value for path, value in ARCHITECTURES.get(model).defaults.items() if path in found}
    searched = {path: leaf.search for path, leaf in found.items() if leaf.search is not None}
    assert len(searched) >= 3
    assert {path: defaults[path] for path, span in searched.items() if not span.contains(defaults[path])} == {}


@pytest.mark.parametrize(("model", "features", "loss"), COMBINATIONS)
def test_every_corner_of_a_default_search_range_is_a_valid_setting(model: str, features: str, loss: str) -> None:
    kind = _kind(TrialConfig, model, features, loss)
    for path, leaf in _leaves(model, features, loss).items():
        for corner in leaf.search.corners() if leaf.search is not None else ():
            assert flatten(_built(kind, {path: corner}).model_dump())[path] == corner


@pytest.mark.parametrize("name", ARCHITECTURES.names())
def test_an_architectures_defaults_and_ranges_are_of_settings_that_exist(name: str) -> None:
    architecture = ARCHITECTURES.get(name)
    features = str(architecture.defaults.get("features.name", "logmelspec"))
    everywhere = {path for one in FEATURE_SETS.names() for path in _leaves(name, one, "cross_entropy")}
    assert set(architecture.search) <= everywhere
    assert set(architecture.defaults) <= set(_leaves(name, features, "cross_entropy"))
    config = _built(
        _kind(StudyConfig, name, features, "cross_entropy"), {"corpus.name": "demo", **architecture.defaults}
    )
    assert {path: flatten(config.model_dump())[path] for path in architecture.defaults} == architecture.defaults


@pytest.mark.parametrize("name", CORPORA.names())
def test_a_corpus_changes_settings_that_exist(name: str) -> None:
    defaults = CORPORA.get(name).defaults
    known = _leaves("3d_acrnn", "logmelspec", "cross_entropy")
    assert [path for path in defaults if path not in known] == []
    assert _built(_kind(StudyConfig, "3d_acrnn", "logmelspec", "cross_entropy"), dict(defaults)) is not None


SOME_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "optimizer.learning_rate": st.floats(1e-9, 1.0),
        "optimizer.name": st.sampled_from(("adam", "adamw", "sgd")),
        "model.width": st.floats(0.01, 2.0),
        "segments.frames": st.integers(16, 3000),
        "segments.hop_frames": st.none() | st.integers(1, 3000),
        "segments.evaluation_hop_frames": st.none() | st.integers(1, 3000),
        "segments.crop": st.sampled_from(("fixed", "random")),
        "augmentation.mixup": st.booleans(),
        "augmentation.mixup_dominant": st.booleans(),
        "loss.class_weighting": st.sampled_from(("none", "balanced", "effective_number")),
        "training.averaging": st.sampled_from(("none", "ema", "swa")),
        "training.sampling": st.sampled_from(("shuffle", "oversample")),
        "perturbation.gain_db": st.floats(0.0, 60.0),
        "perturbation.noise_snr_db": st.none() | st.floats(-20.0, 30.0),
        "training.patience": st.integers(0, 1000),
        "protocol.aggregation": st.sampled_from(("mean_log_softmax", "mean_probability", "maximum", "confidence")),
        "study.keep_models": st.just("all") | st.integers(1, 9),
        "study.timeout_s": st.none() | st.floats(1.0, 1e6),
        "protocol.emotions": st.none() | st.just(("joy", "fear")),
        "protocol.styles": st.none() | st.just(("improvised",)),
        "protocol.merge": st.none() | st.just(()) | st.just(("fear=joy", "rage=anger")),
        "protocol.holdout": st.lists(st.sampled_from(("03", "1F", "ada")), unique=True).map(tuple),
        "protocol.fold_limit": st.none() | st.integers(1, 1000),
        "corpus.task": st.none() | st.just("merged"),
        "study.promotion": st.sampled_from(("better", "confident", "always")),
        "seed": st.integers(0, 2**31 - 1),
        "search": st.none() | st.just({"model.width": {"low": 0.1, "high": 1.0}, "seed": [1, 2]}),
    },
)


@QUICK
@given(SOME_SETTINGS)
def test_settings_are_the_same_after_they_were_written_down(flat: dict[str, Any]) -> None:
    kind = _kind(StudyConfig, "3d_acrnn", "logmeldeltaspec", "cross_entropy")
    config = _built(kind, flat)
    assert kind.model_validate(config.model_dump()) == config
    assert kind.model_validate_json(config.model_dump_json()) == config
    search = config.model_dump().pop("search")
    again = _built(kind, flatten(config.model_dump(exclude={"search"})) | {"search": search})
    assert again == config


def test_settings_of_one_component_are_unknown_to_another() -> None:
    valid = "attention, batch_norm, convolution_dropout, dropout, name, networks, width"
    with pytest.raises(ConfigError, match=rf"unknown key 'model\.score_scale'; expected one of: {valid}"):
        _built(_kind(TrialConfig, "3d_acrnn", "logspec", "cross_entropy"), {"model.score_scale": 0.3})
    with pytest.raises(ConfigError, match=r"unknown key 'features\.n_mels'; expected one of: .*n_bins"):
        _built(_kind(TrialConfig, "3d_acrnn", "logspec", "cross_entropy"), {"features.n_mels": 40})


def test_a_component_is_not_taken_for_another() -> None:
    with pytest.raises(ConfigError, match=r"model\.name is 'alex_net'; input should be '3d_acrnn'"):
        _built(_kind(TrialConfig, "3d_acrnn", "logspec", "cross_entropy"), {"model.name": "alex_net"})


def test_pretrained_weights_have_the_published_width() -> None:
    kind = _kind(TrialConfig, "alex_net", "logspec", "cross_entropy")
    with pytest.raises(ConfigError, match=r"^<model>: model\.width must be 1 with model\.weights imagenet, not 0\.5$"):
        _built(kind, {"model.weights": "imagenet", "model.width": 0.5})
    assert _built(kind, {"model.weights": "imagenet"}).model.weights == "imagenet"


def test_a_study_reads_its_search_section() -> None:
    kind = _kind(StudyConfig, "3d_acrnn", "logspec", "cross_entropy")
    assert _built(kind, {}).search is None
    with pytest.raises(ConfigError, match=r"^search\.seed is 3; expected a list of choices"):
        kind.model_validate({"model": {}, "features": {}, "loss": {}, "search": {"seed": 3}})


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"copies": 2}, "copies is 2, but nothing perturbs them; set another perturbation"),
        ({"reverberation_s": 0.1}, "reverberation_s is 0.1; expected 0, or at least 0.2"),
        (
            {"noise_snr_db": 20, "noise_snr_highest_db": 10},
            "noise_snr_db is 20; expected at most perturbation.noise_snr_highest_db, 10",
        ),
        (
            {"stability": 0.5, "pitch_semitones": 1},
            "stability is 0.5, but perturbation.copies is 0; expected at least 1",
        ),
        ({"stability": 1, "copies": 1, "time_stretch": 0.1}, "stability is 1 with perturbation.time_stretch 0.1, but"),
    ],
)
def test_perturbations_that_do_not_go_together_are_refused(written: dict[str, Any], message: str) -> None:
    kind = _kind(TrialConfig, "3d_acrnn", "logspec", "cross_entropy")
    with pytest.raises(ConfigError, match=f"^<perturbation>: perturbation.{message}"):
        _built(kind, {f"perturbation.{name}": value for name, value in written.items()})


def test_segments_of_copies_do_not_start_at_random_where_they_are_compared() -> None:
    kind = _kind(TrialConfig, "3d_acrnn", "logspec", "cross_entropy")
    copies = {"perturbation.copies": 1, "perturbation.gain_db": 3.0, "segments.crop": "random"}
    assert _built(kind, copies).perturbation.copies == 1
    with pytest.raises(ConfigError, match=r"perturbation\.stability is 0\.5 with segments\.crop random, but a segment"):
        _built(kind, copies | {"perturbation.stability": 0.5})


@pytest.mark.parametrize(
    "name", ["time_stretch", "pitch_semitones", "vocal_tract", "reverberation_s", "noise_snr_db", "gain_db"]
)
def test_any_perturbation_is_enough_for_copies(name: str) -> None:
    kind = _kind(TrialConfig, "3d_acrnn", "logspec", "cross_entropy")
    config = _built(kind, {"perturbation.copies": 1, f"perturbation.{name}": 0.3})
    assert flatten(config.model_dump())[f"perturbation.{name}"] == 0.3


LISTS = [
    f"{section}.{name}"
    for section, field in StudyConfig.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    for name, inner in field.annotation.model_fields.items()
    if "tuple" in str(inner.annotation)
]


@pytest.mark.parametrize("path", LISTS)
def test_a_single_value_in_place_of_a_list_is_refused_with_the_list_to_write(path: str) -> None:
    assert {"study.objectives", "study.warm_start", "protocol.holdout", "corpus.names_as_written"} <= set(LISTS)
    kind = _kind(StudyConfig, "3d_acrnn", "logspec", "cross_entropy")
    with pytest.raises(ConfigError, match=rf"{path} is 'x'; expected a list: \[x\], or \[\] for none"):
        _built(kind, {path: "x"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objectives": ["wa", "uar", "wa"]}, r"study\.objectives names wa twice: wa, uar, wa"),
        (
            {"objectives": ["wa", "size_mb"], "stop_when_converged": True},
            r"study\.stop_when_converged and several study\.objectives exclude each other: convergence is a bound",
        ),
    ],
)
def test_several_objectives_are_unlike_and_do_not_converge(settings: dict[str, object], message: str) -> None:
    kind = _kind(StudyConfig, "3d_acrnn", "logspec", "cross_entropy")
    with pytest.raises(ConfigError, match=message):
        _built(kind, {f"study.{name}": value for name, value in settings.items()})
