"""Carries out absolute targets on a cloud of VMs: the intent is written down before the cloud is asked.

```
command ─► intent (journalled) ─► chunk: planned ─► sent (journalled) ─► cloud ─► landed (journalled)
                               ├► move:  draining (journalled) ─► in flight 0 ─► redeploy ─► loading
                               └► release: draining (journalled) ─► in flight 0 ─► cloud ─► gone
```
A call that was cut short anywhere is repeated under the same token; a look by tag finds what a lost
answer would have told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from heliostat.errors import DriverUnavailable, Throttled, UnknownPool
from heliostat.model.command import Command, CommandProgress
from heliostat.model.fleet import RegionObservation
from heliostat.model.names import PoolKey, RegionName
from heliostat.ports.cloud import DriverAnswer
from services.agent.drivers.vm.claims import check_all_known
from services.agent.drivers.vm.cloud import EngineProber, VmCloud
from services.agent.drivers.vm.endings import error_of, is_settled, wait_while_in_doubt
from services.agent.drivers.vm.eyes import Eyes
from services.agent.drivers.vm.intents import intend, intent_id_of, under_way, without
from services.agent.drivers.vm.lookout import Lookout
from services.agent.drivers.vm.memory import ChunkState, DriverMemory, Intent
from services.agent.drivers.vm.report import Gauge, observation_of, progress_of
from services.agent.drivers.vm.steps import DriverLimits, Steps
from services.agent.drivers.vm.survey import Patience, Sighting, Survey
from services.log_events import report, say

_log = logging.getLogger(__name__)

_KEEP_GONE = timedelta(days=2)


class VmDriver:
    """Implements `heliostat.ports.cloud.CloudDriver` on any VmCloud."""

    def __init__(
        self,
        *,
        region: RegionName,
        pools: Collection[PoolKey],
        cloud: VmCloud,
        memory: DriverMemory,
        prober: EngineProber,
        gauge: Gauge,
        new_token: Callable[[], str],
        patience: Patience,
        limits: DriverLimits,
    ) -> None:
        self._region = region
        self._pools = tuple(sorted(pools))
        self._memory = memory
        self._gauge = gauge
        self._new_token = new_token
        self._patience = patience
        self._chunk_size = limits.chunk_size
        self._lookout = Lookout(
            eyes=Eyes(cloud=cloud, memory=memory, prober=prober, patience=patience),
            memory=memory,
            patience=patience,
        )
        self._steps = Steps(
            cloud=cloud,
            memory=memory,
            lookout=self._lookout,
            new_token=new_token,
            patience=patience,
            limits=limits,
        )
        self._reported: set[tuple[str, datetime | None]] = set()

    def apply(self, command: Command, now: datetime) -> DriverAnswer:
        for pool in command.order.pools:
            if pool not in self._pools:
                self.abandon(command, now)  # it may have begun while the catalogue had the pool
                raise UnknownPool(pool, remedy=f"{self._region} has no such pool")
        intent = self._memory.intent(intent_id_of(command))
        if intent is not None and intent.refusal is not None:
            raise error_of(intent.refusal)
        survey = self._lookout.look(now)
        intent = self._memory.intent(intent_id_of(command))  # a look may settle purchases
        if intent is None:
            intent, survey = self._begin(command, survey)
        if not intent.closed:
            intent, survey = self._steps.advance(intent, survey, now)
        if not intent.closed and is_settled(intent, survey):
            intent = replace(intent, closed_at=now)
            self._memory.save(intent=intent)
        return DriverAnswer(progress=progress_of(intent, survey), done=intent.closed)

    def abandon(self, command: Command, now: datetime) -> CommandProgress:
        survey = self._lookout.look(now)
        intent = self._memory.intent(intent_id_of(command))
        if intent is None:
            return CommandProgress()
        if not intent.closed:
            intent, survey = self._let_go(intent, survey, now)
        return progress_of(intent, survey)

    def abandon_others(self, commands: Sequence[Command], now: datetime) -> None:
        known = {intent_id_of(command) for command in commands}
        open_ones = [i.intent_id for i in self._memory.intents() if not i.closed]
        for intent_id in open_ones:
            if intent_id in known:
                continue
            survey = self._lookout.look(now)
            intent = self._memory.intent(intent_id)  # a look may settle purchases
            if intent is not None:
                self._let_go(intent, survey, now)
                say(_log, "intent_abandoned", level=logging.WARNING, intent=intent_id)

    def _let_go(self, intent: Intent, survey: Survey, now: datetime) -> tuple[Intent, Survey]:
        intent = without(intent, ChunkState.PLANNED)
        self._memory.save(intent=intent)
        wait_while_in_doubt(intent.waiting, now, self._patience)
        return self._steps.close(intent, survey, now)

    def observe(self, now: datetime) -> RegionObservation:
        self._memory.prune(now - _KEEP_GONE)
        survey = self._insist(self._lookout.look_again(now), now)
        fresh = [s for s in survey.ours if (s.record.vm_id, _ready(s)) not in self._reported]
        self._reported.update((s.record.vm_id, _ready(s)) for s in fresh)
        return observation_of(
            region=self._region,
            pools=self._pools,
            survey=survey,
            newly_seen=fresh,
            desired=self._desired(),
            gauge=self._gauge,
        )

    def _desired(self) -> Mapping[PoolKey, int]:
        """Targets of orders under way. Where none is, what stands is what is desired: the next plan sees what
        died, or came back, since."""
        busy = {pool for i in self._memory.intents() if not i.closed for pool, _ in i.targets}
        return {pool: n for pool, n in self._memory.desired().items() if pool in busy}

    def _insist(self, survey: Survey, now: datetime) -> Survey:
        """Repeat releases that did not take; a cloud that will not have it takes no sight away."""
        try:
            return self._steps.release_again(survey, now)
        except (Throttled, DriverUnavailable) as error:
            report(_log, "release_not_repeated", error, region=self._region)
            return survey

    def _begin(self, command: Command, survey: Survey) -> tuple[Intent, Survey]:
        """Work out what the order means; not before it is known what stands in its pools."""
        others = [intent for intent in self._memory.intents() if not intent.closed]
        for other in others:
            unsettled = [chunk for chunk in other.waiting if chunk.pool in command.order.pools]
            wait_while_in_doubt(unsettled, survey.at, self._patience)
        plan = intend(
            command,
            survey,
            coming=under_way(others),
            chunk_size=self._chunk_size,
            new_token=self._new_token,
        )
        check_all_known({chunk.pool for chunk in plan.intent.chunks}, survey)
        desired = dict(command.order.targets)
        return plan.intent, self._lookout.keep(survey, plan.intent, plan.marked, desired)


def _ready(sighting: Sighting) -> datetime | None:
    return sighting.record.ready_at
