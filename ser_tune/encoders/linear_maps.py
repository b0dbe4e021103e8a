"""Linear maps of rows, computed in blocks: a row's result does not depend on the rows beside it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from ..device import processor_multiplies_bfloat16

__all__ = ["Blocks", "LinearMap", "computes_natively", "linear_map"]

LinearMap = Callable[[Tensor], Tensor]
"""From rows (R, K) to rows (R, N) of the same type."""

OPERATORS = ("_linear_pointwise", "_reorder_linear_weight")
ROWS = {torch.float32: 128, torch.bfloat16: 256}
"""Rows of a block of oneDNN's products: its activations stay in a core's cache, and larger blocks are not multiplied
faster. The kernel of a product, and so its rounding, depends on the number of rows; with a fixed number it is the same
for every utterance."""
MOST_ROWS = 384
"""Rows of a block of torch's own products, at most; blocks of 768 are not multiplied faster."""
FEWEST_ROWS = 16
"""Rows of the shortest speech; of fewer than four, MKL rounds otherwise."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Rows that products take at once."""

    size: int | None
    """At most so many; None is all."""
    filled: bool
    """Whether every block has this size, the last filled up with rows that mean nothing."""

    @classmethod
    def of(cls, device: torch.device, dtype: torch.dtype) -> "Blocks":
        """The blocks with which a row's product does not depend on the batch; on a GPU, all rows at once."""
        if device.type != "cpu":
            return cls(None, filled=False)
        if dtype is torch.float32 and _torch_is_faster():
            return cls(MOST_ROWS, filled=False)
        return cls(ROWS[dtype], filled=True)

    def rows(self, count: int) -> int:
        """So many rows, filled up to whole blocks.

        >>> Blocks(128, filled=True).rows(300), Blocks(128, filled=False).rows(300)
        (384, 300)
        """
        return -(-count // self.size) * self.size if self.filled and self.size else count

    def slices(self, rows: int) -> Iterator[slice]:
        """The rows of each block, of about equal numbers.

        >>> list(Blocks(128, filled=False).slices(300))
        [slice(0, 100, None), slice(100, 200, None), slice(200, 300, None)]
        """
        number = -(-rows // (self.size or rows))
        size = -(-rows // number)
        return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


@lru_cache(maxsize=1)
def _torch_is_faster() -> bool:
    """Whether torch's own float32 products, which are MKL's, are faster than oneDNN's, and rows alike in any number.

    They are with AVX2 alone: on an EPYC core 75 to 85 GFLOPS, oneDNN 65 to 75. Whether a row's bits depend on the
    number of rows is tried, since MKL does not promise it.
    """
    if torch.backends.cpu.get_cpu_capability() != "AVX2" or not torch._C.has_mkl:
        return False
    draw = torch.Generator().manual_seed(0)
    rows, weight, bias = (torch.randn(shape, generator=draw) for shape in ((MOST_ROWS, 512), (512, 512), (512,)))
    whole = nn.functional.linear(rows, weight, bias)
    parts = (rows[-count:].clone() for count in (FEWEST_ROWS, 17, 100, MOST_ROWS - 1))
    return all(torch.equal(nn.functional.linear(part, weight, bias), whole[-len(part) :]) for part in parts)


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
    if weight.device.type != "cpu" or operators is None or (weight.dtype is torch.float32 and _torch_is_faster()):
        if gelu:
            return lambda rows: torch.ops.aten.gelu_(nn.functional.linear(rows, weight, bias))
        return lambda rows: nn.functional.linear(rows, weight, bias)
    # Weights in oneDNN's layout, and bias and GELU added to a product while it is in the cache
    laid_out = operators._reorder_linear_weight(weight, ROWS[weight.dtype])
    if not gelu:
        return lambda rows: operators._linear_pointwise(rows, laid_out, bias, "none", [], "")
    if weight.dtype is torch.bfloat16:
        return lambda rows: operators._linear_pointwise(rows, laid_out, bias, "gelu", [], "none")
    # Of float32 torch's own GELU is faster
    return lambda rows: torch.ops.aten.gelu_(operators._linear_pointwise(rows, laid_out, bias, "none", [], ""))
