"""A machine with a GPU, in ten minutes: extraction, training, and trials an hour; without a GPU, a small form of it.

Switches that the product does not have are measured on its networks: torch.compile, CUDA graphs, and folds at once.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from statistics import mean

import torch

from .hardware import Need, flops_of
from .networks import CASES, Case, Switch, at_once, bytes_of, fit_product, flops_of_training, good_engineer, stepped
from .rows import Options, Row, definition, project
from .ways import Work, compared, run_command, timed

__all__ = ["measure"]

SEGMENTS = 1024
"""Of an epoch on a GPU."""
AT_ONCE = (2, 4)
"""Folds on a GPU."""


def measure(options: Options) -> list[Row]:
    """All rows; times are medians of three turns in one process, which the driver's start would otherwise dominate."""
    on_gpu = torch.cuda.is_available()
    options = replace(options, quick=options.quick or not on_gpu, turns=1 if options.quick or not on_gpu else 3)
    rows = [] if options.checkpoint is None else [_extraction(options)]
    for full in CASES:
        case = replace(full, device="cuda", segments=SEGMENTS, epochs=1) if on_gpu else full.small
        rows += _training(case, options)
    return [*rows, _trials(options)]


def _extraction(options: Options) -> Row:
    """Utterances a second of an encoder on an empty feature cache."""
    from ser_tune.features import FEATURE_SETS, corpus_features
    from ser_tune.protocol import load_corpus

    here = project(options.scratch)
    settings = {**options.corpus, "model.name": "linear_probe", "features.checkpoint": str(options.checkpoint)}
    study = definition(settings).resolved(here.cache)
    corpus = load_corpus(study, here)
    if options.quick:
        corpus = replace(corpus, utterances=corpus.utterances[:4])
    encoder, features = FEATURE_SETS.get("encoder"), study.config.features
    sounds = [utterance.speech() for utterance in corpus.utterances]
    typical = sorted(sounds, key=len)[len(sounds) // 2]
    # Linear in the length but for the attention, a few per cent at 3 s
    of_typical = flops_of(lambda: encoder.extract_batch([typical], features))
    flops = of_typical * len(sounds) * mean(map(len, sounds)) / len(typical)
    turns = iter(range(100))

    def start() -> Work:
        return lambda: corpus_features(corpus, encoder, features, here.cache / f"features-{next(turns)}")

    what = f"{options.checkpoint.name if options.checkpoint else ''}, {features.precision}, {corpus.name}, cold"
    need = Need(flops, precision=features.precision, device="cuda" if torch.cuda.is_available() else "cpu")
    return compared(what, {"product": start}, options, need=need, amount=len(sounds), unit="utterances/s", apart=False)


def _training(case: Case, options: Options) -> Iterator[Row]:
    """Segments a second: of a fold in both precisions, then of the switches in bfloat16."""
    for precision in ("bfloat16",) if options.quick else ("float32", "bfloat16"):
        case = replace(case, precision=precision)
        need = Need(flops_of_training(case), precision=precision, bytes=bytes_of(case), device=case.device)
        ways = {"product": partial(fit_product, case), "skilled": partial(good_engineer, case)}
        yield _row(f"{case.model}, {precision}, one fold", ways, case, options, need=need)
    if options.quick and case.model != "light_cnn":
        return
    for switch in (Switch.COMPILE, Switch.GRAPH):
        ways = {"product": partial(stepped, case, switch), "plain": partial(stepped, case, Switch.EAGER)}
        what = f"{case.model}, {precision}, steps, {switch.value} beside eager"
        try:
            yield _row(what, ways, case, options)
        except Exception as error:  # a switch that fails on this machine is a result, and the other rows are wanted
            yield Row(f"{what}: failed, {type(error).__name__}: {str(error).partition(chr(10))[0]}", 0.0, "segments/s")
    for folds in (1,) if options.quick else AT_ONCE:
        ways = {"product": partial(at_once, fit_product, case, folds), "plain": partial(_after_another, case, folds)}
        what = f"{case.model}, {precision}, {folds} folds at once beside one after another"
        yield _row(what, ways, replace(case, segments=case.segments * folds), options)


def _row(what: str, ways: dict[str, partial[Work]], case: Case, options: Options, need: Need | None = None) -> Row:
    amount = case.segments * case.epochs
    return compared(what, ways, options, need=need, amount=amount, unit="segments/s", apart=False)


def _after_another(case: Case, folds: int) -> Work:
    train = fit_product(case)
    return lambda: [train() for _ in range(folds)]


def _trials(options: Options) -> Row:
    """Trials an hour of a study of `light_cnn` of a few trials; the command's start is in them."""
    corpus = ["--corpus", "demo"] if options.data is None else ["--corpus", "emodb", "--data", str(options.data)]
    small = ["training.epochs=1", "model.width=0.2", "protocol.fold_limit=1", "segments.frames=64"]
    command = [sys.executable, "-c", "from ser_tune.cli import main; main()", "study", "--model", "light_cnn", *corpus]
    command += [argument for setting in small for argument in ("--set", setting)] if options.quick else []
    trials = 1 if options.quick else 5
    cost = timed(lambda: run_command([*command, "--trials", str(trials)], options.scratch))
    return Row(f"light_cnn, study of {trials} trials with pruning", 3600 * trials / cost.wall_s, "trials/h")
