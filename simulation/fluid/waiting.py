"""How long requests wait in a queue that is not overloaded: closed forms, vectorised.

Sakasegawa's approximation of G/G/c (Annals of the Institute of Statistical Mathematics 29, 1977):
    Wq ≈ (Ca² + Cs²)/2 · ρ^(√(2(c+1)) − 1) ÷ (c·(1 − ρ)) · S
exact for M/M/1, and for M/G/1 (Pollaczek and Khinchine). It describes the steady state, which a
queue near ρ = 1 does not reach within a minute: started empty, after T seconds it holds about
√(2·λ·T·V/π) requests (reflected Brownian motion, V = (Ca² + Cs²)/2 · 2), so the mean wait over those T
is at most two thirds of that, divided by the rate at which it is served.
"""

from __future__ import annotations

import numpy as np

from simulation.columns import Floats

ARRIVAL_SCV = 1.0
"""Squared coefficient of variation of times between arrivals inside a minute: Poisson."""


def mean_wait(
    load: Floats, servers: Floats, service_seconds: Floats, service_scv: float, over_seconds: float
) -> Floats:
    """Mean seconds in the queue over `over_seconds`; `load` = λ·S/c, at most 1 (more is backlog)."""
    c = np.maximum(1.0, servers)
    spread = (ARRIVAL_SCV + service_scv) / 2
    steady = (
        spread * waiting_share(load, c) * service_seconds / (c * (1 - np.minimum(load, 0.9999)))
    )
    rate = c / np.maximum(service_seconds, 1e-9)
    drift = 2 / 3 * np.sqrt(4 * spread * load * rate * over_seconds / np.pi) / rate
    wait: Floats = np.minimum(steady, drift)
    return wait


def waiting_share(load: Floats, servers: Floats) -> Floats:
    """The share of requests that wait at all; ρ for one server."""
    exponent = np.sqrt(2 * (np.maximum(1.0, servers) + 1)) - 1
    share: Floats = np.minimum(load, 1.0) ** exponent
    return share


def drawn_wait(mean: Floats, share: Floats, u: Floats) -> Floats:
    """The wait at probability `u` ∈ (0, 1): none for `1 − share` of requests, else exponential."""
    share = np.maximum(share, 1e-12)
    waits = -(mean / share) * np.log(np.clip(u / share, 1e-12, 1.0))
    return np.where(u < share, waits, 0.0)
