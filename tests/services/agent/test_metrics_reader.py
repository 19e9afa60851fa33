"""What engines say of themselves on `/metrics`: absent is missing, and never zero."""

from heliostat.model.names import RegionName, Tier
from services.agent.meter import EngineMeter
from services.agent.metrics_reader import CounterMemory, parse_metrics
from tests.builders import MINUTE, NOON, a_pool

VLLM = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.2
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.4
# TYPE vllm:prompt_tokens counter
vllm:prompt_tokens_total{engine="0",model_name="m"} 1000.0
# TYPE vllm:request_success counter
vllm:request_success_total{finished_reason="stop",model_name="m"} 5.0
vllm:request_success_total{finished_reason="length",model_name="m"} 2.0
"""


def test_label_sets_of_one_engine_are_put_together() -> None:
    scrape = parse_metrics(VLLM)
    assert (scrape.running_requests, scrape.waiting_requests) == (7, 1)
    assert scrape.kv_occupancy is not None
    assert abs(scrape.kv_occupancy - 0.3) < 1e-9
    assert scrape.counters["finished_requests"] == 7


def test_what_is_absent_is_missing_and_not_zero() -> None:
    scrape = parse_metrics("# TYPE other gauge\nother 1\n")
    assert scrape.running_requests is None
    assert scrape.kv_occupancy is None
    assert set(scrape.counters.values()) == {None}


def test_older_names_and_sglang_are_understood() -> None:
    assert parse_metrics("vllm:gpu_cache_usage_perc 0.5\n").kv_occupancy == 0.5
    sglang = parse_metrics(
        "sglang:num_running_reqs 2\nsglang:num_queue_reqs 1\nsglang:token_usage 0.1\n"
    )
    assert (sglang.running_requests, sglang.waiting_requests, sglang.kv_occupancy) == (2, 1, 0.1)


def test_nan_is_not_a_measurement() -> None:
    assert parse_metrics("vllm:kv_cache_usage_perc NaN\n").kv_occupancy is None


def test_a_counter_that_fell_was_reset() -> None:
    memory = CounterMemory()
    steps = [100.0, 130.0, 20.0, None, 25.0]
    added = [memory.added("engine", {"tokens": value})["tokens"] for value in steps]
    assert added == [None, 30.0, 20.0, None, 5.0]


def test_engines_do_not_share_counters() -> None:
    memory = CounterMemory()
    memory.added("one", {"tokens": 100.0})
    assert memory.added("two", {"tokens": 500.0}) == {"tokens": None}


def test_a_closed_minute_becomes_a_window_and_the_first_one_is_left_out() -> None:
    now = [NOON]
    meter = EngineMeter(region=RegionName("east"), tier=Tier.BATCH, clock=lambda: now[0])
    for minute in range(3):
        now[0] = NOON + MINUTE * minute
        for engine, tokens in (("one", 10.0), ("two", None if minute == 2 else 5.0)):
            added = {"finished_requests": 2.0, "prompt_tokens": 100.0, "generated_tokens": tokens}
            meter.heard(engine, a_pool(), added)
    windows = meter.closed_windows(NOON + 3 * MINUTE)
    assert [w.start for w in windows] == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert [w.offered for w in windows] == [4, 4]
    assert [w.output_tokens for w in windows] == [15, None]
    assert meter.closed_windows(NOON + 4 * MINUTE) == ()


def test_after_the_clock_was_set_back_only_minutes_that_were_seen_whole_are_told() -> None:
    now = [NOON]
    meter = EngineMeter(region=RegionName("east"), tier=Tier.BATCH, clock=lambda: now[0])
    hour = 60 * MINUTE
    for at in (hour, hour + MINUTE, hour + 1.5 * MINUTE, 2 * MINUTE, 2.5 * MINUTE, 3 * MINUTE):
        now[0] = NOON + at
        meter.heard("one", a_pool(), {"finished_requests": 2.0})
    told = [(w.start, w.offered) for w in meter.closed_windows(NOON + 4 * MINUTE)]
    assert told == [(NOON + 3 * MINUTE, 2)]
    assert meter.closed_windows(NOON + 2 * hour) == ()
