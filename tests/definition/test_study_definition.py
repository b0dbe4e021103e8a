"""Layers: general defaults, the architecture's, the corpus's, a study file, flags and --set; later ones win."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import Choice, FloatRange, IntRange, Role, flatten
from ser_tune.definition import Difference, StudyDefinition
from ser_tune.definition.sizes import largest_network_bytes
from ser_tune.errors import ConfigError
from ser_tune.search import define_study, options
from tests.definition.conftest import define


def test_a_corpus_that_moved_leaves_the_study_as_it_was(tmp_path: Path) -> None:
    before = define(**{"corpus.data": Path("there")})
    moved = before.with_data(tmp_path)
    assert before.with_data(None) == before
    assert moved.differences(before) == [Difference("corpus.data", str(tmp_path), "there")]
    assert moved.differences(before, but=Role.RESUMABLE) == []
    assert moved.differences(before, but=Role.CIRCUMSTANCE) == moved.differences(before)


def test_more_seeds_or_another_device_do_not_change_what_is_reproduced() -> None:
    elsewhere = define("study.trials=2", "training.device=cpu", "protocol.fold_limit=2", "model.width=0.5")
    assert elsewhere.differences(define(), but=Role.CIRCUMSTANCE) == [Difference("model.width", 0.5, 1.0)]


def test_other_ranges_are_differences_of_a_search(written: Callable[[str], Path]) -> None:
    narrow, wide = (define(file=written(f"search:\n  training.epochs: {{low: 5, high: {high}}}")) for high in (20, 30))
    assert narrow.differences(wide) == [Difference("search.training.epochs.high", 20, 30)]


def test_general_defaults_are_the_lowest_layer() -> None:
    definition = define()
    assert definition.config.optimizer.learning_rate == 1e-3
    assert "optimizer.learning_rate" in definition.search


def test_an_architecture_wins_over_general_defaults_and_is_still_searched() -> None:
    definition = define(**{"model.name": "light_cnn", "corpus.name": "emodb"})
    assert definition.config.optimizer.learning_rate == 3e-3
    assert definition.search["optimizer.learning_rate"] == FloatRange(low=3e-4, high=3e-2, log=True)


@pytest.mark.parametrize("model", ARCHITECTURES.names())
def test_a_default_search_space_has_three_to_seven_settings(model: str) -> None:
    solved = model == "linear_probe"
    for corpus in ("emodb", "manifest"):
        searched = set(define(**{"model.name": model, "corpus.name": corpus}).search)
        assert len(searched) == 3 if solved else 5 <= len(searched) <= 7, searched


def test_a_corpus_wins_over_the_architecture_and_is_not_searched() -> None:
    definition = define(**{"corpus.name": "demo"})
    assert definition.config.features.model_dump()["n_mels"] == 64
    assert definition.config.model.width == 0.125
    assert not {"features.n_mels", "model.width"} & set(definition.search)


def test_a_study_file_wins_over_the_corpus(written: Callable[[str], Path]) -> None:
    definition = define(file=written("model: {width: 0.5}"), **{"corpus.name": "demo"})
    assert definition.config.model.width == 0.5
    assert "model.width" not in definition.search


def test_flags_win_over_the_file_and_set_wins_over_flags(written: Callable[[str], Path]) -> None:
    file = written("study: {trials: 3, sampler: random}\ntraining: {epochs: 5}")
    config = define("study.trials=9", "training.epochs=7", file=file, **{"study.trials": 6}).config
    assert (config.study.trials, config.study.sampler, config.training.epochs) == (9, "random", 7)


def test_a_flag_that_was_not_given_leaves_the_file_alone(written: Callable[[str], Path]) -> None:
    assert define(file=written("study: {trials: 3}"), **{"study.trials": None}).config.study.trials == 3


def test_what_is_set_is_not_searched() -> None:
    assert "optimizer.learning_rate" not in define("optimizer.learning_rate=1e-4").search


def test_a_search_section_replaces_the_default_ranges(written: Callable[[str], Path]) -> None:
    definition = define(file=written("search:\n  training.epochs: {low: 5, high: 20}\n  model.dropout: [0.1, 0.5]"))
    assert definition.search == {"training.epochs": IntRange(low=5, high=20), "model.dropout": Choice((0.1, 0.5))}


def test_a_set_value_is_taken_out_of_the_search_section(written: Callable[[str], Path]) -> None:
    file = written("search:\n  training.epochs: [5, 20]\n  model.dropout: [0.1, 0.5]")
    assert set(define("training.epochs=8", file=file).search) == {"model.dropout"}


def test_a_value_in_the_file_beside_its_range_is_that_of_trial_0(written: Callable[[str], Path]) -> None:
    definition = define(file=written("training: {epochs: 6}\nsearch:\n  training.epochs: {low: 5, high: 20}"))
    assert [values["training.epochs"] for values in definition.first_trials()] == [6, 6]


def test_an_empty_search_section_searches_nothing(written: Callable[[str], Path]) -> None:
    assert not define(file=written("search: {}")).search


def test_a_corpus_keeps_its_own_settings_from_a_file_that_names_none(written: Callable[[str], Path]) -> None:
    text = "search:\n  model.width: [0.5, 1.0]\n  model.dropout: [0.1, 0.5]"
    assert set(define(file=written(text), **{"corpus.name": "demo"}).search) == {"model.dropout"}
    assert set(define(file=written(text)).search) == {"model.width", "model.dropout"}


def test_a_mapping_can_be_set_as_a_whole() -> None:
    definition = define("optimizer={name: sgd, momentum: 0.8}")
    assert (definition.config.optimizer.name, definition.config.optimizer.momentum) == ("sgd", 0.8)
    assert "optimizer.name" not in definition.search


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("model", [name for name in ARCHITECTURES.names() if name != "linear_probe"])
def test_rates_and_penalties_are_searched_where_an_optimizer_has_them(model: str, optimizer: str) -> None:
    definition = define(**{"model.name": model, "optimizer.name": optimizer})
    rate, penalty = (definition.search[f"optimizer.{name}"] for name in ("learning_rate", "weight_decay"))
    assert isinstance(rate, FloatRange)
    assert isinstance(penalty, FloatRange)
    assert (rate.high == 0.3) == (optimizer == "sgd")
    assert (penalty.high == 0.1) == (optimizer == "adamw")
    assert set(definition.default()) == set(definition.search)
    assert define("optimizer.learning_rate=0.5", **{"optimizer.name": "sgd"}).config.optimizer.learning_rate == 0.5


def test_none_takes_a_setting_away() -> None:
    assert define("protocol.folds=none").config.protocol.folds is None


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("protocol.holdout=['03', '08']", ("03", "08")),
        ("protocol.holdout=[1F, 1M]", ("1F", "1M")),
        ("protocol.holdout=[]", ()),
        ("protocol.fold_limit=1", 1),
        ("protocol.fold_limit=none", None),
        ("protocol.styles=[improvised, scripted]", ("improvised", "scripted")),
        ("protocol.styles=none", None),
        ("protocol.merge=[excitement=happiness]", ("excitement=happiness",)),
        ("protocol.merge=none", None),
        ("protocol.merge=[]", ()),
        ("corpus.task=all", "all"),
        ("corpus.task=none", None),
        ("study.promotion=confident", "confident"),
    ],
)
def test_a_setting_is_read_as_users_write_it_and_survives_json(assignment: str, value: object) -> None:
    path = assignment.split("=")[0]
    definition = define(assignment)
    for one in (definition, StudyDefinition.from_json(definition.as_json())):
        section, name = path.split(".")
        assert getattr(getattr(one.config, section), name) == value
    assert path not in definition.search


def test_speakers_in_a_study_file_are_text(written: Callable[[str], Path]) -> None:
    file = written("protocol:\n  holdout: ['15', '16']\n  merge: [boredom=neutral]\n  fold_limit: 2")
    protocol = define(file=file).config.protocol
    assert (protocol.holdout, protocol.merge, protocol.fold_limit) == (("15", "16"), ("boredom=neutral",), 2)
    with pytest.raises(ConfigError, match=r"study\.yaml: protocol.holdout is 15; .*valid string"):
        define(file=written("protocol: {holdout: [15, 16]}"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"model.name": "resnet"}, "unknown architecture 'resnet'; choose from: 3d_acrnn, alex_net, attentive_probe"),
        (
            {"corpus.name": "casia"},
            "unknown corpus 'casia'; choose from: aesdd, ased, cafe, cmu_mosei, crema_d, demo, emodb, emov_db",
        ),
        ({"features.name": "mfcc"}, "unknown feature set 'mfcc'; choose from: encoder, logmeldeltaspec, logmelspec"),
        ({"loss.name": "hinge"}, "unknown loss 'hinge'; choose from: bce, binary_focal, ccc, cross_entropy, focal"),
        ({"model.name": None}, "no architecture given.*3d_acrnn, alex_net, attentive_probe"),
    ],
)
def test_an_unknown_name_is_answered_with_the_valid_ones(flags: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        define(**flags)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("training.epoch=3", "--set or a flag: unknown key 'training.epoch'; expected one of: .*epochs"),
        ("nosuch.path=3", "--set or a flag: unknown key 'nosuch'; expected one of: .*training"),
        ("training.epochs=many", "training.epochs is 'many'; input should be a valid integer"),
        ("training.epochs=0", "training.epochs is 0; input should be greater than or equal to 1"),
        ("training.epochs=", "training.epochs is None"),
        ("training=3", "training is 3"),
        ("training.epochs", "is not an assignment; expected path=value"),
        ("=3", "is not an assignment; expected path=value"),
        ("model.width=[1", "has no YAML value"),
        ("protocol.folds=2", "protocol.folds is 2; input should be greater than or equal to 3"),
        ("protocol.fold_limit=0", "protocol.fold_limit is 0; input should be greater than or equal to 1"),
        ("protocol.fold_limit=1001", "protocol.fold_limit is 1001; input should be less than or equal to 1000"),
        ("protocol.fold_limit=half", "protocol.fold_limit is 'half'; input should be a valid integer"),
        # YAML reads 03 as a number and 08 as text: made text again, one of them would be nobody's name
        ("protocol.holdout=[03, 08]", "--set or a flag: protocol.holdout is 3; .*valid string"),
        ("protocol.holdout=[15, 16]", "--set or a flag: protocol.holdout is 15; .*valid string"),
        ("protocol.holdout=15", "protocol.holdout is 15; "),
        ("protocol.styles=improvised", "protocol.styles is 'improvised'; "),
        ("protocol.merge=[joy]", r"protocol.merge is 'joy'; .*\^\[\^=\]\+=\[\^=\]\+\$"),
        ("protocol.merge=[a=b=c]", "protocol.merge is 'a=b=c'; "),
        ("protocol.merge=['=b']", "protocol.merge is '=b'; "),
        ("corpus.task=5", "corpus.task is 5; input should be a valid string"),
        (
            "study.promotion=best",
            "unknown promotion rule 'best'; choose from: always, better, confident, gated",
        ),
        ("study.promotion=3", "study.promotion is 3; input should be a valid string"),
        ("study.executor=dask", "unknown executor 'dask'; choose from: local, ray"),
        ("search.model.width=[0.5]", "ranges belong in the search section of a study file"),
    ],
)
def test_a_bad_assignment_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        define(assignment)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo: 1", r"study\.yaml: unknown key 'foo'; expected one of: .*training"),
        ("model: {nam: x}", r"study\.yaml: unknown key 'model.nam'; expected one of: attention, batch_norm, "),
        ("training: {epochs: many}", r"study\.yaml: training.epochs is 'many'"),
        ("protocol: {folds: 2}", r"study\.yaml: protocol.folds is 2; input should be greater than or equal to 3"),
        ("training: 5", r"study\.yaml: training is 5"),
        ("a: [", "is not YAML: expected the node content"),
        ("- a", "holds list; expected settings"),
        ("", "is empty; expected settings"),
        ("search: [a]", r"search is \['a'\]; expected dotted paths with ranges"),
    ],
)
def test_a_bad_study_file_is_refused_and_named(written: Callable[[str], Path], text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        define(file=written(text))


def test_a_study_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml' does not exist"):
        define_study(tmp_path / "no.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        define_study(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        define_study(tmp_path / "latin.yaml")


def test_the_name_is_given_or_tells_what_is_studied() -> None:
    assert define().name == "emodb-3d_acrnn-logmeldeltaspec"
    assert define(name="mine").name == "mine"
    heard = define(**{"corpus.name": "demo", "corpus.task": "heard"})
    assert heard.name == "demo-heard-3d_acrnn-logmeldeltaspec"  # beside a study of the consensus


def test_the_default_trial_is_as_near_to_the_configuration_as_the_ranges_allow(written: Callable[[str], Path]) -> None:
    definition = define(file=written("search:\n  training.epochs: {low: 50, high: 90}\n  model.dropout: [0.3, 0.5]"))
    assert definition.default() == {"model.dropout": 0.3, "training.epochs": 50}
    assert definition.out_of_range() == [Difference("training.epochs", 50, definition.config.training.epochs)]


def test_a_definition_survives_json(written: Callable[[str], Path]) -> None:
    ranges = """
search:
  training.batch_size: {low: 4, high: 64, log: true}
  segments.frames: {low: 100, high: 300, step: 50}
  training.epochs: {low: 5, high: 20}
  model.dropout: {low: 0.0, high: 0.5}
  optimizer.learning_rate: {low: 1e-4, high: 1e-2, log: true}
  augmentation.mixup: [false, true]
"""
    definition = define(file=written(ranges), **{"corpus.data": Path("somewhere"), "study.keep_models": 2})
    again = StudyDefinition.from_json(definition.as_json())
    assert (again.search, again.published) == (definition.search, definition.published)
    assert again.config.model_copy(update={"search": None}) == definition.config.model_copy(update={"search": None})
    assert again.as_json() == definition.as_json()


def test_a_study_from_before_there_were_tasks_and_added_settings_is_read_with_their_defaults() -> None:
    definition = define("optimizer.learning_rate=0.02")
    written = json.loads(definition.as_json())
    del written["config"]["task"]
    for path in definition.paths_with(Role.ADDED):
        section, *names = path.split(".")
        assert section not in written["config"] or names[-1] not in written["config"][section], path
    assert StudyDefinition.from_json(json.dumps(written)).as_json() == definition.as_json()


def test_without_search_there_is_one_trial_named_by_its_content() -> None:
    first, same, other = (define(f"training.epochs={epochs}").without_search() for epochs in (3, 3, 4))
    assert not first.search
    assert first.config.study.trials == 1
    assert first.name == same.name != other.name
    assert first.name.startswith("emodb-3d_acrnn-logmeldeltaspec-")
    assert define(name="mine").without_search().name == "mine"


def test_a_trial_takes_sampled_values_and_its_own_seed() -> None:
    definition = define()
    trial = definition.trial({"optimizer.learning_rate": 0.005, "segments.frames": 200}, seed=7)
    assert (trial.optimizer.learning_rate, trial.segments.frames, trial.seed) == (0.005, 200, 7)
    assert definition.trial({}).seed == definition.config.seed


def test_a_stored_trial_has_defaults_and_not_the_values_of_its_study() -> None:
    definition = define(**{"perturbation.copies": 1, "perturbation.noise_snr_db": 5, "balance.speakers": 0.5})
    trial = definition.trial({"balance.speakers": 0.0, "perturbation.noise": "coloured"})
    assert "balance" not in (stored := trial.model_dump(mode="json"))
    assert "noise" not in stored["perturbation"]
    assert definition.stored_trial(stored) == trial


def test_a_corner_that_no_network_can_be_built_for_is_refused(written: Callable[[str], Path]) -> None:
    definition = define(
        file=written("search:\n  features.n_mels: [16, 64]"), **{"model.name": "alex_net", "features.n_mels": None}
    )
    with pytest.raises(ConfigError, match="too small"):
        largest_network_bytes(definition, tuple("abcdefg"))


def test_options_tell_the_defaults_that_a_study_would_have() -> None:
    listed = {leaf.path: leaf for leaf in options("alex_net")}
    assert listed["optimizer.learning_rate"].default == 3e-4
    assert listed["features.n_mels"].search is None
    assert isinstance(listed["model.dropout"].search, FloatRange)
    assert listed["corpus.name"].default == "demo"
    assert all(leaf.help for leaf in listed.values())
    for name in ARCHITECTURES.names():
        config = flatten(define(**{"model.name": name}).config.model_dump()) | {"corpus.name": "demo"}
        assert {leaf.path: leaf.default for leaf in options(name)}.items() <= config.items()


def test_a_stored_study_is_read_where_what_it_names_is_not_installed() -> None:
    parts = {"sampler": "tiny_sampler", "pruner": "tiny_pruner", "promotion": "tiny_rule"}
    written = json.loads(define().as_json())
    written["config"]["study"] |= parts
    settings = StudyDefinition.from_json(json.dumps(written)).config.study
    assert settings.model_dump(include=set(parts)) == parts
    for name, value in parts.items():
        with pytest.raises(ConfigError, match=f"unknown [a-z ]+ '{value}'; choose from: "):
            define(f"study.{name}={value}")


def test_a_study_file_with_a_pruner_before_is_told_of_those_there_are(written: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match=r"unknown pruner 'wilcoxon'; choose from: .*, none, racing"):
        define(file=written("study: {pruner: wilcoxon}"))
