"""The closed forms that the fluid engine's waits by chance must agree with."""

import numpy as np
import pytest

from simulation.fluid.waiting import drawn_wait, mean_wait, waiting_share

LONG = 1e9
"""So long that the steady state is reached."""


def wait(load: float, servers: float, service: float, scv: float, over: float = LONG) -> float:
    return float(
        mean_wait(np.array([load]), np.array([servers]), np.array([service]), scv, over)[0]
    )


@pytest.mark.parametrize("load", [0.1, 0.5, 0.9])
def test_one_server_with_exponential_service_waits_as_m_m_1(load: float) -> None:
    assert wait(load, 1, 2.0, scv=1.0) == pytest.approx(2.0 * load / (1 - load))


@pytest.mark.parametrize("load", [0.1, 0.5, 0.9])
def test_one_server_with_constant_service_waits_as_m_d_1(load: float) -> None:
    assert wait(load, 1, 2.0, scv=0.0) == pytest.approx(2.0 * load / (2 * (1 - load)))


def erlang_c_wait(load: float, servers: int, service: float) -> float:
    offered, blocking = load * servers, 1.0
    for n in range(1, servers + 1):
        blocking = offered * blocking / (n + offered * blocking)
    waits = blocking / (1 - load * (1 - blocking))
    return waits * service / (servers * (1 - load))


@pytest.mark.parametrize("servers", [2, 10, 40])
@pytest.mark.parametrize("load", [0.7, 0.9])
def test_many_servers_wait_about_as_erlang_c(load: float, servers: int) -> None:
    exact = erlang_c_wait(load, servers, 1.0)
    assert wait(load, servers, 1.0, scv=1.0) == pytest.approx(exact, rel=0.25, abs=0.005)


def test_a_queue_near_saturation_has_not_grown_to_its_steady_state_within_a_minute() -> None:
    assert wait(1.0, 1, 0.1, scv=1.0, over=60.0) < 0.1 * wait(0.9999, 1, 0.1, scv=1.0)


def test_the_transient_bound_agrees_with_a_simulated_critical_queue() -> None:
    rng = np.random.default_rng(5)
    minutes, means = 4000, []
    for _ in range(minutes):
        gaps, services = rng.exponential(0.1, 600), rng.exponential(0.1, 600)
        steps = np.concatenate([[0.0], services[:-1] - gaps[1:]]).cumsum()
        means.append((steps - np.minimum.accumulate(steps)).mean())
    assert wait(1.0, 1, 0.1, scv=1.0, over=60.0) == pytest.approx(np.mean(means), rel=0.1)


def test_drawn_waits_have_the_mean_and_the_share_asked_for() -> None:
    u = (np.arange(200_000) + 0.5) / 200_000
    mean, share = np.array([3.0]), waiting_share(np.array([0.6]), np.array([1.0]))
    drawn = drawn_wait(mean, share, u)
    assert drawn.mean() == pytest.approx(3.0, rel=0.01)
    assert (drawn > 0).mean() == pytest.approx(0.6, abs=1e-3)


def test_an_idle_queue_does_not_wait() -> None:
    assert wait(0.0, 4, 1.0, scv=1.0) == 0.0
