"""The engine laws in force: the catalogue's, refitted per pool to observations.

A refitted law comes into force once it rests on enough, and again whenever it has moved. What was learnt
is memory of this process: after a restart the catalogue's laws are in force until as much was seen again.
"""

from __future__ import annotations

import math

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import NotFound
from heliostat.model.dispatch import Completion, CompletionOutcome
from heliostat.model.measured_law import MeasuredLaw
from heliostat.model.names import PoolKey
from scheduling.booking import Company
from scheduling.laws.law import WorkerLaw
from scheduling.laws.online import OnlineLaw, Refit, Seen
from services.agent.dispatch.iterations import (
    SeenIteration,
    SeenPrefill,
    iteration_behind,
    iteration_of,
    prefill_behind,
    prefill_of,
)
from services.agent.dispatch.ledger import Lease
from services.agent.drivers.vm.cloud import EngineWork

LEAST_SEEN = 20
"""Observations before a refitted law comes into force."""
_LIVE = Refit(memory=200.0, noise=0.3)
"""Observations are means of seconds of work: they are surer than single iterations, and there are fewer."""
_MOVED = 0.01
"""A law that differs by less from the one in force is not worth writing to every replica."""
_RENEWAL_SECONDS = 1.0
_MOST_A_RENEWAL = 20
"""Observations of one pool between two renewals: one takes 30 µs, and a thousand engines report at once."""
_ENGINES_KNOW_SECONDS = 120.0
"""So long after engines of a pool measured gaps, what gateways measure is left aside."""


class PoolLaws:
    """One law per pool of this region; for one thread, but for `told`. `renew` is called at every beat."""

    def __init__(self, catalogue: FleetCatalogue) -> None:
        self._catalogue = catalogue
        self._priors: dict[PoolKey, WorkerLaw | None] = {}
        self._in_force: dict[PoolKey, WorkerLaw] = {}
        self._online: dict[PoolKey, OnlineLaw] = {}
        self._news: dict[PoolKey, int] = {}
        self._engines_told: dict[PoolKey, float] = {}
        self._renewed_at = -math.inf
        self.changes = 0
        """How often a law came into force."""
        self.told: tuple[MeasuredLaw, ...] = ()
        """Every law that was refitted and is in force, by pool, as of the last renewal; replaced whole, so
        that any thread may read it."""

    def law(self, pool: PoolKey) -> WorkerLaw | None:
        """The one in force; None = the catalogue does not say how that model runs there."""
        return self._in_force.get(pool) or self._prior(pool)

    def engine_worked(self, pool: PoolKey, work: EngineWork, kv_tokens: float, now: float) -> None:
        """An engine of the pool did that between two looks, and holds so many tokens."""
        law = self.law(pool)
        if law is None:
            return
        if work.gaps is not None:
            self._engines_told[pool] = now
        if self._news.get(pool, 0) < _MOST_A_RENEWAL:
            self._learn(pool, prefill_of(work), iteration_of(work, kv_tokens, law))

    def request_ended(
        self, lease: Lease, completion: Completion, company: Company | None, now: float
    ) -> None:
        """A request that held a place ended among that company (None: it was not booked any more); one
        that did not finish tells nothing."""
        pool, told = lease.place.pool, self._engines_told.get(lease.place.pool)
        if told is not None and now - told < _ENGINES_KNOW_SECONDS:
            return
        law, finished = self.law(pool), completion.outcome is CompletionOutcome.FINISHED
        if (
            law is None
            or company is None
            or not finished
            or self._news.get(pool, 0) >= _MOST_A_RENEWAL
        ):
            return
        self._learn(
            pool,
            prefill_behind(completion, lease.ask.input_tokens, lease.expected_ttft_seconds, law),
            iteration_behind(completion, company),
        )

    def renew(self, now: float) -> None:
        """Put into force what moved since the last time, a second ago or more."""
        if now - self._renewed_at < _RENEWAL_SECONDS:
            return
        self._renewed_at = now
        for pool in self._news:
            online, before = self._online[pool], self.law(pool)
            seen = online.seen
            if before is None or seen.prefills + seen.iterations < LEAST_SEEN:
                continue
            law = online.law
            if pool not in self._in_force or _moved(before, law, seen):
                self._in_force[pool] = law
                self.changes += 1
        if self._news:
            self._news.clear()
            self.told = self._measured()

    def _measured(self) -> tuple[MeasuredLaw, ...]:
        return tuple(
            _measured(pool, law, prior, self._online[pool].seen)
            for pool, law in sorted(self._in_force.items())
            if (prior := self._prior(pool)) is not None
        )

    def _prior(self, pool: PoolKey) -> WorkerLaw | None:
        if pool not in self._priors:
            try:
                self._priors[pool] = WorkerLaw.of(self._catalogue.law(pool.model, pool.vm_type))
            except NotFound:
                self._priors[pool] = None
        return self._priors[pool]

    def _learn(
        self, pool: PoolKey, prefill: SeenPrefill | None, iteration: SeenIteration | None
    ) -> None:
        online = self._online.get(pool)
        if online is None:
            prior = self._prior(pool)
            assert prior is not None  # the callers asked for the law
            online = self._online[pool] = OnlineLaw(prior, _LIVE)
        if prefill is not None:
            online.saw_prefill(prefill.tokens, prefill.seconds)
        if iteration is not None:
            online.saw_decode(iteration.sequences, iteration.tokens, iteration.seconds)
        if prefill is not None or iteration is not None:
            self._news[pool] = self._news.get(pool, 0) + 1


def _moved(before: WorkerLaw, law: WorkerLaw, seen: Seen) -> bool:
    """True when some time that either tells differs by more than is worth leaving."""
    times = zip(_times(before, seen), _times(law, seen), strict=True)
    return any(abs(now / then - 1.0) > _MOVED for then, now in times)


def _times(law: WorkerLaw, seen: Seen) -> tuple[float, ...]:
    """Error included, at both ends of what was seen."""
    slower = 1.0 + law.error
    prompts = [max(1.0, tokens) for tokens in seen.prompt_tokens]
    loads = zip(seen.sequences, seen.context_tokens, strict=True)
    return (
        *(slower * law.prefill_seconds(tokens) for tokens in prompts),
        *(slower * law.iteration_seconds(max(1.0, b), max(1.0, c)) for b, c in loads),
    )


def _measured(pool: PoolKey, law: WorkerLaw, prior: WorkerLaw, seen: Seen) -> MeasuredLaw:
    prompt = max(1.0, sum(seen.prompt_tokens) / 2)
    sequences = max(1.0, sum(seen.sequences) / 2)
    context = max(1.0, sum(seen.context_tokens) / 2)
    return MeasuredLaw(
        pool=pool,
        prefill_base=law.prefill_base,
        prefill_per_token=law.prefill_per_token,
        prefill_per_token_beyond_knee=law.prefill_per_token_beyond_knee,
        decode_base=law.decode_base,
        decode_per_sequence=law.decode_per_sequence,
        decode_per_sequence_kilotoken=1000 * law.decode_per_token,
        error=law.error,
        prefills=seen.prefills,
        iterations=seen.iterations,
        prompt_tokens=seen.prompt_tokens,
        sequences=seen.sequences,
        prefill_ratio=law.prefill_seconds(prompt) / prior.prefill_seconds(prompt),
        iteration_ratio=law.iteration_seconds(sequences, context)
        / prior.iteration_seconds(sequences, context),
    )
