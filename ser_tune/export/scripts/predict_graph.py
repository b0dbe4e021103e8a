"""Judge the speech in sound files: `python predict.py AUDIO...` prints JSON. Each file is judged by itself.

The model takes 16 kHz mono samples and contains all the rest: features, normalisation, segments, networks, averages.
"""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

HERE = Path(__file__).resolve().parent


def read_speech(path: str, config: dict[str, Any]) -> np.ndarray:
    """Decode a file to samples (N,), float32, 16 kHz mono; raises `ValueError` where it cannot be judged."""
    try:  # bytes have no name: one that ends in .raw is taken for samples without a header
        with soundfile.SoundFile(io.BytesIO(Path(path).read_bytes())) as file:
            samples, rate = file.read(file.frames, dtype="float32", always_2d=True), file.samplerate
            promised = file.frames
    except (OSError, RuntimeError, ValueError) as error:  # those of soundfile are RuntimeErrors
        reason = getattr(error, "error_string", None) or error
        raise ValueError(f"{path} cannot be decoded as audio: {reason}") from None
    if len(samples) < promised:
        raise ValueError(f"{path} is truncated: it promises {promised} samples and holds {len(samples)}")
    speech = np.ascontiguousarray(samples.mean(axis=1))
    if not speech.size or not np.isfinite(speech).all() or not speech.any():
        raise ValueError(f"{path} has no samples, only zeros, or samples that are not finite")
    wanted = config["sampling_rate"]
    if rate != wanted:
        speech = soxr.resample(speech, rate, wanted)
    shortest, longest = config["shortest_samples"] or 1, config["longest_samples"]
    if len(speech) < shortest or (longest is not None and len(speech) > longest):
        most = "" if longest is None else f" and at most {longest / wanted:g} s"
        raise ValueError(f"{path} lasts {len(speech) / wanted:.3f} s; expected at least {shortest / wanted:g} s{most}")
    return speech


def open_model(*, named: bool) -> Callable[[np.ndarray], list[np.ndarray]]:
    """The network beside this script, from samples (N,) to numbers (K,), and perhaps the output decided for.

    Args:
        named: False where every number is an output of its own in ONNX, such as of a dimension.
    """
    if (HERE / "model.onnx").exists():
        import onnxruntime

        session = onnxruntime.InferenceSession(HERE / "model.onnx", providers=["CPUExecutionProvider"])

        def judge(speech: np.ndarray) -> list[np.ndarray]:
            found: list[np.ndarray] = session.run(None, {"waveform": speech})
            return found if named else [np.stack(found)]

        return judge
    import torch

    module = torch.jit.load(HERE / "model.pt", map_location="cpu")  # type: ignore[no-untyped-call]

    def run(speech: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            found = module(torch.from_numpy(speech))
        return [output.numpy() for output in (found if isinstance(found, tuple) else (found,))]

    return run


def main(paths: list[str]) -> int:
    """Print a list of objects: file, answer, and the number of every label, such as its probability."""
    if not paths:
        sys.stderr.write("usage: python predict.py AUDIO...\n")
        return 2
    config = json.loads((HERE / "config.json").read_text(encoding="utf-8"))
    labels = [config["id2label"][str(number)] for number in range(len(config["id2label"]))]
    try:
        utterances = [read_speech(path, config) for path in paths]
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    model, rows = open_model(named=config["answer"] is not None), []
    for path, speech in zip(paths, utterances, strict=True):
        found, *decided = model(speech)
        numbers = [float(number) for number in found]
        named = {}
        if config["answer"] is not None:
            chosen = [int(decided[0] if decided else np.argmax(numbers))]
            if "decides_from" in config:
                chosen = [place for place, number in enumerate(numbers) if number >= config["decides_from"]]
            named = {config["answer"]: "|".join(labels[place] for place in chosen) or "none"}
        rows.append({"file": path, **named, **dict(zip(labels, numbers, strict=True))})
    sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
