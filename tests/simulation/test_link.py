"""The direct link does what the wire does: everything once, nothing before it was journalled."""

from dataclasses import replace
from datetime import timedelta

from heliostat.clock import SteppedClock
from heliostat.loops.control import ControlLoop
from heliostat.model.command import Acknowledgement, Command, CommandState, RefusalKind
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageQuery
from heliostat.ports.decisions import Decision
from simulation.journal import MemoryJournal
from simulation.link import DirectLink
from storage.memory import memory_stores
from tests.builders import MINUTE, NOON, a_catalogue, a_window, an_observation
from tests.simulation.fakes import plain_deciders
from tests.simulation.regions import EAST, to_scale


class Ends:
    """Both ends of a link, and the link."""

    def __init__(self) -> None:
        self.stores = memory_stores(SteppedClock(NOON))
        lease = self.stores.leadership.acquire("tests", "", timedelta(days=1))
        assert lease is not None
        self.epoch = lease.epoch
        self.journal = MemoryJournal(source_id="agent-east")
        loop = ControlLoop(stores=self.stores, catalogue=a_catalogue(), deciders=plain_deciders())
        self.link = DirectLink(region=EAST, journal=self.journal, stores=self.stores, loop=loop)

    def order(self) -> Command:
        decision = Decision(commands=(replace(to_scale(3), command_id=""),))
        return self.stores.decisions.commit(decision, epoch=self.epoch).commands[0]


def test_commands_reach_the_journal_once_however_often_they_are_delivered() -> None:
    ends = Ends()
    command = ends.order()
    for minute in range(3):
        ends.link.deliver(NOON + MINUTE * minute)
    assert [c.command_id for c in ends.journal.open_commands()] == [command.command_id]


def test_a_refusal_ends_the_command_and_caps_the_next_plans() -> None:
    ends = Ends()
    command = ends.order()
    ends.link.deliver(NOON)
    ends.journal.acknowledge(
        Acknowledgement(
            command_id=command.command_id,
            region=EAST,
            state=CommandState.REFUSED,
            refusal=RefusalKind.NO_CAPACITY,
            at=NOON,
        )
    )
    ends.link.report(NOON)
    assert ends.stores.outbox.command(command.command_id).state is CommandState.REFUSED
    assert ends.stores.fleet.fleet(NOON).denials
    assert ends.journal.unsent_acks() == ()


def test_a_cancelled_command_is_marked_at_the_agent() -> None:
    ends = Ends()
    command = ends.order()
    ends.link.deliver(NOON)
    ends.stores.outbox.cancel(command.command_id, etag="", author="ops", now=NOON, epoch=ends.epoch)
    ends.link.deliver(NOON + MINUTE)
    assert [c.state for c in ends.journal.open_commands()] == [CommandState.CANCELLED]


def test_usage_and_the_region_as_it_stands_are_reported_once() -> None:
    ends = Ends()
    ends.journal.append_usage([a_window()])
    ends.journal.put_observation(an_observation())
    for _ in range(2):
        ends.link.report(NOON)
    query = UsageQuery(span=Span(NOON, NOON + 15 * MINUTE))
    assert [bucket.offered for bucket in ends.stores.usage.query(query)] == [10]
    assert ends.stores.fleet.observation(EAST) == an_observation()
    assert ends.journal.unsent_usage(10) == ()
    assert ends.journal.unsent_observation() is None


def test_the_newest_table_of_the_own_region_is_kept_and_acknowledged() -> None:
    ends = Ends()
    tables = tuple(
        RoutingTable(origin=RegionName(name), valid_from=NOON, stale_after=5 * MINUTE, entries=())
        for name in ("east", "west")
    )
    published = ends.stores.decisions.commit(Decision(tables=tables), epoch=ends.epoch).tables
    ends.link.deliver(NOON)
    ends.link.deliver(NOON + MINUTE)
    assert ends.journal.table() == published[0]
    (ack,) = ends.stores.routing.routing_acks()
    assert (ack.origin, ack.version, ack.accepted, ack.at) == (
        EAST,
        published[0].version,
        True,
        NOON,
    )
