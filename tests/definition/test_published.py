"""Published configurations: what the first trial takes from them."""

import pytest
import yaml

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import Role, TrialConfig, flatten, paths_with
from ser_tune.search import SHIPPED
from tests.definition.conftest import define


@pytest.mark.parametrize(
    ("model", "name"), [("3d_acrnn", "chen2018"), ("fcn_attention", "zhang2019"), ("fcn_gap", "fcn-gap")]
)
def test_what_is_published_is_what_is_reproduced(model: str, name: str) -> None:
    file = flatten(yaml.safe_load((SHIPPED / "published" / f"{name}.yaml").read_text(encoding="utf-8")))
    own = {path: value for path, value in file.items() if path.split(".")[0] in TrialConfig.model_fields}
    left_out = {
        "model.name",
        "model.weights",
        *paths_with(Role.PROTOCOL, TrialConfig),
    }  # a search must not need a download
    expected = {path: None if value == "none" else value for path, value in own.items() if path not in left_out}
    # "none" is a value of class weights, and the lack of one of frames
    expected["loss.class_weighting"] = "none"
    if name == "chen2018":  # 5,000 steps take nine times as long
        assert expected["training.epochs"] * 14 == pytest.approx(5000, abs=14)
        expected["training.epochs"] = 40
    assert ARCHITECTURES.get(model).published == expected


def test_trial_0_is_the_published_configuration_and_trial_1_the_default() -> None:
    definition = define()
    first, second = (definition.trial(values) for values in definition.first_trials())
    assert (first.optimizer.name, first.optimizer.learning_rate, first.optimizer.weight_decay) == ("adam", 1e-4, 0.0)
    assert (first.features.window_s, first.training.schedule, first.loss.class_weighting) == (0.025, "constant", "none")
    assert first.training.selection == second.training.selection == "last"  # which is the protocol's
    assert second == definition.trial({})


def test_what_is_set_wins_over_what_is_published() -> None:
    published = define("training.epochs=5", **{"model.dropout": 0.4}).published
    assert not {"training.epochs", "model.dropout"} & set(published)
    assert published["training.schedule"] == "constant"
    small = define(**{"corpus.name": "demo"}).published
    assert "training.batch_size" not in small
    assert small["training.schedule"] == "constant"


@pytest.mark.parametrize("line", ["optimizer.name=sgd", "features.n_mels=80", "loss.name=focal"])
def test_another_component_than_the_published_one_keeps_its_own_settings(line: str) -> None:
    section = line.partition(".")[0]
    assert not [path for path in define(line).published if path.startswith(f"{section}.")]


def test_published_values_that_do_not_go_with_what_is_set_are_left_out() -> None:
    definition = define("segments.crop=random", **{"model.name": "fcn_attention"})
    assert "segments.frames" not in definition.published
    assert definition.published["training.schedule"] == "constant"


def test_a_published_value_outside_its_range_is_kept_beside_the_nearest_one() -> None:
    definition = define(**{"model.name": "fcn_attention"})
    proposed, rest = definition.within(definition.first_trials()[0])
    assert set(proposed) == set(definition.search)
    assert proposed["segments.frames"] == 150
    assert rest["segments.frames"] is None
    assert rest["training.schedule"] == "constant"
