"""The port of an agent's durable journal and of its usage meter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from heliostat.model.command import Acknowledgement, Command
from heliostat.model.fleet import RegionObservation
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageBatch, UsageWindow


class AgentJournal(Protocol):
    """Durable memory of one agent; the loop writes it, the link to the control plane drains it.

    Nothing is sent that was not journalled before, nothing is forgotten before it was acknowledged.
    """

    # commands, in
    def receive(self, commands: Sequence[Command]) -> None:
        """Keep commands as received; open ones that ended elsewhere are marked with that end, unless they
        expired: whether a deadline has passed, the agent's own clock decides. One already ended here stays
        ended; arriving open, its end is said again, since the control plane has lost it."""
        ...

    def open_commands(self) -> tuple[Command, ...]:
        """Received and not ended here, in the order in which they came (those that came at once by their
        ids); those that ended elsewhere included until let go. Neither ids nor instants tell which is the
        later one: a restored database counts from a lower id again, and clocks are set back."""
        ...

    # acknowledgements, out
    def acknowledge(self, ack: Acknowledgement) -> None:
        """Keep the newest update on a command; an end is final (a second end changes nothing)."""
        ...

    def unsent_acks(self) -> tuple[Acknowledgement, ...]:
        """Command updates not yet acknowledged by the control plane, oldest first."""
        ...

    def ack_sent(self, ack: Acknowledgement) -> None:
        """The control plane acknowledged this update; a newer one on the same command stays unsent."""
        ...

    # usage, out
    def append_usage(self, windows: Sequence[UsageWindow]) -> UsageBatch | None:
        """Number and keep the windows as the next batch; None when there are none."""
        ...

    def unsent_usage(self, limit: int) -> tuple[UsageBatch, ...]:
        """The oldest batches above the confirmed sequence, under this life's incarnation, which may be
        higher than that of the life which kept them."""
        ...

    def usage_sent(self, incarnation: int, durable_sequence: int) -> None:
        """Everything of that incarnation up to this sequence is durable at the control plane."""
        ...

    # fleet, out (only the newest matters, but no lead time sample is lost)
    def put_observation(self, observation: RegionObservation) -> None:
        """Keep the newest observation; lead-time samples of unsent ones are carried over."""
        ...

    def unsent_observation(self) -> RegionObservation | None:
        """The newest observation that was not acknowledged."""
        ...

    def observation_sent(self, observed_at: datetime) -> None:
        """The control plane has it."""
        ...

    # routes, in
    def put_table(self, table: RoutingTable) -> None:
        """Keep the newest accepted routing table."""
        ...

    def table(self) -> RoutingTable | None:
        """The last good one; None before the first."""
        ...

    # the agent's own brake
    def paused(self) -> bool:
        """True while a local operator holds the brake, which is pulled from outside this loop."""
        ...


class UsageMeter(Protocol):
    """Produces usage windows from the region's gateways and engines."""

    def closed_windows(self, now: datetime) -> tuple[UsageWindow, ...]:
        """Windows that closed, or were revised, since the last call; () when there are none."""
        ...
