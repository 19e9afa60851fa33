"""Reads `/metrics` of vLLM and SGLang engines: gauges, and counters across restarts; never invents values.

Names change between versions: each quantity has a list of aliases, the first present one counts. A
metric that is absent is None, never 0: a removed name must not look like an idle engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

RUNNING = ("vllm:num_requests_running", "sglang:num_running_reqs")
WAITING = ("vllm:num_requests_waiting", "sglang:num_queue_reqs")
KV = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "sglang:token_usage")
PROMPT_TOKENS = ("vllm:prompt_tokens_total", "sglang:prompt_tokens_total")
GENERATED_TOKENS = ("vllm:generation_tokens_total", "sglang:generation_tokens_total")
FINISHED = ("vllm:request_success_total", "sglang:num_requests_total")
QUEUE_SUM = ("vllm:request_queue_time_seconds_sum", "sglang:queue_time_seconds_sum")
QUEUE_COUNT = ("vllm:request_queue_time_seconds_count", "sglang:queue_time_seconds_count")
GAP_SUM = (
    "vllm:inter_token_latency_seconds_sum",
    "vllm:time_per_output_token_seconds_sum",
    "sglang:inter_token_latency_seconds_sum",
)
GAP_COUNT = tuple(name.removesuffix("_sum") + "_count" for name in GAP_SUM)
PREFILL_SUM = ("vllm:request_prefill_time_seconds_sum",)
PREFILL_COUNT = ("vllm:request_prefill_time_seconds_count",)
PREFILL_TOKENS = ("vllm:request_prompt_tokens_sum",)
COUNTERS = {
    "prompt_tokens": PROMPT_TOKENS,
    "generated_tokens": GENERATED_TOKENS,
    "finished_requests": FINISHED,
    "queue_seconds": QUEUE_SUM,
    "queued_requests": QUEUE_COUNT,
    "gap_seconds": GAP_SUM,
    "gaps": GAP_COUNT,
    "prefill_seconds": PREFILL_SUM,
    "prefills": PREFILL_COUNT,
    "prefill_tokens": PREFILL_TOKENS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """One look at one engine; gauges as they stand, counters since the engine's start. None = absent."""

    running_requests: int | None = None
    waiting_requests: int | None = None
    kv_occupancy: float | None = None
    counters: Mapping[str, float | None] = field(default_factory=dict)
    """By the names of COUNTERS."""


def parse_metrics(text: str) -> Scrape:
    """The engine's exposition text. Raises ValueError when it is none."""
    values: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if math.isfinite(sample.value):
                values.setdefault(sample.name, []).append(sample.value)
    return Scrape(
        running_requests=_whole(_sum(values, RUNNING)),
        waiting_requests=_whole(_sum(values, WAITING)),
        kv_occupancy=_mean(values, KV),
        counters={name: _sum(values, aliases) for name, aliases in COUNTERS.items()},
    )


class CounterMemory:
    """Turns counters into what was added since the look before, across engine restarts."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, str], float] = {}

    def added(self, engine: str, counters: Mapping[str, float | None]) -> dict[str, float | None]:
        """Per counter the increase since the last look at that engine.

        None on the first look (what came before is not ours to count) and while it is absent. A counter
        that fell was reset: all that it shows was added since.
        """
        added: dict[str, float | None] = {}
        for name, value in counters.items():
            before = self._before.get((engine, name))
            if value is None:
                added[name] = None
                continue
            self._before[engine, name] = value
            if before is None:
                added[name] = None
            else:
                added[name] = value - before if value >= before else value
        return added

    def keep_only(self, engines: Iterable[str]) -> None:
        """Forget engines that are gone."""
        kept = set(engines)
        self._before = {key: value for key, value in self._before.items() if key[0] in kept}


def _first(values: Mapping[str, list[float]], aliases: Iterable[str]) -> list[float]:
    return next((values[alias] for alias in aliases if alias in values), [])


def _sum(values: Mapping[str, list[float]], aliases: Iterable[str]) -> float | None:
    """Over the engine's label sets (data-parallel ranks, finish reasons)."""
    found = _first(values, aliases)
    return math.fsum(found) if found else None


def _mean(values: Mapping[str, list[float]], aliases: Iterable[str]) -> float | None:
    found = _first(values, aliases)
    return math.fsum(found) / len(found) if found else None


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)
