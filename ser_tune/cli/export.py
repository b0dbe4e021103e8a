"""`export`: a registered model as a folder that runs elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from .. import api
from ..config import Project
from .console import print_json, results

__all__ = ["export_model"]


def export_model(
    model: str, *, form: str, out: Path | None, recordings: Sequence[Path], as_json: bool, tracking_uri: str | None
) -> None:
    """Export, and print where the folder is, how far it agrees with `predict`, and what is outside the model's file."""
    project = Project.locate(tracking_uri=tracking_uri)
    found = api.export(model, format=form, out=out, recordings=recordings, project=project)
    agreement = found.agreement
    if as_json:
        record = {
            "name": found.name,
            "version": found.version,
            "format": found.format,
            "folder": str(found.folder),
            "bytes": found.size_bytes,
            "recordings": agreement.recordings,
            "corpus": agreement.corpus,
            "largest_difference": agreement.difference,
            "difference_from_bfloat16": agreement.rounding,
            "outside": list(found.outside),
            "longest_s": found.longest_s,
        }
        print_json([record])
        return
    lines = [
        f"exported: {found.name}, version {found.version}, as {found.format} to {found.folder} "
        f"({found.size_bytes / 1e6:.1f} MB)",
        f"agreement with predict: the largest difference of probabilities is {agreement.difference:.1e} on "
        f"{agreement.recordings} recordings; corpus: {agreement.corpus}",
        *(
            []
            if agreement.rounding is None
            else [
                "the registered model runs its encoder in bfloat16, the exported one in float32, in which they were "
                f"compared; difference from bfloat16: {agreement.rounding:.1e}"
            ]
        ),
        *(f"outside the model's file: {one}" for one in found.outside),
        *([f"limit: recordings of up to {found.longest_s:g} s"] if found.longest_s is not None else []),
        f"next: python {found.folder}/predict.py AUDIO..., or docker build {found.folder}",
    ]
    for line in lines:
        results.print(line, markup=False)
