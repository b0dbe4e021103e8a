"""The most that a request may hold, and the time that it has when the server ends."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["GRACE_S", "Limits"]

GRACE_S = 60
"""Seconds that requests under way have when the server ends."""


class Limits(BaseModel):
    """The most that a request may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_seconds: Annotated[float, Field(gt=0)] = 300.0
    """Seconds of sound in one request."""
    max_mb: Annotated[float, Field(gt=0)] = 32.0
    """Megabytes of one request."""
