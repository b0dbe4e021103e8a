"""The description of a server: requests and answers as they are fit its schemas."""

import json
from typing import Any

import jsonschema
import pytest

from ser_tune.serving.openapi import description_of

RATINGS = {
    "task": "dimensions",
    "number": "rating",
    "scales": {"arousal": [1.0, 5.0]},
    "errors": {"arousal": 0.456, "valence": 0.5},
}


def _post(labels: tuple[str, ...], metadata: dict[str, Any]) -> dict[str, Any]:
    document = json.loads(description_of(labels, metadata))
    assert document["openapi"].startswith("3.1")
    post: dict[str, Any] = document["paths"]["/invocations"]["post"]
    return post


def _schema(part: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = part["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)  # what OpenAPI 3.1 uses
    return schema


def test_requests_of_every_form_fit() -> None:
    schema = _schema(_post(("anger",), {})["requestBody"])
    rows = [{"audio": "UklGRg=="}, {"waveform": [0.0, 0.5], "sample_rate_hz": 16_000, "speaker": "ada"}, {"path": "a"}]
    jsonschema.validate({"dataframe_records": rows}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"dataframe_records": [{"waveform": "no list"}]}, schema)


@pytest.mark.parametrize("metadata", [{}, {"number": "probability"}, {"number": "score"}])
def test_probabilities_and_scores_are_from_0_to_1(metadata: dict[str, Any]) -> None:
    schema = _schema(_post(("anger", "joy"), metadata)["responses"]["200"])
    jsonschema.validate({"predictions": [{"label": "joy", "anger": 0.25, "joy": 0.75}]}, schema)
    for wrong in ({"label": "joy", "anger": 0.25, "joy": 1.5}, {"label": "joy", "anger": 0.25}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"predictions": [wrong]}, schema)
    fields = schema["properties"]["predictions"]["items"]["properties"]
    assert fields["joy"]["description"] == metadata.get("number", "probability")


def test_ratings_have_scale_and_error_in_words_and_no_limits() -> None:
    schema = _schema(_post(("arousal", "valence"), RATINGS)["responses"]["200"])
    jsonschema.validate({"predictions": [{"label": "arousal 5.20", "arousal": 5.2, "valence": -0.5}]}, schema)
    fields = schema["properties"]["predictions"]["items"]["properties"]
    assert [fields[name]["description"] for name in ("arousal", "valence")] == [
        "rating on the scale 1 to 5; root mean squared error on the validation speakers 0.456",
        "rating; root mean squared error on the validation speakers 0.5",
    ]
    assert "maximum" not in fields["arousal"]
