"""How long a person waits: for a study's first step, for the command line, for a model and its answer."""

import statistics
import sys
import time

import numpy as np
import soundfile

from ser_tune.features import FEATURE_SETS, Scaling
from ser_tune.prediction import Predictor
from ser_tune.registry import load_model
from ser_tune.tracking import Workspace, log_predictor
from ser_tune.training import recipe_of
from tests.goals import GOAL

from .rows import Options, Row, definition, project
from .ways import run_command

__all__ = ["measure"]

COMMAND = "from ser_tune.cli import main; main()"
FIRST_STEP = "tests.ser_tune_benchmarks.first_step"
MODELS = ("3d_acrnn", "alex_net", "fcn_attention")


def measure(options: Options) -> list[Row]:
    """A second study, `--help`, `models`, and registered models by name."""
    return [_second_study(options), *_models(options), *_commands(options)]


def _second_study(options: Options) -> Row:
    """Of one configuration on cached features. Full width, because building a large network is part of starting."""
    corpus = [] if options.data is None else ["--corpus", "emodb", "--data", str(options.data)]
    width = 0.1 if options.quick else 1.0
    args = ["train", "--model", "3d_acrnn", *corpus, "--set", f"model.width={width}"]
    taken = []
    for number in range(2 if options.quick else 4):
        command = [
            sys.executable,
            "-m",
            FIRST_STEP,
            str(options.scratch / "modules"),
            *args,
            "--name",
            f"study-{number}",
        ]
        told = run_command(command, options.scratch)
        taken.append(float(told.strip().rpartition("\n")[2]))
    return Row("second study, start to first training batch, imports apart", min(taken[1:]), "s", below=1.0)


def _commands(options: Options) -> list[Row]:
    """From a process's start to its end; `models` lists those of `_models`, and `predict` asks one of them."""
    recording = options.scratch / "speech.wav"
    soundfile.write(recording, 0.1 * np.random.default_rng(0).standard_normal(48_000), 16_000)
    rows = [
        _beside_imports(["predict", f"{MODELS[-1]}-10", str(recording)], "torch, mlflow", 1.5, options),
        _beside_imports(["models"], "mlflow", 1.3, options),
    ]
    for arguments, goal in ((["--help"], 0.5), (["models"], 3.0)):
        taken = []
        for _ in range(1 if options.quick else 5):
            started = time.perf_counter()
            run_command([sys.executable, "-c", COMMAND, *arguments], options.scratch)
            taken.append(time.perf_counter() - started)
        rows.append(Row(f"ser-tune {arguments[0]}", min(taken), "s", below=goal))
    return rows


def _beside_imports(arguments: list[str], modules: str, goal: float, options: Options) -> Row:
    """A cold command beside what its imports take alone, in turn; the ratio is how many times as long."""
    commands = {"product": [COMMAND, *arguments], "plain": [f"import {modules}"]}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(1 if options.quick else 7):
        for name, command in commands.items():
            started = time.perf_counter()
            run_command([sys.executable, "-c", *command], options.scratch)
            taken[name].append(time.perf_counter() - started)
    product, plain = (statistics.median(taken[name]) for name in ("product", "plain"))
    what = f"ser-tune {arguments[0]}, cold, beside import {modules}"
    return Row(what, product, "s", plain=plain, ratio=product / plain, below=goal)


def _models(options: Options) -> list[Row]:
    """Random weights, which take as long; imports done, files in the page cache, the utterance already a waveform."""
    here = project(options.scratch)
    workspace = Workspace(here)
    experiment = workspace.experiment("benchmark")
    speech = 0.1 * np.random.default_rng(0).standard_normal(48_000)
    rows = []
    for model in MODELS:
        width = 0.1 if options.quick else 1.0
        config = definition({"corpus.name": "emodb", "model.name": model, "model.width": width}).trial({})
        recipe = recipe_of(config, tuple("abcdefg"), GOAL)
        for count, load_goal, predict_goal in ((1, 2.0, 30.0), (10, None, None)):
            name = f"{model}-{count}"
            networks = [recipe.build_network() for _ in range(count)]
            feature_set = FEATURE_SETS.get(recipe.features.name)
            shape = (feature_set.channels, feature_set.bands(recipe.features))
            scaling = Scaling(shift=np.zeros(shape, np.float32), spread=np.ones(shape, np.float32))
            run = workspace.client.createrun_command(experiment)
            model_id = log_predictor(
                workspace,
                run,
                Predictor(recipe, networks, [scaling] * count),
                name="model",
                tags={},
            )
            workspace.client.create_registered_model(name)
            workspace.client.create_model_version(name, source=f"models:/{model_id}", model_id=model_id)
            workspace.client.set_registered_model_alias(name, "champion", "1")
            load_model(name, tracking_uri=here.tracking_uri)  # the imports
            loading, answering = [], []
            for _ in range(1 if options.quick else 5):
                started = time.perf_counter()
                loaded = load_model(name, tracking_uri=here.tracking_uri)
                loading.append(time.perf_counter() - started)
                loaded.predict([speech], sample_rate_hz=16_000)
                for _ in range(5):
                    started = time.perf_counter()
                    loaded.predict([speech], sample_rate_hz=16_000)
                    answering.append(time.perf_counter() - started)
            what = f"{model}, {count} network{'s' if count > 1 else ''}"
            rows.append(Row(f"load_model: {what}", min(loading), "s", below=load_goal))
            rows.append(Row(f"one utterance of 3 s: {what}", 1000 * min(answering), "ms", below=predict_goal))
    return rows
