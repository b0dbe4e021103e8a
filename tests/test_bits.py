"""The comparison of numbers before and after a change: equal code is equal, and the last bit of any number is seen."""

import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import typer
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from .bits.__main__ import main
from .bits.collecting import Values, collected
from .bits.comparing import LEFT_OUT, compare
from .bits.configurations import Configuration, of_tiny_corpus
from .bits.proof import Proof, proven, trained
from .bits.trees import ROOT, Ended, Tree, checked_out, commit_of

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Here(Tree):
    """The present code, in this process: a start costs seconds."""

    call: Callable[..., Any]
    empty: Path

    def empty_project(self) -> Path:
        return self.empty

    def run(self, commands: Sequence[Sequence[str]], project: Path) -> list[Ended]:
        told = [self.call(project, *one, environment={"SER_TUNE_CACHE": str(self.cache)}) for one in commands]
        return [Ended(one.code, one.out, one.err) for one in told]


class Twice(NamedTuple):
    """A study that was run twice."""

    configuration: Configuration
    tree: Here
    project: Path
    """The second one."""
    right: Values
    proofs: Sequence[Proof]


@pytest.fixture(scope="module")
def twice(call: Callable[..., Any], databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Twice:
    pytest.importorskip("transformers", reason="needs the extra pretrained")
    folder = tmp_path_factory.mktemp("bits")
    configuration = next(one for one in of_tiny_corpus(folder) if one.name == "light_cnn")
    trees = [Here(name, ROOT, folder / name, call, databases) for name in ("one", "other")]
    proofs = list(proven(configuration, *trees, folder / "projects"))
    project = folder / "projects" / "after"
    return Twice(configuration, trees[0], project, collected(project, Values()), proofs)


def test_the_same_code_gives_the_same_bits_and_continues_its_own_study(twice: Twice) -> None:
    for proof in twice.proofs:
        assert dict(proof.compared.differences) == {}
        assert proof.compared.values > 1000


def test_all_that_a_refactoring_must_keep_is_collected(twice: Twice) -> None:
    for pattern in (
        "study/light_cnn/trial 1/value/0",
        "study/light_cnn/trial 1/parameter/optimizer.learning_rate",
        "study/light_cnn/trial 1/intermediate value/*",
        "study/light_cnn/trial 1/state",
        "model/*/network-02.safetensors/*weight",
        "run/*/validation_predictions.csv/row 36/*",
        "run/*/test_predictions.csv/row 36/*",
        "run/*/metric/validation_uar_low/step 0",
        "run/*/metric/corrected_uar/step 0",
        "run/*/tag/protocol.folds/0",
        "run/*/tag/ser_tune.fingerprint",
        "version/*/tag/fingerprint",
        "version/*/tag/verdict",
        "registered/*/alias/champion",
    ):
        found = [path for path in twice.right if fnmatchcase(path, pattern)]
        assert found, pattern
        assert compare(dict.fromkeys(found, "1"), {}).values == len(found), pattern


def test_another_seed_is_found_in_weights_predictions_and_curves(twice: Twice, tmp_path: Path) -> None:
    other = replace(twice.configuration, study=(*twice.configuration.study, "--set", "seed=1"))
    found = compare(twice.right, trained(other, twice.tree, tmp_path / "project")).differences
    for pattern in ("*.safetensors/*", "*/validation_predictions.csv/*", "*/metric/fold_00/train_loss/step 1"):
        assert [path for path in found if fnmatchcase(path, pattern)], pattern


def test_the_last_bit_of_a_score_and_of_a_weight_is_seen(twice: Twice) -> None:
    database, metric = twice.project / "mlruns" / "mlflow.db", "fold_01/train_loss"
    with closing(sqlite3.connect(database)) as mlflow:
        where = f"from metrics where key = '{metric}' and step = 2 order by rowid limit 1"
        row, value = mlflow.execute(f"select rowid, value {where}").fetchone()
        mlflow.execute("update metrics set value = ? where rowid = ?", (float(np.nextafter(value, 1)), row))
        mlflow.commit()
    file = min(twice.project.glob("mlruns/artifacts/models/*/artifacts/**/network-01.safetensors"))
    tensors = load_file(file)
    with safe_open(file, framework="numpy") as opened:
        metadata = opened.metadata()
    name = min(name for name, tensor in tensors.items() if tensor.dtype == np.float32)
    tensors[name].flat[0] = np.nextafter(tensors[name].flat[0], np.float32(np.inf))
    save_file(tensors, file, metadata)
    found = compare(twice.right, collected(twice.project, Values())).differences
    paths = {path.rpartition("/file/")[2].rpartition("/metric/")[2] for path in found}
    assert {path for path in paths if "/projections/" not in path} == {
        f"{metric}/step 2",
        f"artifacts/predictor/network-01.safetensors/{name}",
    }


def test_every_rule_of_what_is_left_out_is_needed(twice: Twice) -> None:
    printed = Values({"printed/study/0/trials/0/seconds": "1.0"})
    for one in LEFT_OUT:
        assert one.reason
        assert [path for path in twice.right | printed if fnmatchcase(path, one.paths)], one.paths


def test_a_commit_is_checked_out_and_removed_whatever_happens(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    tree = tmp_path / "tree"

    def worktrees() -> str:
        return subprocess.run(["git", "worktree", "list"], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    def interrupted() -> None:
        with checked_out(commit_of("HEAD"), tree):
            assert (tree / "ser_tune" / "__init__.py").exists()
            assert str(tree) in worktrees()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not tree.exists()
    assert str(tree) not in worktrees()


def test_commands_run_with_the_code_of_their_tree(tmp_path: Path) -> None:
    package = tmp_path / "code" / "ser_tune"
    (package / "cli").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli" / "__init__.py").write_text(
        "import sys\ndef main():\n    print(*sys.argv)\n    sys.exit(sys.argv[1] == 'fail')\n"
    )
    tree = Tree("another", tmp_path / "code", tmp_path / "cache")
    ended = tree.run([("study", "a b"), ("fail",), ("never",)], tmp_path / "project")
    assert [(one.code, one.out) for one in ended] == [(0, "ser-tune study a b\n"), (1, "ser-tune fail\n")]
    with pytest.raises(RuntimeError, match=r"elsewhere ended with exit code 1:\nthe code of .* would run, not that of"):
        Tree("elsewhere", tmp_path, tmp_path / "cache").run([("study",)], tmp_path / "project")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-commit"], "this repository has no commit 'no-such-commit'"),
        (["HEAD", "--only", "nothing"], "no configuration 'nothing'; there are: opensmile, encoder,"),
    ],
)
def test_unknown_names_are_refused(arguments: Sequence[str], message: str) -> None:
    program = typer.Typer()
    program.command()(main)
    told = CliRunner().invoke(program, arguments)
    assert told.exit_code == 2
    assert message in " ".join(told.stderr.replace("│", " ").split())


def test_a_tolerance_passes_over_last_digits_and_nothing_else() -> None:
    before = {"a/value": "0.25 [1e-9, nan]", "w/weight": f"float32 SHA-256 {0:064x}", "c/state": "COMPLETE 3"}
    near = {"a/value": "0.2500000001 [1.1e-9, nan]", "w/weight": f"float32 SHA-256 {1:064x}", "c/state": "COMPLETE 3"}
    assert set(compare(before, near).differences) == {"a/value", "w/weight"}
    assert not compare(before, near, tolerance=1e-6).differences
    far = {"a/value": "0.2501 [1e-9, nan]", "w/weight": "(nothing)", "c/state": "PRUNED 3"}
    assert set(compare(before, far, tolerance=1e-6).differences) == set(before)
