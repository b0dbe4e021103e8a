"""Registered models as folders that run without MLflow and ser-tune: ONNX, TorchScript, safetensors, the hub's form."""

from .exported_folder import Exported, export

__all__ = ["Exported", "export"]
