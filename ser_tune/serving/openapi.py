"""The description of a server's requests and answers, in the form of OpenAPI 3.1."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from ..tasks import StatedSets
from .request_body import MOST_ROWS

__all__ = ["description_of"]

_COLUMNS = {
    "audio": {"type": "string", "contentEncoding": "base64", "description": "content of a sound file"},
    "waveform": {"type": "array", "items": {"type": "number"}, "description": "samples between -1 and 1"},
    "sample_rate_hz": {"type": "integer", "description": "of waveform"},
    "path": {"type": "string", "description": "a sound file of the server's machine, below an allowed folder"},
    "speaker": {
        "type": "string",
        "description": "rows of one speaker are judged together, where the model normalises or adapts by speaker",
    },
}
_ERROR = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {"error_code": {"type": "string"}, "message": {"type": "string", "description": "one sentence"}},
}


def description_of(labels: Sequence[str], metadata: Mapping[str, Any], sets: StatedSets | None = None) -> bytes:
    """The JSON document of a model's server.

    Args:
        labels: The names of the model's outputs, which answers have as fields.
        metadata: As `save_predictor` stores it: `number`, `scales` and `errors`; empty of one emotion of several.
        sets: Prediction sets of the answers; None without.
    """
    answer = {
        "label": {"type": "string", "description": "the answer in words, such as an emotion or all ratings"},
        **{label: _field(label, metadata) for label in labels},
        **_set_fields(labels, sets),
    }
    rows = {"type": "array", "maxItems": MOST_ROWS, "items": {"type": "object", "properties": _COLUMNS}}
    answers = {"type": "array", "items": {"type": "object", "required": list(answer), "properties": answer}}
    request = {"type": "object", "required": ["dataframe_records"], "properties": {"dataframe_records": rows}}
    response = {"type": "object", "required": ["predictions"], "properties": {"predictions": answers}}
    post = {
        "summary": "Predict utterances, one a row.",
        "requestBody": {"required": True, "content": _json_of(request)},
        "responses": {
            "200": {"description": "An answer for each row, in their order.", "content": _json_of(response)},
            "default": {"description": "The request cannot be answered.", "content": _json_of(_ERROR)},
        },
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Speech emotion recognition by ser-tune", "version": version("ser-tune")},
        "paths": {
            "/invocations": {"post": post},
            "/ping": {"get": {"responses": {"200": {"description": "It runs."}}}},
        },
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _set_fields(labels: Sequence[str], sets: StatedSets | None) -> dict[str, Any]:
    """The fields of a prediction set: text of classes, or both ends of each rating's range."""
    if sets is None:
        return {}
    kind = "string" if sets.has_members else "number"
    words = f"prediction set at the error rate {sets.error_rate:g}" + (", classes with | between" * sets.has_members)
    return {name: {"type": kind, "description": words} for name in sets.column_names(labels)}


def _json_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _field(label: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The number of an output; a probability or score is from 0 to 1, a rating may lie outside its scale."""
    number = str(metadata.get("number", "probability"))
    if number in ("probability", "score"):
        return {"type": "number", "minimum": 0, "maximum": 1, "description": number}
    words = number
    if (scale := metadata.get("scales", {}).get(label)) is not None:
        words += f" on the scale {scale[0]:g} to {scale[1]:g}"
    if (error := metadata.get("errors", {}).get(label)) is not None:
        words += f"; root mean squared error on the validation speakers {error:.4g}"
    return {"type": "number", "description": words}
