"""Training of each network, of one fold and of two at once, beside a tutorial's program and a good engineer's."""

from dataclasses import replace
from functools import partial

from ser_tune.device import pick_precision

from .hardware import Need
from .networks import CASES, Case, at_once, batch_of, bytes_of, fit_product, flops_of_training, good_engineer, tutorial
from .rows import Options, Row
from .ways import compared

__all__ = ["measure"]

GOAL, FOLDS = 1.15, 2


def measure(options: Options) -> list[Row]:
    """Segments a second in float32, and in bfloat16 where `precision: auto` chooses it on this processor."""
    rows = []
    for full in CASES:
        case = full.small if options.quick else full
        chosen = pick_precision("auto", case.torch_device, case.network(), batch_of(case), options.scratch)
        for precision in ["float32"] if options.quick else dict.fromkeys(("float32", chosen)):
            rows += _rows(replace(case, precision=precision), options)
    return rows


def _rows(case: Case, options: Options) -> list[Row]:
    """One fold on all threads, and two folds at once in single-threaded processes, as with `--workers 2`."""
    what = f"{case.model}, {case.precision}, {case.channels}×{case.bands}×{case.frames}"
    need = Need(flops_of_training(case), precision=case.precision, bytes=bytes_of(case))
    ways = {"product": fit_product, "plain": tutorial, "skilled": good_engineer}
    one_fold = compared(
        f"{what}, one fold",
        {name: partial(way, case) for name, way in ways.items()},
        options,
        need=need,
        amount=case.segments * case.epochs,
        unit="segments/s",
        at_least=GOAL,
    )
    if options.quick or case.precision != "float32":
        return [one_fold]
    two_folds = compared(
        f"{what}, two folds",
        {name: partial(at_once, ways[name], case, FOLDS) for name in ("product", "skilled")},
        options,
        need=replace(need, flops=FOLDS * need.flops, bytes=FOLDS * need.bytes),
        amount=FOLDS * case.segments * case.epochs,
        unit="segments/s",
        at_least=GOAL,
    )
    return [one_fold, two_folds]
