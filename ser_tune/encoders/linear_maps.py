"""Linear maps of rows, computed in blocks of equal size: a row's result does not depend on the rows beside it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..device import processor_multiplies_bfloat16

__all__ = ["LinearMap", "block_rows", "computes_natively", "linear_map"]

LinearMap = Callable[[Tensor], Tensor]
"""From rows (R, K) to rows (R, N) of the same type."""

OPERATORS = ("_linear_pointwise", "_reorder_linear_weight")
ROWS = {torch.float32: 128, torch.bfloat16: 256}
"""Rows of a block: its activations stay in a core's cache, and larger blocks are not multiplied faster. The kernel of a
product, and so its rounding, depends on the number of rows; with a fixed number it is the same for every utterance."""


def block_rows(device: torch.device, dtype: torch.dtype) -> int | None:
    """Rows of each product, so that it does not depend on the batch; None, on a GPU, is all rows at once."""
    return ROWS[dtype] if device.type == "cpu" else None


def computes_natively(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether products of a type are fast; bfloat16 on a CPU without instructions for it is 100 times slower."""
    return device.type != "cpu" or dtype is torch.float32 or processor_multiplies_bfloat16()


def _onednn() -> Any:  # noqa: ANN401 - a namespace
    """The operators that torch.compile puts for linear layers; None where torch lacks them, which are private."""
    operators = torch.ops.mkldnn
    there = torch._C._has_mkldnn and all(hasattr(operators, name) for name in OPERATORS)
    return operators if there else None


def linear_map(weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> LinearMap:
    """A linear map, followed by the exact GELU where asked.

    Args:
        weight: Shape (N, K), on the device and in the type to compute in.
        bias: Shape (N,).
        gelu: Whether GELU follows.
    """
    if not computes_natively(weight.device, weight.dtype):
        # What the instructions do: exact products, summed in float32, rounded once
        dtype, exact = weight.dtype, linear_map(weight.float(), None if bias is None else bias.float(), gelu=gelu)
        return lambda rows: exact(rows.float()).to(dtype)
    operators = _onednn()
    if weight.device.type != "cpu" or operators is None:
        if gelu:
            return lambda rows: nn.functional.gelu(nn.functional.linear(rows, weight, bias))
        return lambda rows: nn.functional.linear(rows, weight, bias)
    # Weights in oneDNN's layout, and bias and GELU added to a product while it is in the cache
    laid_out = operators._reorder_linear_weight(weight, ROWS[weight.dtype])
    if not gelu:
        return lambda rows: operators._linear_pointwise(rows, laid_out, bias, "none", [], "")
    if weight.dtype is torch.bfloat16:
        return lambda rows: operators._linear_pointwise(rows, laid_out, bias, "gelu", [], "none")
    # Of float32 torch's own GELU is faster
    return lambda rows: torch.ops.aten.gelu_(operators._linear_pointwise(rows, laid_out, bias, "none", [], ""))
