"""The laws that ship with the project: what they say, and how far from what was measured."""

from pathlib import Path

import pytest

from heliostat.errors import InvalidProfile, UnknownEngineLaw
from heliostat.model.engine import EngineLaw
from simulation.profiles.hardware import architecture, gpu, kv_bytes_available
from simulation.profiles.law import LawKind
from simulation.profiles.laws_file import law_mapping, law_of, read_laws, write_laws
from simulation.profiles.shipped import engine_law, fitted_law, shipped_laws

PUBLISHED = {
    ("llama2-70b", "a100-80gb", 4): ((32.67, 0.2015, 0.1340), (43.32, 0.1825, 0.3716)),
    ("llama2-70b", "a100-80gb", 8): ((44.22, 0.1089, 0.1256), (44.07, 0.1897, 0.3354)),
    ("llama2-70b", "h100-80gb", 4): ((33.48, 0.0714, 0.0418), (28.82, 0.2642, 0.1008)),
    ("llama2-70b", "h100-80gb", 8): ((42.41, 0.0394, 0.0628), (29.89, 0.1993, 0.1785)),
}
"""An earlier fit of the same measurements, by ordinary least squares on single runs (ms)."""


@pytest.mark.parametrize(
    ("model", "bytes_per_token"),
    [("llama2-70b", 327_680), ("llama-3.1-8b", 131_072), ("bloom-176b", 4_014_080)],
)
def test_kv_bytes_follow_grouped_query_attention(model: str, bytes_per_token: int) -> None:
    found = architecture(model)
    assert found is not None
    assert found.kv_bytes_per_token == bytes_per_token


def test_kv_memory_is_what_weights_and_reserve_leave() -> None:
    model, device = architecture("llama2-70b"), gpu("A100-80GB")
    assert model is not None
    assert device is not None
    assert kv_bytes_available(model, device, 8) == pytest.approx(0.9 * 640e9 - 137.96e9, rel=1e-3)
    assert kv_bytes_available(model, device, 1) < 0
    # Sixteen GPUs hold each of the eight heads' keys and values twice.
    assert kv_bytes_available(model, device, 16) == pytest.approx((0.9 * 1280e9 - 137.96e9) / 2)


@pytest.mark.parametrize("key", PUBLISHED)
def test_measured_laws_say_what_an_earlier_fit_said(key: tuple[str, str, int]) -> None:
    law = engine_law(*key)
    (a, b, c), (d0, d1, d2) = PUBLISHED[key]
    for tokens in (512, 2048, 8192, 32768):
        before = a + b * tokens + c * max(0, tokens - 2048)
        assert 1000 * law.prefill_seconds(tokens) == pytest.approx(before, rel=0.12)
    for batch, context in ((1, 576), (1, 8256), (16, 576), (64, 576)):
        before = d0 + d1 * batch + d2 * batch * context / 1000
        assert 1000 * law.decode_seconds(batch, context) == pytest.approx(before, rel=0.05)


def test_errors_of_measured_laws_stay_within_twelve_percent() -> None:
    measured = [law for law in shipped_laws() if law.kind is LawKind.MEASURED]
    assert len(measured) == 8
    assert all(max(law.prefill.mape, law.decode.mape) < 0.12 for law in measured)


def test_every_shipped_law_makes_an_engine_that_gets_slower_with_work() -> None:
    for law in shipped_laws():
        engine = law.engine()
        assert isinstance(engine, EngineLaw)
        assert engine.prefill_seconds(100) < engine.prefill_seconds(4000)
        assert engine.decode_seconds(1, 100) < engine.decode_seconds(64, 4000)
        assert engine.kv_tokens > 1000


def test_what_was_measured_comes_first_and_the_rest_is_labelled() -> None:
    assert fitted_law("Llama2-70B", "A100", 8).kind is LawKind.MEASURED
    assert fitted_law("llama2-70b", "a100", 8).label == "measured"
    assert fitted_law("llama2-70b", "a100", 8, kind=LawKind.COMPOSED).label == (
        "extrapolated (composed)"
    )
    bloom = fitted_law("bloom-176b", "h100-80gb", 8)
    assert bloom.label == "extrapolated (scaled)"
    assert "scaled from" in bloom.notes[0]


def test_a_larger_batch_than_measured_is_told_by_fitted_batch() -> None:
    law = engine_law("llama-3.1-8b", "a100-80gb", 4, max_batch=128)
    assert (law.max_batch, law.fitted_batch) == (128, 32)
    assert engine_law("llama-3.1-8b", "a100-80gb", 4).max_batch == 32
    assert engine_law("bloom-176b", "a100-80gb", 8).fitted_batch == 1


def test_an_unknown_law_names_what_there_is() -> None:
    with pytest.raises(UnknownEngineLaw, match=r"8 × a100-80gb \(measured\)"):
        engine_law("llama2-70b", "a100-80gb", 16)
    with pytest.raises(UnknownEngineLaw, match="on no GPU"):
        engine_law("gpt-2", "a100-80gb", 1)


def test_laws_survive_their_file(tmp_path: Path) -> None:
    file = tmp_path / "laws.yaml"
    write_laws(shipped_laws(), file)
    assert read_laws(file) == shipped_laws()
    law = shipped_laws()[0]
    assert law_of(law_mapping(law)) == law


@pytest.mark.parametrize("text", ["laws: [{}]", "- 1", "laws: [{model: x", ""])
def test_a_broken_laws_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "laws.yaml"
    file.write_text(text)
    with pytest.raises(InvalidProfile, match="not a file of engine laws"):
        read_laws(file)
