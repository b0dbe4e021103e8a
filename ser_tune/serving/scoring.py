"""Predictions for the content of a request, in the form of MLflow's scoring server."""

import logging
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel, scoring_server

from .content import RequestError, parse_request

__all__ = ["Scorer"]

_log = logging.getLogger(__name__)
LONGEST_SENTENCE = 500
"""Characters of an error's message."""


class Scorer:
    """Answers requests with a model; several threads may call it at a time."""

    def __init__(self, model: PyFuncModel) -> None:
        """Take a loaded model."""
        self._model = model
        metadata: Any = model.metadata
        self._schema = metadata.get_input_schema()

    def __call__(self, body: bytes) -> bytes:
        """Answer a request.

        Args:
            body: JSON, as MLflow's scoring server takes it.

        Returns:
            JSON with the key `predictions`.

        Raises:
            RequestError: The request cannot be answered.
        """
        content = parse_request(body)
        server: Any = scoring_server
        try:
            answer = server.invocations(content, "application/json", self._model, self._schema)
        except MlflowException as exception:
            error: Any = exception
            raise RequestError(_sentence(error.message), status=error.get_http_status_code()) from None
        text: str = answer.response
        return text.encode()


def _sentence(message: str) -> str:
    """The sentence in a message of MLflow's, which has the request before it."""
    message = message.rpartition("\nError: ")[2].strip()
    first = message.splitlines()[0] if message else "the request cannot be answered"
    return first if len(first) <= LONGEST_SENTENCE else f"{first[:LONGEST_SENTENCE]}…"
