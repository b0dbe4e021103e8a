"""Settings that name a pretrained encoder, and where its files are."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import Field

from ..config import Role, Settings
from ..errors import ConfigError
from .checkpoint import EncoderShape, digest_of, locate, shape_of

__all__ = ["CheckpointSettings", "FindEncoder", "encoders_among", "relocated"]

FindEncoder: TypeAlias = Callable[[str], Path | None]
"""From an encoder's digest to its folder; None where only the settings have its place."""

T = TypeVar("T")


class CheckpointSettings(Settings):
    """A pretrained encoder: the settings that feature sets and architectures with an encoder share."""

    checkpoint: Annotated[str, Role.FIXED, Role.RESUMABLE, Role.IDENTITY] = "openai/whisper-base"
    """Its name on the Hugging Face hub, or its folder; weights as safetensors. Code of the hub is never run."""
    revision: Annotated[str | None, Role.FIXED, Role.RESUMABLE] = None
    """Branch, tag or commit on the hub; none means its default branch."""
    digest: Annotated[Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None, Role.FIXED] = None
    """SHA-256 of the checkpoint's files, which a study fills in and then insists on; none takes the files there are."""

    @property
    def folder(self) -> Path:
        """The checkpoint's folder, downloaded where it is not here.

        Raises:
            ConfigError: There is no such folder, or its files changed since the study began.
        """
        folder = locate(self.checkpoint, self.revision)
        if self.digest is not None and self.digest != digest_of(folder):
            raise ConfigError(
                f"checkpoint '{folder}' has the digest {digest_of(folder)}; expected {self.digest}, that of the study"
            )
        return folder

    @property
    def shape(self) -> EncoderShape:
        """Layers, width and frame rate of the encoder.

        Raises:
            ConfigError: There is no such encoder.
        """
        return shape_of(locate(self.checkpoint, self.revision))


def encoders_among(*settings: object) -> Iterator[CheckpointSettings]:
    """The settings that name a pretrained encoder, such as those of `config.features` and `config.model`."""
    return (section for section in settings if isinstance(section, CheckpointSettings))


def relocated(settings: T, find: FindEncoder | None) -> T:
    """Settings that read their encoder from where its digest is found; any others as they are."""
    if not isinstance(settings, CheckpointSettings) or settings.digest is None or find is None:
        return settings
    folder = find(settings.digest)
    # Saved as float16, its files have another digest
    update: dict[str, Any] = {"checkpoint": str(folder), "revision": None, "digest": None}
    return settings if folder is None else settings.model_copy(update=update)
