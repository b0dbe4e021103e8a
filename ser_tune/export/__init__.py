"""Registered models as folders that run without MLflow and ser-tune: ONNX, TorchScript, safetensors, the hub's form."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
