"""Compiles the placement code before the first request needs it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import Tier
from scheduling.laws.law import WorkerLaw
from scheduling.lengths.prediction import LengthPrediction, LengthPredictor
from scheduling.ordering.port import Ordering, Queue
from scheduling.placement.placer import Placer
from scheduling.request import Promise, Request
from scheduling.workers import Workers
from services.agent.dispatch.line import shared


def warm_up(
    catalogue: FleetCatalogue, placer: Placer, ordering: Ordering, predictor: LengthPredictor
) -> None:
    """Place and book a request on a replica of nowhere, let it begin, go on and end, order a queue, and leave
    no trace; that predictor, which nobody else has, is told of it. The placer asks the same of one replica
    as of all."""
    for pool in catalogue.pools[:1]:
        workers = Workers(pool.key.model)
        law = WorkerLaw.of(catalogue.law(pool.key.model, pool.key.vm_type))
        row = workers.appear("nowhere", law, 0.0)
        request = Request(
            id="warm-up",
            model=pool.key.model,
            tier=Tier.BATCH,
            input_tokens=1,
            arrival=0.0,
            promise=Promise(ttft_seconds=1.0, itl_seconds=1.0),
            predicted=LengthPrediction.exactly(1),
        )
        placer.place(request, workers, 0.0)
        workers.book(row, request, 0.0)
        workers.begin(request.id, 0.0)
        workers.progress(request.id, 1, 1.0)
        workers.complete(request.id, 0.0)
        waiting = tuple(replace(request, id=name) for name in ("first", "second", "third"))
        queue = Queue(requests=waiting, latency=shared(law, 1.0, 1.0), now=0.0, batch_cap=1)
        ordering.order(queue, np.random.default_rng(0))
        for tier in catalogue.model(pool.key.model).tiers[:1]:
            predictor.observe(pool.key.model, tier.tier, 1, 1)
            predictor.predict(pool.key.model, tier.tier, 1)
