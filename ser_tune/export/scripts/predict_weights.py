"""Judge the speech in sound files: `python predict.py AUDIO...` prints JSON. Each file is judged by itself.

The weights are safetensors. The front end is the Python code in the folder ser_tune_... beside this script: a copy of
the parts of ser-tune that the model was trained with.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def open_model() -> Any:  # noqa: ANN401 - of the code beside this script
    """The predictor beside this script; its `predict([path])` and `predict([samples], sample_rate_hz=…)` judge."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    code = next(path.name for path in HERE.glob("ser_tune_*") if path.is_dir())
    return importlib.import_module(f"{code}.prediction").load_predictor(HERE)


def main(paths: list[str]) -> int:
    """Print a list of objects: file, answer, and the number of every label, such as its probability."""
    if not paths:
        sys.stderr.write("usage: python predict.py AUDIO...\n")
        return 2
    model, rows = open_model(), []
    config = json.loads((HERE / "config.json").read_text(encoding="utf-8"))
    try:
        for path in paths:
            found = model.predict([path])[0]
            named = {} if config["answer"] is None else {config["answer"]: found.label}
            numbers = found.numbers if hasattr(found, "numbers") else found.probabilities  # as older code calls them
            rows.append({"file": path, **named, **numbers})
    except Exception as error:
        if "SerTuneError" not in [kind.__name__ for kind in type(error).__mro__]:
            raise
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
