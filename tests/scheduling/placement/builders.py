"""Any fleet, and any request."""

from __future__ import annotations

from hypothesis import strategies as st

from scheduling.request import Request
from scheduling.workers import Workers
from tests.scheduling.builders import MODEL, a_law, a_promise, a_request

SIZES = st.integers(1, 6000)
LAWS = st.builds(
    a_law,
    prefill_per_token=st.sampled_from([5e-5, 1e-4, 4e-4]),
    decode_base=st.sampled_from([0.02, 0.05]),
    decode_per_sequence=st.sampled_from([1e-4, 5e-3]),
    kv_bytes_available=st.sampled_from([6_000_000, 20_000_000, 10**8]),
    max_batch=st.sampled_from([2, 5, 256]),
    error=st.sampled_from([0.0, 0.2]),
)
PROMISES = st.builds(
    a_promise,
    ttft_seconds=st.sampled_from([0.2, 1.0, 60.0]),
    itl_seconds=st.sampled_from([0.025, 0.06, 0.1, 1.0]),
)


@st.composite
def requests(draw: st.DrawFn, name: object = "new") -> Request:
    """A request at 0 seconds."""
    return a_request(
        name,
        input_tokens=draw(SIZES),
        output=draw(st.integers(1, 900)),
        promise=draw(PROMISES),
    )


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Workers, dict[str, list[Request]]]:
    """Up to four replicas with what is booked on each, all before 0 seconds."""
    workers = Workers(MODEL)
    booked: dict[str, list[Request]] = {}
    for place in range(draw(st.integers(0, 4))):
        name = f"a{place}"
        row = workers.appear(name, draw(LAWS), -2.0)
        booked[name] = draw(st.lists(requests(), max_size=4))
        for number, request in enumerate(booked[name]):
            one = a_request(
                f"{name}-{number}",
                input_tokens=request.input_tokens,
                output=request.length.mean_tokens,
                promise=request.promise,
            )
            booked[name][number] = one
            workers.book(row, one, draw(st.sampled_from([-2.0, -0.5, -0.1])))
        state = draw(st.sampled_from(["takes", "takes", "takes", "drains", "stale"]))
        if state == "drains":
            workers.drain(name)
        elif state == "stale":
            workers.rows[row]["fresh"] = 0
    return workers, booked
