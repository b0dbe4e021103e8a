"""Training segments a second, full width, on the CPU: `fit` beside a DataLoader, float32 and the default layout."""

from concurrent.futures import Executor
from functools import partial

import numpy as np
import torch

from ser_tune.architectures import InputShape
from ser_tune.device import pick_precision
from ser_tune.features import FeatureStore
from ser_tune.prediction import UtteranceFeatures
from ser_tune.training import AnyTrial, EpochReport, TrainingData, fit, recipe_of
from tests.goals import GOAL, classes

from .plain import plain_epoch, start_plain_training
from .rows import Options, Row, definition
from .ways import own_process

__all__ = ["measure"]

MODELS = {
    # channels and bands of its features, segments of an epoch, goal
    "3d_acrnn": ("logmeldeltaspec", 3, 40, 64, 5.0),
    "alex_net": ("logmeldeltaspec", 3, 128, 96, 2.5),
    "fcn_attention": ("logmelspec", 1, 128, 192, 2.5),
}
FRAMES, BATCH, EPOCHS, CLASSES, FLOAT32_GOAL = 300, 32, 4, 7, 1.5


def measure(options: Options) -> list[Row]:
    """Each model with `precision: auto`, and in float32 for processors that have nothing better."""
    rows = []
    for model, (features, channels, bands, segments, goal) in MODELS.items():
        width = 0.1 if options.quick else 1.0
        # Of no corpus with settings of its own, as the demo corpus has
        flags = {"corpus.name": "emodb", "model.name": model, "model.width": width, "segments.frames": FRAMES}
        flags |= {"features.name": features, "features.n_mels": bands}
        base = definition({**flags, "training.epochs": EPOCHS, "training.batch_size": BATCH}).trial({})
        rng = np.random.default_rng(0)
        utterances = [rng.normal(size=(FRAMES, channels, bands)).astype(np.float32) for _ in range(segments)]
        labels = np.arange(segments) % CLASSES
        offsets = np.arange(segments + 1) * FRAMES
        data = TrainingData(
            features=UtteranceFeatures.of(FeatureStore.of(np.concatenate(utterances), offsets), torch.device("cpu")),
            targets=classes(labels, "abcdefg"),
            speakers=labels,
        )
        recipe = recipe_of(base, data.targets.names, GOAL)
        batch = (torch.randn(BATCH, channels, bands, FRAMES).contiguous(memory_format=torch.channels_last),)
        chosen = pick_precision("auto", torch.device("cpu"), recipe.build_network(), batch, options.scratch)

        for precision in dict.fromkeys((chosen, "float32")):
            training = base.training.model_copy(update={"precision": precision, "device": "cpu"})
            shape = InputShape(channels, bands, FRAMES)
            with own_process() as plain_side:
                start = partial(start_plain_training, batch_size=BATCH, epochs=EPOCHS)
                plain_side.submit(start, base.model, shape, utterances, labels).result()
                both = _quickest(base.model_copy(update={"training": training}), data, plain_side)
            product, plain = (segments / seconds for seconds in both)
            wanted = goal if precision == chosen == "bfloat16" else FLOAT32_GOAL
            what = f"{model}, {precision}, {channels}×{bands}×{FRAMES}"
            rows.append(Row(what, product, "segments/s", plain=plain, ratio=product / plain, at_least=wanted))
    return rows


def _quickest(config: AnyTrial, data: TrainingData, plain_side: Executor) -> tuple[float, float]:
    """Seconds of the quickest epoch, but for the first, of `fit` and of the plain side, which take turns."""
    product, plain = [], []

    def on_epoch(report: EpochReport) -> None:
        product.append(report.seconds)
        plain.append(plain_side.submit(plain_epoch).result())

    everyone = np.arange(len(data.targets.values))
    fit(config, data, everyone, np.arange(0), seed=0, goal=GOAL, on_epoch=on_epoch)
    return min(product[1:]), min(plain[1:])
