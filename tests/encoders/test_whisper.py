"""Whisper's encoder without transformers: its input, its products, its imports."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.device import using_threads
from ser_tune.encoders import linear_maps
from ser_tune.encoders.whisper import WhisperInput, mel_filters

transformers = pytest.importorskip("transformers", reason="needs the extra pretrained")


def test_without_instructions_for_it_bfloat16_rounds_as_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(0)
    weight, bias, rows = (torch.randn(shape, generator=draw).bfloat16() for shape in ((24, 32), (24,), (256, 32)))
    if not linear_maps.computes_natively(rows.device, rows.dtype):
        pytest.skip("this processor has no instructions for bfloat16")
    found = linear_maps.linear_map(weight, bias)(rows)
    monkeypatch.setattr(linear_maps, "computes_natively", lambda device, dtype: dtype is torch.float32)
    emulated = linear_maps.linear_map(weight, bias)(rows)
    assert emulated.dtype is torch.bfloat16
    torch.testing.assert_close(
        found, emulated, rtol=2**-7, atol=2**-8
    )  # a unit of the last place, from sums in other orders


@pytest.mark.parametrize("operators", ["those of this torch", "none", "torch's own are faster"])
@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_linear_maps_are_those_of_torch_with_and_without_its_private_operators(
    dtype: torch.dtype, biased: bool, gelu: bool, operators: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if operators == "none":
        monkeypatch.setattr(linear_maps, "OPERATORS", ("an_operator_of_no_version",))
    monkeypatch.setattr(linear_maps, "_torch_is_faster", lambda: operators == "torch's own are faster")
    # Otherwise this version of torch lacks the operators: extraction is slower
    assert (linear_maps._onednn() is None) == (operators == "none" or not torch._C._has_mkldnn)
    draw, count = torch.Generator().manual_seed(0), linear_maps.ROWS[dtype]
    weight, bias, rows = (torch.randn(shape, generator=draw).to(dtype) for shape in ((24, 32), (24,), (count, 32)))
    product = linear_maps.linear_map(weight, bias if biased else None, gelu=gelu)
    expected = torch.nn.functional.linear(rows.double(), weight.double(), bias.double() if biased else None)
    expected = torch.nn.functional.gelu(expected) if gelu else expected
    tolerance = 1e-5 if dtype is torch.float32 else 2**-6
    torch.testing.assert_close(product(rows), expected.to(dtype), rtol=tolerance, atol=tolerance)
    others = torch.cat([rows[:1], torch.randn(count - 1, 32, generator=draw).to(dtype)])
    torch.testing.assert_close(product(others)[0], product(rows)[0], rtol=0, atol=0)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_rows_product_is_the_same_bits_in_blocks_of_any_batch(threads: int) -> None:
    blocks, draw = linear_maps.Blocks.of(torch.device("cpu"), torch.float32), torch.Generator().manual_seed(0)
    weight, bias, rows = (torch.randn(shape, generator=draw) for shape in ((192, 80), (192,), (900, 80)))
    product = linear_maps.linear_map(weight, bias, gelu=True)

    def multiplied(count: int) -> torch.Tensor:
        filled = torch.zeros(blocks.rows(count), 80)
        filled[:count] = rows[-count:]
        return torch.cat([product(filled[own]) for own in blocks.slices(len(filled))])[:count]

    with using_threads(threads):
        whole = multiplied(len(rows))
        for count in (linear_maps.FEWEST_ROWS, 24, 100, 383, 384, 385, 769):
            assert torch.equal(multiplied(count), whole[-count:])


@given(rows=st.integers(1, 5000), size=st.none() | st.integers(1, 500), filled=st.booleans())
def test_blocks_are_of_all_rows_and_of_equal_size_where_filled(rows: int, size: int | None, filled: bool) -> None:
    blocks = linear_maps.Blocks(size, filled=filled)
    slices = list(blocks.slices(blocks.rows(rows)))
    assert [row for own in slices for row in range(own.start, own.stop)] == list(range(blocks.rows(rows)))
    sizes = {own.stop - own.start for own in slices}
    assert max(sizes) <= (size or rows)
    assert not (filled and size) or sizes == {size}


@pytest.mark.parametrize("bands", [80, 128])
def test_whispers_spectrogram_is_that_of_its_feature_extractor(bands: int) -> None:
    extractor = transformers.WhisperFeatureExtractor(feature_size=bands)
    np.testing.assert_allclose(mel_filters(bands), extractor.mel_filters, rtol=0, atol=1e-15)
    speech = np.random.default_rng(0).normal(0.0, 0.1, 9600).astype(np.float32)
    made = extractor(speech, sampling_rate=16_000, padding="longest", return_tensors="pt").input_features
    torch.testing.assert_close(WhisperInput(mel_filters(bands))(torch.from_numpy(speech)[None]), made)


@pytest.mark.slow  # starts a process that imports everything anew
def test_whisper_is_extracted_without_transformers(checkpoint: Callable[[str], Path]) -> None:
    code = (
        "import sys, numpy as np\n"
        "from ser_tune.features import FEATURE_SETS\n"
        "encoder = FEATURE_SETS.get('encoder')\n"
        "settings = encoder.settings.model_validate({'checkpoint': sys.argv[1], 'precision': 'float32'})\n"
        "assert encoder.extract(np.zeros(8000, np.float32), settings).shape == (3, 32, 1)\n"
        "print(sorted({'transformers', 'torch._dynamo', 'sklearn', 'torchvision'} & sys.modules.keys()))\n"
    )
    command = [sys.executable, "-c", code, str(checkpoint("whisper"))]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
