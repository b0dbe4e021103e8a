"""What commands that answer at once must not import: each of these modules takes longer than the answer."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NEVER = ("librosa", "matplotlib", "numba", "optuna", "pooch", "scipy.signal", "sklearn", "torchvision", "transformers")
"""Neither command needs them."""
SCRIPT = """
import json, sys
from ser_tune.cli import main
try:
    main()
finally:
    sys.stderr.write("\\n" + json.dumps(sorted(sys.modules)))
"""


def _imported(root: Path, *arguments: str) -> set[str]:
    """The modules of a process at the end of a command."""
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        env=os.environ | {"SER_TUNE_ROOT": str(root)},
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(told.stderr.splitlines()[-1]))


@pytest.mark.slow
def test_predict_imports_torch_and_mlflow_and_one_copy_of_the_networks(finished: Any) -> None:
    recording = next(finished.csv.parent.glob("*.wav"))
    imported = _imported(finished.root, "predict", "ser-manifest-alex_net", str(recording))
    assert {"torch", "mlflow"} <= imported
    assert not imported.intersection(NEVER)
    own = {name for name in imported if name.startswith("ser_tune_") and name.endswith(".architectures")}
    assert len(own) == 1  # the model's own copy
    assert not imported.intersection({"ser_tune.architectures", "ser_tune.features", "ser_tune.prediction"})


@pytest.mark.slow
def test_models_imports_neither_mlflow_nor_torch(finished: Any) -> None:
    imported = _imported(finished.root, "models")
    assert not imported.intersection((*NEVER, "mlflow", "pandas", "sqlalchemy", "torch"))
