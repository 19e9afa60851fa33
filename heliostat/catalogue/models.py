"""Models in the catalogue file: engine laws, tiers and their SLOs."""

from __future__ import annotations

from collections.abc import Mapping

from heliostat.catalogue.reader import Reader, known, name_of
from heliostat.catalogue.specs import ModelSpec, Slo, TierSpec
from heliostat.errors import HeliostatError, InvalidCatalogue
from heliostat.model.engine import EngineLaw
from heliostat.model.names import ModelName, Tier, VmTypeName


def parse_model(reader: Reader, vm_names: list[VmTypeName]) -> ModelSpec:
    """One model. Raises InvalidCatalogue."""
    reader.only("name", "weights_gb", "tiers", "engines")
    engines = {known(law, name, vm_names): _law(law) for name, law in reader.at("engines").items()}
    if not engines:
        raise reader.fail("has no engine: needs an engine law for at least one VM type")
    tiers = tuple(_tier(spec, name, engines) for name, spec in reader.at("tiers").items())
    if not tiers:
        raise reader.fail("needs at least one tier")
    return ModelSpec(
        name=ModelName(name_of(reader.at("name"))),
        weights_bytes=reader.at("weights_gb").bytes_of_gb(),
        tiers=tiers,
        engines=engines,
    )


def _law(reader: Reader) -> EngineLaw:
    reader.only(
        "prefill_ms", "decode_ms", "kv_bytes_per_token", "kv_gb", "max_batch", "fitted_batch"
    )
    prefill = [number.number() / 1000 for number in reader.at("prefill_ms").each()]
    decode = [number.number() / 1000 for number in reader.at("decode_ms").each()]
    if len(prefill) != 3 or len(decode) != 3:
        raise reader.fail("prefill_ms and decode_ms need three coefficients each (a b c, d0 d1 d2)")
    try:
        return EngineLaw(
            prefill_base=prefill[0],
            prefill_per_token=prefill[1],
            prefill_per_token_beyond_knee=prefill[2],
            decode_base=decode[0],
            decode_per_sequence=decode[1],
            decode_per_sequence_kilotoken=decode[2],
            kv_bytes_per_token=reader.at("kv_bytes_per_token").count(least=1),
            kv_bytes_available=reader.at("kv_gb").bytes_of_gb(),
            max_batch=reader.at("max_batch").count(least=1),
            fitted_batch=reader.at("fitted_batch").count(least=1),
        )
    except InvalidCatalogue:
        raise
    except HeliostatError as error:
        raise reader.fail(str(error)) from error


def _tier(reader: Reader, name: str, engines: Mapping[VmTypeName, EngineLaw]) -> TierSpec:
    reader.only(
        "ttft_seconds",
        "ttft_prefill_multiple",
        "reference_vm_type",
        "itl_seconds",
        "latency_budget_ms",
        "deadline_seconds",
        "attainment",
        "input_tokens",
        "output_tokens",
        "residency",
    )
    try:
        tier = Tier.parse(name)
    except HeliostatError as error:
        raise reader.fail(str(error)) from error
    return TierSpec(
        tier=tier,
        slo=_slo(reader, engines),
        assumed_input_tokens=reader.at("input_tokens").positive(),
        assumed_output_tokens=reader.at("output_tokens").positive(),
        residency=reader.maybe("residency", Reader.texts, frozenset[str]()),
    )


def _slo(reader: Reader, engines: Mapping[VmTypeName, EngineLaw]) -> Slo:
    multiple = reader.maybe("ttft_prefill_multiple", Reader.number, 0.0)
    reference = reader.at("reference_vm_type").text() if multiple else ""
    if reference:
        known(reader, reference, list(engines))
    attainment = reader.maybe("attainment", Reader.positive, 0.99)
    if attainment >= 1:
        raise reader.at("attainment").fail("must be within (0, 1)")
    return Slo(
        ttft_floor_seconds=reader.at("ttft_seconds").positive(),
        ttft_prefill_multiple=multiple,
        reference_vm_type=VmTypeName(reference),
        itl_seconds=reader.at("itl_seconds").positive(),
        latency_budget_seconds=reader.at("latency_budget_ms").number() / 1000,
        deadline=reader.maybe("deadline_seconds", Reader.seconds, None),
        attainment=attainment,
    )
