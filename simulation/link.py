"""The direct link between an agent's journal and the control plane: what the wire does live, in one call."""

from __future__ import annotations

from datetime import datetime, timedelta

from heliostat.loops.control import ControlLoop
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingAck, RoutingTable
from heliostat.ports.agent import AgentJournal
from heliostat.ports.stores import Stores

_BATCHES_PER_CALL = 1000
_LEASE = timedelta(minutes=5)


class DirectLink:
    """Drains one agent's journal into the stores and fills it from them; safe to repeat."""

    def __init__(
        self, *, region: RegionName, journal: AgentJournal, stores: Stores, loop: ControlLoop
    ) -> None:
        self._region = region
        self._journal = journal
        self._stores = stores
        self._loop = loop

    def report(self, now: datetime) -> None:
        """Hand over what the agent knows: acknowledgements, the region as it stands, usage."""
        for ack in self._journal.unsent_acks():
            self._loop.acknowledge(ack, now)
            self._journal.ack_sent(ack)
        observation = self._journal.unsent_observation()
        if observation is not None:
            self._stores.fleet.observe(observation, now)
            self._journal.observation_sent(observation.observed_at)
        while batches := self._journal.unsent_usage(_BATCHES_PER_CALL):
            receipts = self._stores.usage.record(batches)
            for receipt in receipts:
                self._journal.usage_sent(receipt.incarnation, receipt.durable_sequence)

    def deliver(self, now: datetime) -> None:
        """Bring what the control plane decided: commands, ends of commands, the newest routing table."""
        holder = f"agent-{self._region}"
        self._journal.receive(self._stores.outbox.lease(self._region, holder, now, _LEASE))
        known = (self._stores.outbox.command(c.command_id) for c in self._journal.open_commands())
        self._journal.receive([c for c in known if c.state.ended])
        for table in self._stores.routing.latest_tables():
            if table.origin == self._region and table != self._journal.table():
                self._take(table, now)

    def _take(self, table: RoutingTable, now: datetime) -> None:
        self._journal.put_table(table)
        ack = RoutingAck(
            origin=self._region,
            gateway_id=f"gateways-{self._region}",
            version=table.version,
            accepted=True,
            at=now,
        )
        self._stores.routing.acknowledge_tables([ack])
