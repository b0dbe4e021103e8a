"""Training segments a second, full width: `fit` beside a DataLoader, float32 and the default layout."""

import numpy as np
import torch

from ser_tune.architectures import ARCHITECTURES, InputShape
from ser_tune.features import FeatureStore
from ser_tune.prediction import UtteranceFeatures
from ser_tune.training import EpochReport, TrainingData, fit, pick_precision, recipe_of

from .plain import PlainSegments, training_rate
from .rows import Options, Row, definition

__all__ = ["measure"]

MODELS = {
    # channels and bands of its features, segments of an epoch, goal
    "3d_acrnn": ("logmeldeltaspec", 3, 40, 64, 5.0),
    "alex_net": ("logmeldeltaspec", 3, 128, 96, 2.5),
    "fcn_attention": ("logmelspec", 1, 128, 192, 2.5),
}
FRAMES, BATCH, CLASSES, FLOAT32_GOAL = 300, 32, 7, 1.5


def measure(options: Options) -> list[Row]:
    """Each model with `precision: auto`, and in float32 for processors that have nothing better."""
    rows = []
    for model, (features, channels, bands, segments, goal) in MODELS.items():
        width = 0.1 if options.quick else 1.0
        # Of no corpus with settings of its own, as the demo corpus has
        flags = {"corpus.name": "emodb", "model.name": model, "model.width": width, "segments.frames": FRAMES}
        flags |= {"features.name": features, "features.n_mels": bands}
        base = definition({**flags, "training.epochs": 3, "training.batch_size": BATCH}).trial({})
        rng = np.random.default_rng(0)
        utterances = [rng.normal(size=(FRAMES, channels, bands)).astype(np.float32) for _ in range(segments)]
        labels = np.arange(segments) % CLASSES
        offsets = np.arange(segments + 1) * FRAMES
        data = TrainingData(
            features=UtteranceFeatures.of(FeatureStore.of(np.concatenate(utterances), offsets), torch.device("cpu")),
            labels=labels,
            speakers=labels,
            emotions=tuple("abcdefg"),
        )
        recipe = recipe_of(base, data.emotions, "mean_log_softmax")
        batch = (torch.randn(BATCH, channels, bands, FRAMES).contiguous(memory_format=torch.channels_last),)
        chosen = pick_precision("auto", torch.device("cpu"), recipe.build_network(), batch, options.scratch)

        network = ARCHITECTURES.get(model).build(base.model, InputShape(channels, bands, FRAMES), CLASSES)
        plain = training_rate(network, PlainSegments(utterances[:BATCH], labels, FRAMES), batch_size=BATCH, epochs=2)
        for precision in dict.fromkeys((chosen, "float32")):
            reports: list[EpochReport] = []
            training = base.training.model_copy(update={"precision": precision, "device": "cpu"})
            fit(
                base.model_copy(update={"training": training}),
                data,
                np.arange(segments),
                np.arange(0),
                seed=0,
                aggregation="mean_log_softmax",
                on_epoch=reports.append,
            )
            rate = segments / min(one.seconds for one in reports[1:])
            wanted = goal if precision == chosen == "bfloat16" else FLOAT32_GOAL
            what = f"{model}, {precision}, {channels}×{bands}×{FRAMES}"
            rows.append(Row(what, rate, "segments/s", plain=plain, ratio=rate / plain, at_least=wanted))
    return rows
