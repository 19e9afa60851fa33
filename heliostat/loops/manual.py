"""Manual orders by people and tools: scale, redeploy, override, mode; fenced like plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import HeliostatError, InvalidInput, ModeForbids, OverrideExpired, StaleEtag
from heliostat.loops.basis import once_more, read_basis
from heliostat.model.command import Command, Order, RedeployOrder, ScaleOrder
from heliostat.model.governance import AuditRecord, Mode, ModeSetting, Override
from heliostat.model.names import EVERYWHERE, PoolKey, RegionName
from heliostat.ports.decisions import Basis, Decision
from heliostat.ports.stores import Stores

_ACTIONS: dict[type[Order], str] = {ScaleOrder: "scale-pool", RedeployOrder: "redeploy-pool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualOrder:
    """A caller's order: absolute, idempotent by `request_id`, guarded by `etag`, maybe only a dry run.

    `etag` is the one `pool_etag` gave for the order's last pool; "" = whatever stands.
    """

    order: Order
    author: str
    reason: str
    request_id: str
    expires_at: datetime
    etag: str = ""
    validate_only: bool = False


class ManualDesk:
    """Takes orders from people and automation; every act is audited under its author."""

    def __init__(
        self, *, stores: Stores, catalogue: FleetCatalogue, command_lifetime: timedelta
    ) -> None:
        self._stores = stores
        self._catalogue = catalogue
        self._lifetime = command_lifetime

    def pool_etag(self, pool: PoolKey, now: datetime) -> str:
        """What a caller must have seen of the pool: its desired count, its override, its last change and the
        command behind that."""
        return self.pool_etags([pool], now)[pool]

    def pool_etags(self, pools: Sequence[PoolKey], now: datetime) -> dict[PoolKey, str]:
        """The etags of several pools, at the price of one."""
        overrides = {o.pool: o.override_id for o in self._stores.overrides.overrides(now)}
        changed = dict(self._stores.outbox.last_changes())
        commands = dict(self._stores.outbox.last_commands())
        fleet = self._stores.fleet.fleet(now)
        return {
            pool: f"{fleet.pool(pool).desired}:{overrides.get(pool, '')}"
            f":{changed.get(pool, '')}:{commands.get(pool, '')}"
            for pool in pools
        }

    def order(self, manual: ManualOrder, now: datetime, *, epoch: int) -> Command:
        """Store the command and, in active mode, the override that keeps the planner from undoing it.

        A request that came before gives its command, whatever has changed since. With `validate_only`
        the command that would be stored. Raises UnknownPool, InvalidInput, ModeForbids (paused),
        OverrideExpired, StaleEtag, RequestIdReused, Fenced, and OutdatedDecision when modes, or with an
        etag other commands, were stored twice just before this one.
        """
        return once_more(lambda: self._order(manual, now, epoch))

    def _order(self, manual: ManualOrder, now: datetime, epoch: int) -> Command:
        seen = read_basis(self._stores)
        last = seen.last_command_id if manual.etag else None
        try:
            self._check(manual, now)
        except HeliostatError:
            # Looked up afterwards: the first try may have been stored while we checked the second, and
            # it is what changed the pool's etag.
            if manual.validate_only:
                raise
            known = self._stores.outbox.requested(manual.request_id, manual.order)
            if known is None:
                raise
            return known
        pool = manual.order.pools[-1]
        command = Command(
            region=pool.region,
            order=manual.order,
            reason=manual.reason,
            author=manual.author,
            created_at=now,
            not_after=min(now + self._lifetime, manual.expires_at),
            request_id=manual.request_id,
        )
        if manual.validate_only:
            return command
        decision = Decision(
            basis=Basis(last_command_id=last, modes=seen.modes),
            commands=(command,),
            overrides=self._overrides(manual, now),
            audit=(
                AuditRecord(
                    at=now,
                    author=manual.author,
                    action=_ACTIONS[type(manual.order)],
                    subject=", ".join(map(str, manual.order.pools)),
                    detail=f"{manual.order}: {manual.reason}",
                ),
            ),
        )
        return self._stores.decisions.commit(decision, epoch=epoch).commands[0]

    def set_mode(self, setting: ModeSetting, *, epoch: int) -> ModeSetting:
        """Put a mode in force. Raises UnknownRegion, InvalidInput (no reason), Fenced."""
        if setting.region != EVERYWHERE:
            self._catalogue.region(setting.region)
        if not setting.reason:
            raise InvalidInput("reason", "a change of mode needs a reason")
        record = AuditRecord(
            at=setting.at,
            author=setting.author,
            action="set-mode",
            subject=_region_name(setting.region),
            detail=f"{setting.mode}: {setting.reason}",
        )
        self._stores.decisions.commit(Decision(mode=setting, audit=(record,)), epoch=epoch)
        return setting

    def _check(self, manual: ManualOrder, now: datetime) -> None:
        if not manual.reason:
            raise InvalidInput("reason", "a manual order needs a reason")
        if not manual.request_id and not manual.validate_only:
            raise InvalidInput("request_id", "is empty", remedy="send a fresh UUID per intent")
        if manual.expires_at <= now:
            raise OverrideExpired(
                f"the override would have expired at {manual.expires_at.isoformat()}",
                remedy="give an expiry in the future",
            )
        modes = self._stores.modes.modes()
        for pool, target in manual.order.targets:
            spec = self._catalogue.pool(pool)
            if not spec.min_replicas <= target <= spec.max_replicas:
                raise InvalidInput(
                    "target_replicas",
                    f"{target} for {pool} is outside [{spec.min_replicas}, {spec.max_replicas}]",
                )
            if modes.of(pool.region) is Mode.PAUSED:
                raise ModeForbids(
                    f"{pool.region} is paused", remedy="set the mode to advisory or active first"
                )
        if manual.etag and manual.etag != self.pool_etag(manual.order.pools[-1], now):
            raise StaleEtag("the pool changed in the meantime", remedy="read the fleet again")

    def _overrides(self, manual: ManualOrder, now: datetime) -> tuple[Override, ...]:
        """In advisory mode nothing would undo the order, so nothing needs overriding."""
        modes = self._stores.modes.modes()
        return tuple(
            Override(
                override_id=f"{manual.request_id}:{pool}",
                pool=pool,
                target_replicas=target,
                author=manual.author,
                reason=manual.reason,
                created_at=now,
                expires_at=manual.expires_at,
                request_id=manual.request_id,
            )
            for pool, target in manual.order.targets
            if modes.of(pool.region) is Mode.ACTIVE
        )


def _region_name(region: RegionName) -> str:
    return "every region" if region == EVERYWHERE else region
