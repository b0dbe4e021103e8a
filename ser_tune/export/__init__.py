"""Registered models as folders that run without MLflow and ser-tune: ONNX, TorchScript, safetensors, the hub's form."""

from .check import LARGEST_DIFFERENCE, Agreement
from .export import Exported, export
from .formats import FORMATS

__all__ = ["FORMATS", "LARGEST_DIFFERENCE", "Agreement", "Exported", "export"]
