"""Laws fitted to measured times: what was behind them is found, and no error is hidden."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.profiles.fitting import FitReport, fit_laws
from simulation.profiles.law import FittedLaw, LawKind
from simulation.profiles.measured import measured_law
from simulation.profiles.reading import Profiles, read_profiles
from simulation.profiles.selection import lessons
from simulation.profiles.shipped import shipped_laws
from tests.simulation.profiles.tables import (
    KEY,
    LAW,
    SETTINGS,
    a_row,
    an_iteration_file,
    decode,
    operator_files,
    some_rows,
)
from tests.support.measured import measured, needs_data

of_public_profiles = needs_data("laws of the public profiles")


def law_of(report: FitReport, kind: LawKind, model: str = "llama2-70b", gpus: int = 2) -> FittedLaw:
    return next(
        law
        for law in report.laws
        if (law.kind, law.key.model, law.key.gpu, law.key.tensor_parallel)
        == (kind, model, "a100-80gb", gpus)
    )


@given(
    factors=st.lists(st.floats(0.2, 5.0), min_size=6, max_size=6),
)
def test_the_law_behind_exact_measurements_is_found(factors: list[float]) -> None:
    law = {name: LAW[name] * factor for name, factor in zip(LAW, factors, strict=True)}
    (learnt,) = lessons([a_row(*setting, law=law) for setting in SETTINGS])
    found, _ = measured_law(learnt)
    assert found is not None
    assert found.prefill.coefficients == pytest.approx([law["a"], law["b"], law["c"]], rel=1e-6)
    assert found.decode.coefficients == pytest.approx([law["d0"], law["d1"], law["d2"]], rel=1e-6)
    assert found.prefill.worst < 1e-6
    assert found.decode.worst < 1e-6


@given(noise=st.lists(st.floats(0.5, 2.0), min_size=len(SETTINGS), max_size=len(SETTINGS)))
def test_no_coefficient_is_negative_and_no_error_is_hidden(noise: list[float]) -> None:
    rows = [
        a_row(*setting, law={**LAW, "d0": LAW["d0"] * factor, "a": LAW["a"] * factor})
        for setting, factor in zip(SETTINGS, noise, strict=True)
    ]
    (learnt,) = lessons(rows)
    found, why = measured_law(learnt)
    if found is None:
        assert why
        return
    assert min(found.prefill.coefficients + found.decode.coefficients) >= 0
    d0, d1, d2 = found.decode.coefficients
    worst = max(
        abs((d0 + d1 * p.batch + d2 * p.batch * p.context_tokens / 1000) / p.seconds - 1)
        for p in learnt.decode
    )
    assert found.decode.worst == pytest.approx(worst)
    assert found.decode.mape <= worst


def test_the_range_is_what_was_measured() -> None:
    (learnt,) = lessons(some_rows())
    law, _ = measured_law(learnt)
    assert law is not None
    assert law.range.prefill_tokens == (128, 512 * 64)
    assert (law.range.most_batch, law.range.most_context_tokens) == (64, 8256)
    assert law.range.beyond(64, 576) == ""
    assert "batch 65" in law.range.beyond(65, 10)
    assert "context 9000" in law.range.beyond(1, 9000)
    assert "tokens in a batch" in law.range.beyond(32, 8000)


def test_too_few_settings_give_no_law_and_say_so() -> None:
    (learnt,) = lessons([a_row(), a_row(), a_row(1024)])
    law, why = measured_law(learnt)
    assert law is None
    assert "2 usable prefill settings" in why
    (one_batch,) = lessons([a_row(128 * 2**i) for i in range(7)])
    law, why = measured_law(one_batch)
    assert law is None
    assert "are not enough to determine d0, d1 and d2" in why


def test_operator_times_add_up_to_a_law(tmp_path: Path) -> None:
    """L · (linear + attention) + 2 · L · all-reduce, with 8,192 hidden values of two bytes a token."""
    operator_files(tmp_path)
    report = fit_laws(read_profiles(tmp_path))
    law = law_of(report, LawKind.COMPOSED)
    fixed = 80 * (0.5 + 0.01) + 160 * 0.02
    per_token = 80 * 0.001 + 160 * 2 * 8192 * 1e-9
    d0, d1, d2 = (1000 * value for value in law.decode.coefficients)
    assert (d0, d1) == pytest.approx((fixed, per_token), rel=1e-3)
    assert d2 == pytest.approx(80 * 1e-3, rel=1e-3)
    a, b, _ = (1000 * value for value in law.prefill.coefficients)
    assert a == pytest.approx(fixed, rel=1e-2)
    assert b == pytest.approx(per_token + 80 * 1e-5, rel=1e-2)


def test_a_model_that_nobody_measured_is_scaled_by_parameters_and_says_so(tmp_path: Path) -> None:
    operator_files(tmp_path)
    report = fit_laws(read_profiles(tmp_path))
    own, scaled = (
        law_of(report, kind, model)
        for kind, model in ((LawKind.COMPOSED, "llama2-70b"), (LawKind.SCALED, "llama3-70b"))
    )
    assert scaled.decode.coefficients == pytest.approx(own.decode.coefficients, rel=0.01)
    assert scaled.notes == ("layers scaled from llama2-70b by parameters",)
    assert scaled.label == "extrapolated (scaled)"
    small = law_of(report, LawKind.SCALED, "llama-3.1-8b")
    assert small.decode.coefficients[0] < own.decode.coefficients[0] / 5
    assert small.engine().fitted_batch == 1


def test_weights_that_do_not_fit_and_missing_networks_are_reasons(tmp_path: Path) -> None:
    operator_files(tmp_path)
    report = fit_laws(read_profiles(tmp_path))
    why = dict(report.without_law)
    assert "weights do not fit" in next(w for key, w in why.items() if key.model == "bloom-176b")
    (tmp_path / "sums.csv").unlink()
    alone = fit_laws(read_profiles(tmp_path))
    assert not alone.laws
    assert any("no all-reduce times of 2 GPUs" in w for _, w in alone.without_law)


def test_measured_and_summed_times_are_compared_where_both_exist(tmp_path: Path) -> None:
    operator_files(tmp_path)
    an_iteration_file(tmp_path)
    file = tmp_path / "runs.csv"
    file.write_text(file.read_text().replace("a100-80gb,8", "a100-80gb,2"))
    (compared,) = fit_laws(read_profiles(tmp_path)).agreements
    assert compared.measured_seconds == pytest.approx(decode(1, 576))
    summed = 80 * (0.501 + 0.01 + 576e-6) + 160 * (0.02 + 16384e-9)
    assert 1000 * compared.composed_seconds == pytest.approx(summed, rel=1e-3)


def test_nothing_read_gives_nothing() -> None:
    report = fit_laws(Profiles())
    assert (report.laws, report.without_law, report.agreements) == ((), (), ())


# --- the public profiles -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def public() -> FitReport:
    return fit_laws(read_profiles(measured("profiles")))


@of_public_profiles
def test_the_laws_that_ship_are_those_of_the_public_profiles(public: FitReport) -> None:
    shipped = {(law.key, law.kind): law for law in shipped_laws()}
    assert set(shipped) == {(law.key, law.kind) for law in public.laws}
    for law in public.laws:
        known = shipped[law.key, law.kind]
        assert known.prefill.coefficients == pytest.approx(law.prefill.coefficients, rel=1e-3)
        assert known.decode.coefficients == pytest.approx(law.decode.coefficients, rel=1e-3)
        assert (known.range, known.notes, known.licence) == (law.range, law.notes, "MIT")
        assert known.decode.mape == pytest.approx(law.decode.mape, abs=1e-3)


@of_public_profiles
def test_sums_of_operators_agree_with_measured_iterations_of_llama2_70b_on_two_a100(
    public: FitReport,
) -> None:
    """51–54 ms summed, 54.9 ms measured."""
    found = next(
        one
        for one in public.agreements
        if (one.key.model, one.key.gpu, one.key.tensor_parallel) == ("llama2-70b", "a100-80gb", 2)
    )
    assert 1000 * found.measured_seconds == pytest.approx(54.9, abs=0.1)
    assert 51 <= 1000 * found.composed_seconds <= 54
    assert abs(found.prefill_difference) < 0.05


@of_public_profiles
def test_all_rows_are_used_or_left_out(public: FitReport) -> None:
    iterations = next(file for file in public.files if file.name == "iteration_profiles_runs.csv")
    measured = [law for law in public.laws if law.kind is LawKind.MEASURED]
    for kind in ("prefill", "decode"):
        used = sum(getattr(law, kind).rows for law in measured)
        out = sum(
            rows
            for reasons in public.left_out.values()
            for why, rows in reasons.items()
            if why.startswith(kind)
        )
        assert used + out == iterations.rows == 1145
    assert all(key.gpu != "h100-80gb-pcap" for key in (law.key for law in measured))
    assert KEY in {law.key for law in measured}
