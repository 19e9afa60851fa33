"""Engine laws that agents refitted, in both directions."""

from __future__ import annotations

from heliostat.model.measured_law import MeasuredLaw
from heliostat.model.names import PoolKey
from heliostat.v1 import fleet_pb2
from services.translation.names import pool_to_wire


def law_to_wire(law: MeasuredLaw) -> fleet_pb2.MeasuredLaw:
    """The law and what it rests on."""
    return fleet_pb2.MeasuredLaw(
        pool=pool_to_wire(law.pool),
        prefill_base_seconds=law.prefill_base,
        prefill_seconds_per_token=law.prefill_per_token,
        prefill_seconds_per_token_beyond_knee=law.prefill_per_token_beyond_knee,
        decode_base_seconds=law.decode_base,
        decode_seconds_per_sequence=law.decode_per_sequence,
        decode_seconds_per_sequence_kilotoken=law.decode_per_sequence_kilotoken,
        error_ratio=law.error,
        prefills=law.prefills,
        iterations=law.iterations,
        shortest_prompt_tokens=law.prompt_tokens[0],
        longest_prompt_tokens=law.prompt_tokens[1],
        fewest_sequences=law.sequences[0],
        most_sequences=law.sequences[1],
        prefill_ratio=law.prefill_ratio,
        iteration_ratio=law.iteration_ratio,
    )


def law_from_wire(law: fleet_pb2.MeasuredLaw, pool: PoolKey) -> MeasuredLaw:
    """The law of that pool, which the caller has read. Raises InvalidInput for times that cannot be."""
    return MeasuredLaw(
        pool=pool,
        prefill_base=law.prefill_base_seconds,
        prefill_per_token=law.prefill_seconds_per_token,
        prefill_per_token_beyond_knee=law.prefill_seconds_per_token_beyond_knee,
        decode_base=law.decode_base_seconds,
        decode_per_sequence=law.decode_seconds_per_sequence,
        decode_per_sequence_kilotoken=law.decode_seconds_per_sequence_kilotoken,
        error=law.error_ratio,
        prefills=law.prefills,
        iterations=law.iterations,
        prompt_tokens=(law.shortest_prompt_tokens, law.longest_prompt_tokens),
        sequences=(law.fewest_sequences, law.most_sequences),
        prefill_ratio=law.prefill_ratio,
        iteration_ratio=law.iteration_ratio,
    )
