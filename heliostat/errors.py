"""Domain errors; their wire representation is defined elsewhere, in one place.

Every error derives from `HeliostatError` through one *family*; a family says how a caller should
react (fix the input, look elsewhere, retry later), and the gRPC interceptor maps families, not
single errors. "Nothing to do" and "infeasible" are outcomes, not errors.
"""

from __future__ import annotations


class HeliostatError(Exception):
    """Root of all deliberate errors; `remedy` says what to do next."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        message = str(self.args[0])
        return f"{message}; {self.remedy}" if self.remedy else message


# --- Families ---------------------------------------------------------------------------------


class InvalidInput(HeliostatError):
    """The caller's input is invalid: fix it, do not retry. `field` names the place."""

    def __init__(self, field: str, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{field}: {message}", remedy=remedy)
        self.field = field


class NotFound(HeliostatError):
    """The named thing does not exist (any more). `kind` and `name` say which, `field` says where the
    caller named it ("" = not known)."""

    kind = "thing"

    def __init__(self, name: object, *, remedy: str = "", field: str = "") -> None:
        super().__init__(f"unknown {self.kind} {str(name)!r}", remedy=remedy)
        self.name = str(name)
        self.field = field


class Conflict(HeliostatError):
    """Another caller changed it first: read again, then decide again."""


class AlreadyExists(HeliostatError):
    """The identifier is already in use."""


class Precondition(HeliostatError):
    """The system is not in a state in which this may happen; the message says which state is needed."""


class Forbidden(HeliostatError):
    """The caller is known and may not do this."""


class Unauthenticated(HeliostatError):
    """The caller could not be identified."""


class Exhausted(HeliostatError):
    """A limit was reached: retry later, or with less."""


class Unavailable(HeliostatError):
    """A required component does not answer: retry with exponential back-off."""


class Unsupported(HeliostatError):
    """This process does not provide the call; the remedy says which one does."""


class DataLoss(HeliostatError):
    """Stored data cannot be read back; the message says what was moved aside."""


# --- Not found --------------------------------------------------------------------------------


class UnknownRegion(NotFound):
    """The catalogue has no such region."""

    kind = "region"


class UnknownModel(NotFound):
    """The catalogue has no such model."""

    kind = "model"


class UnknownVmType(NotFound):
    """The catalogue has no such VM type."""

    kind = "VM type"


class UnknownTier(NotFound):
    """There is no such tier, or the model does not offer it."""

    kind = "tier"


class UnknownPool(NotFound):
    """The catalogue offers no such model on that VM type in that region."""

    kind = "pool"


class UnknownEngineLaw(NotFound):
    """That model was not measured on these GPUs, and nothing close enough to scale from was."""

    kind = "engine law"


class UnknownReplica(NotFound):
    """The region has no such replica (any more)."""

    kind = "replica"


class UnknownCommand(NotFound):
    """The outbox never held this command, or retention removed it."""

    kind = "command"


class UnknownPlan(NotFound):
    """No plan has this version."""

    kind = "plan"


class UnknownForecast(NotFound):
    """No forecast was issued for this series (at that instant)."""

    kind = "forecast"


class UnknownOverride(NotFound):
    """No override has this id, or it was cancelled."""

    kind = "override"


class UnknownRoutingTable(NotFound):
    """No routing table was published for this origin (in that version)."""

    kind = "routing table"


class UnknownScenario(NotFound):
    """No built-in scenario has this name, and there is no such file."""

    kind = "scenario"


# --- Invalid input ----------------------------------------------------------------------------


class InvalidCatalogue(InvalidInput):
    """The fleet catalogue breaks a rule; `field` is the key path inside the file."""


class InvalidSettings(InvalidInput):
    """A setting is missing or wrong; `field` is the key and its environment variable."""


class InvalidTrace(InvalidInput):
    """A trace or series file cannot be read; `field` names file and line, `kept` counts good rows."""

    def __init__(self, field: str, message: str, *, kept: int = 0, remedy: str = "") -> None:
        counted = f"{message} ({kept} rows kept)" if kept else message
        super().__init__(field, counted, remedy=remedy)
        self.kept = kept


class InvalidProfile(InvalidInput):
    """A table of measured engine times cannot be read; `field` names file and line."""


class InvalidScenario(InvalidInput):
    """A scenario breaks a rule; `field` is its name, or file, line and key path."""


class InvalidPolicyOutput(InvalidInput):
    """A planner, strategy or router returned an invalid decision; `field` names policy and instant."""


# --- Conflicts and preconditions --------------------------------------------------------------


class StaleEtag(Conflict):
    """The resource changed since the caller read it."""


class OutdatedDecision(Conflict):
    """What a decision was made from changed before it was stored; nothing was stored."""


class RequestIdReused(AlreadyExists):
    """The same `request_id` was used before with different content."""


class AlreadyBooked(AlreadyExists):
    """The request holds a place on a replica; it must complete before it gets another."""


class NotAccepting(Precondition):
    """The replica is draining: it keeps its requests and accepts no new ones."""


class SequenceGap(Precondition):
    """A usage batch skips sequence numbers; `expected` is the next one that is accepted."""

    def __init__(self, message: str, *, expected: int, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.expected = expected


class Fenced(Precondition):
    """A decision was written under an epoch that is over; nothing was stored. Never retry."""


class NotLeader(Precondition):
    """This control plane follows; `leader` is the leader's address, where known."""

    def __init__(self, message: str, *, leader: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.leader = leader


class LeaseLost(Precondition):
    """The leadership lease expired or was taken over."""


class SecondControlPlane(Precondition):
    """Another control plane holds this SQLite file; SQLite serves exactly one."""


class JournalInUse(Precondition):
    """Another agent holds this journal file; one journal serves one agent."""


class RegionHeld(Precondition):
    """Another agent holds the region; the message says which, and until when."""


class MigrationBehind(Precondition):
    """The database's schema is older than this code."""


class MigrationAhead(Precondition):
    """A newer release upgraded the database (or wrote the journal); this one does not know its schema."""


class DatabaseInUse(Precondition):
    """A control plane leads on this database; its schema must not go back under it."""


class ModeForbids(Precondition):
    """The region's mode (advisory, paused) does not allow this."""


class CommandFinished(Precondition):
    """The command already ended; ended commands never change."""


class OverrideExpired(Precondition):
    """The override's expiry is in the past."""


class NoPlanYet(Precondition):
    """No plan exists yet; the first planning tick creates one."""


class PurchaseRefused(Precondition):
    """The cloud account or role may not buy such a VM: a retry fails until an operator permits it."""


class DataMissing(Precondition):
    """Public data that this needs is not on this machine; the remedy says where it is looked for."""


# --- Limits, mostly of clouds -----------------------------------------------------------------


class CapacityUnavailable(Exhausted):
    """The cloud has no such VM free in the region now."""


class QuotaExceeded(Exhausted):
    """The account's quota for this VM type in the region is used up."""


class Throttled(Exhausted):
    """The cloud is throttling."""


class MessageTooLarge(Exhausted):
    """A message exceeds the limit; the remedy says how to split it."""


# --- Availability and durability --------------------------------------------------------------


class StorageUnavailable(Unavailable):
    """The database does not answer."""


class WorkersUnavailable(Unavailable):
    """Worker processes died repeatedly on the same work, or were closed."""


class DriverUnavailable(Unavailable):
    """The cloud's API does not answer."""


class CorruptJournal(DataLoss):
    """The agent's journal cannot be read; it was moved aside under the name in the message."""


class CorruptRoutingFile(DataLoss):
    """The routing table on disk cannot be read or fails its checksum; it is not used."""
