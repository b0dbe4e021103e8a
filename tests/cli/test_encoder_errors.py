"""What a user can mend of encoders and probes: one sentence, code 2."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

Call = Callable[..., Any]
Study = Callable[..., Any]


@pytest.fixture
def probe(call: Call, root: Path, corpus_csv: Path, tmp_path: Path) -> Study:
    """Run a command on a probe of an encoder, with an empty cache: `probe(folder, "model.layers=1")`."""

    def _probe(checkpoint: Path | str, *assignments: str, command: str = "study", own_cache: bool = True) -> Any:
        corpus = ("--corpus", "manifest", "--data", str(corpus_csv), "--set", "protocol.folds=3")
        settings = (f"features.checkpoint={checkpoint}", "features.precision=float32", *assignments)
        return call(
            root,
            *(command, "--model", "linear_probe", *corpus),
            *(part for one in settings for part in ("--set", one)),
            environment={"SER_TUNE_CACHE": str(tmp_path / "own cache")} if own_cache else {},
        )

    return _probe


def test_a_folder_that_does_not_exist(probe: Study) -> None:
    probe("/no/such/folder").refused(
        "checkpoint '/no/such/folder' is no folder; expected an existing folder, or a name on the Hugging Face "
        "hub such as openai/whisper-base",
    )


def test_a_name_on_the_hub_where_there_is_no_network(probe: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable\nand much more")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=download))
    told = probe("nobody/wav2vec2-tiny")
    told.refused("'nobody/wav2vec2-tiny' is no folder here and cannot be downloaded (Network is unreachable)")
    # What to download, from where, and how to pass it
    told.refused("download config.json, preprocessor_config.json and model.safetensors of ")
    told.refused("https://huggingface.co/nobody/wav2vec2-tiny")
    told.refused("pass their folder: --set features.checkpoint=FOLDER")


def test_a_name_on_the_hub_without_the_extra(probe: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    probe("nobody/tiny").refused("needs the package huggingface_hub; install it with pip install 'ser-tune[pretrai")


@pytest.mark.slow
def test_an_encoder_without_the_extra(
    probe: Study, checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = shutil.copytree(checkpoint("wav2vec2"), tmp_path / "copy")  # the other may be open already
    monkeypatch.setitem(sys.modules, "transformers", None)
    probe(copied).refused("needs the package transformers; install it with pip install 'ser-tune[pretrained]'")


def _config(folder: Path, **values: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")


def test_a_checkpoint_that_is_no_speech_encoder(probe: Study, tmp_path: Path) -> None:
    _config(tmp_path / "bert", model_type="bert", hidden_size=16, num_hidden_layers=2)
    probe(tmp_path / "bert").refused("is a 'bert' model; expected a speech encoder of: audio-spectrogram-transformer, ")


@pytest.mark.parametrize("written", [None, "{", "[]", '{"model_type": "wav2vec2"}'])
def test_a_checkpoint_whose_config_cannot_be_read(probe: Study, tmp_path: Path, written: str | None) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    if written is not None:
        (folder / "config.json").write_text(written, encoding="utf-8")
    probe(folder).refused("has no readable config.json")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["pytorch_model.bin"], "has only pytorch_model.bin, a pickle that can run code; expected model.safetensors"),
        ([], "has no weights; expected model.safetensors"),
        (["model.safetensors"], "has no preprocessor_config.json; expected a folder that transformers saved"),
    ],
)
def test_a_checkpoint_without_safe_weights_or_preprocessing(
    probe: Study, tmp_path: Path, files: list[str], message: str
) -> None:
    _config(tmp_path / "copy", model_type="wav2vec2", hidden_size=16, num_hidden_layers=2, conv_stride=[10, 8, 4])
    for name in files:
        (tmp_path / "copy" / name).write_bytes(b"weights")
    probe(tmp_path / "copy").refused(message)


def test_a_download_that_was_damaged_is_named(probe: Study, checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    copied = Path(shutil.copytree(checkpoint("wav2vec2"), tmp_path / "copy"))
    weights = copied / "model.safetensors"
    blob = tmp_path / "blobs" / hashlib.sha256(weights.read_bytes()).hexdigest()
    blob.parent.mkdir()
    blob.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    weights.unlink()
    weights.symlink_to(blob)  # as the hub's client keeps what it downloaded
    probe(copied).refused(f"checkpoint file '{weights}' is damaged; remove '{blob}' to have it downloaded again")


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["weights", "preprocessing", "names", "rate"])
def test_a_checkpoint_that_cannot_be_opened(
    probe: Study, checkpoint: Callable[[str], Path], tmp_path: Path, harm: str
) -> None:
    copied = Path(shutil.copytree(checkpoint("wav2vec2"), tmp_path / "copy"))
    if harm == "weights":
        (copied / "model.safetensors").write_bytes(b"not weights")
        probe(copied).refused(f"checkpoint '{copied}' cannot be opened: ")
    elif harm == "preprocessing":
        (copied / "preprocessor_config.json").write_text("[]", encoding="utf-8")
        probe(copied).refused(f"checkpoint '{copied}' cannot be opened: ")
    elif harm == "names":
        weights = load_file(copied / "model.safetensors")
        save_file({f"other.{name}": tensor for name, tensor in weights.items()}, copied / "model.safetensors")
        probe(copied).refused(f"checkpoint '{copied}' lacks ")
    else:
        file = copied / "preprocessor_config.json"
        file.write_text(file.read_text(encoding="utf-8").replace("16000", "8000"), encoding="utf-8")
        probe(copied).refused(f"checkpoint '{copied}' takes speech at 8000 Hz; expected 16000 Hz")


def test_features_that_do_not_fit_on_the_disk(
    probe: Study, checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    told = probe(checkpoint("wav2vec2"))
    told.refused("the features of 15 more utterances, 0.0 h of speech, take about 0.0 GB; ")
    told.refused("0.0 GB free; set SER_TUNE_CACHE to a folder with room, or choose smaller features")


@pytest.mark.parametrize(
    "assignment", ["optimizer.learning_rate=0.1", "training.epochs=3", "loss.name=focal", "augmentation.mixup=true"]
)
def test_a_setting_of_descent_for_a_solved_model(probe: Study, assignment: str) -> None:
    path = assignment.partition("=")[0]
    message = f"{path} is a setting of gradient descent; linear_probe is solved, and does without it"
    probe("/not/looked/at", assignment).refused(message)


def test_a_learning_rate_for_a_solved_model(probe: Study, checkpoint: Callable[[str], Path]) -> None:
    told = probe(checkpoint("wav2vec2"), command="find-lr")
    told.refused("linear_probe is solved, not trained by gradient descent: it has no learning rate to look for")


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("segments.frames=300", "segments.frames is 300, but with these settings encoder has a single frame an"),
        ("normalisation.scope=utterance", "single frame an utterance; expected train, speaker or corpus"),
        ("features.layers=[3]", "features.layers has 3; "),
        ("features.context=padded", "features.context is padded, but "),
        ("model.layers=3", "model.layers is 3; the features have the layers 0 to 2"),
        (f"features.digest={'a' * 64}", "expected aaa"),
        ("features.layers=[]", "features.layers is empty; expected at least one layer"),
        ("model.layers=half", "model.layers"),
    ],
)
def test_settings_that_do_not_fit_the_encoder(
    probe: Study, checkpoint: Callable[[str], Path], assignment: str, message: str
) -> None:
    probe(checkpoint("wav2vec2"), assignment).refused(message)
