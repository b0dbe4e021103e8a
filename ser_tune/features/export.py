"""The per-speaker dictionary of segments that researchers of this line of work exchange."""

import os
import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..config import SegmentSettings
from ..corpora import Corpus
from ..errors import ConfigError, StorageError
from ..row_groups import rows_by
from .segments import frame_numbers, plan_segments
from .store import FeatureStore

__all__ = ["SpeakerSegments", "refuse_other_format", "refuse_whole_utterances", "segments_by_speaker", "write_export"]

SpeakerSegments: TypeAlias = dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
"""Speaker to (segments (N, C, F, T) float32, utterance labels (U,), segment labels (N,), segments of each utterance
(U,)); labels are a task's values, such as numbers of classes."""

FORMATS = (".npz", ".pkl")


def segments_by_speaker(
    corpus: Corpus, labels: np.ndarray, store: FeatureStore, settings: SegmentSettings
) -> SpeakerSegments:
    """Cut every utterance into segments; features are not scaled.

    Args:
        corpus: The corpus.
        labels: The task's value of each utterance, shape (U, ...).
        store: The corpus's features.
        settings: T, training hop, padding, last block.

    Raises:
        ConfigError: T is None and utterances have more than one frame: unequal lengths do not fit into one array.
    """
    refuse_whole_utterances(settings, single_frames=len(store.frames) == len(store.lengths))
    exported: SpeakerSegments = {}
    names = [utterance.speaker for utterance in corpus.utterances]  # placeholders too: an export has no folds
    for speaker, utterances in rows_by(names).items():
        plan = plan_segments(store.lengths[utterances], settings, overlap=True)
        frames, real = frame_numbers(plan, np.arange(len(plan)), settings)
        segments = np.asarray(store.frames[store.offsets[utterances][plan.utterance, None] + frames])
        if settings.padding == "floor":
            floors = np.stack([store.frames[store.offsets[u] : store.offsets[u + 1]].min(axis=0) for u in utterances])
            segments = np.where(real[:, :, None, None], segments, floors[plan.utterance][:, None])
        else:
            segments = segments * real[:, :, None, None]
        exported[speaker] = (
            np.ascontiguousarray(segments.transpose(0, 2, 3, 1), dtype=np.float32),
            labels[utterances],
            labels[utterances][plan.utterance],
            np.bincount(plan.utterance, minlength=len(utterances)),
        )
    return exported


def refuse_whole_utterances(settings: SegmentSettings, *, single_frames: bool) -> None:
    """Raise `ConfigError` where there are no segments of equal length to export."""
    if settings.frames is None and not single_frames:
        raise ConfigError("segments.frames is none; an export holds segments of equal length, so expected a number")


def refuse_other_format(path: Path) -> None:
    """Raise `ConfigError` where no export has such a file's ending, or its folder is not there."""
    if path.suffix not in FORMATS or not path.parent.is_dir():
        raise ConfigError(
            f"--out is '{path}'; expected a name that ends in {' or '.join(FORMATS)}, in an existing folder"
        )


def write_export(path: Path, exported: SpeakerSegments, names: Mapping[str, tuple[str, ...]]) -> None:
    """Write the dictionary in one step.

    Args:
        path: `.pkl` holds the dictionary itself; `.npz` holds `<speaker>/segments`, `<speaker>/utterance_labels`,
            `<speaker>/segment_labels`, `<speaker>/segments_per_utterance` and the names.
        exported: From `segments_by_speaker`.
        names: The name of each label, below what labels are called, such as `emotions`.

    Raises:
        ConfigError: The file's ending is neither, or its folder is not there.
        StorageError: The file cannot be written; an older one is left as it was.
    """
    refuse_other_format(path)
    partial: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            partial = Path(file.name)
            if path.suffix == ".pkl":
                pickle.dump(exported, file, protocol=pickle.HIGHEST_PROTOCOL)
            else:
                parts = ("segments", "utterance_labels", "segment_labels", "segments_per_utterance")
                arrays = {
                    f"{speaker}/{part}": array
                    for speaker, all_arrays in exported.items()
                    for part, array in zip(parts, all_arrays, strict=True)
                }
                tables = {called: np.array(some) for called, some in names.items()}
                np.savez(file, allow_pickle=False, **tables, **arrays)
        os.umask(mask := os.umask(0))
        partial.chmod(0o666 & ~mask)
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"'{path}' cannot be written: {error.strerror or error}") from None
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
