"""Callers' identities, from the URI of a client certificate, and their roles.

`spiffe://heliostat/agent/<region>/<name>`, the same for `gateway`, and
`spiffe://heliostat/<role>/<name>` for `automation`, `operator` and `admin`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from heliostat.errors import Forbidden, InvalidInput, Unauthenticated
from heliostat.model.names import RegionName

TRUST_DOMAIN = "heliostat"


class Role(StrEnum):
    """What somebody is; permissions hang on it."""

    AGENT = "agent"
    GATEWAY = "gateway"
    AUTOMATION = "automation"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def regional(self) -> bool:
        """True for those who speak for one region only."""
        return self in (Role.AGENT, Role.GATEWAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody with a role; `region` is set for regional roles only."""

    role: Role
    name: str
    region: RegionName | None = None

    def __post_init__(self) -> None:
        if self.role.regional != (self.region is not None):
            raise InvalidInput(
                "identity", f"{self.role} {self.name!r}: unexpected or missing region"
            )

    def __str__(self) -> str:
        place = f"{self.region}/" if self.region else ""
        return f"{self.role}:{place}{self.name}"

    @property
    def uri(self) -> str:
        """The identity as a certificate carries it."""
        parts = [self.role.value, *([self.region] if self.region else []), self.name]
        return f"spiffe://{TRUST_DOMAIN}/{'/'.join(parts)}"

    @classmethod
    def parse(cls, uri: str) -> Identity:
        """The identity behind a URI of ours. Raises Unauthenticated."""
        split = urlsplit(uri)
        parts = [unquote(part) for part in split.path.split("/")[1:]]
        try:
            role = Role(parts[0])
        except (IndexError, ValueError):
            role = None
        lengths = 3 if role is not None and role.regional else 2
        ours = (split.scheme, split.netloc) == ("spiffe", TRUST_DOMAIN)
        if role is None or not ours or len(parts) != lengths or not all(parts):
            raise Unauthenticated(
                f"{uri!r} is not a Heliostat identity",
                remedy="issue certificates with heliostat certs make",
            )
        region = RegionName(parts[1]) if role.regional else None
        return cls(role=role, name=parts[-1], region=region)

    def speak_for(self, region: str) -> None:
        """Raises Forbidden when a regional identity speaks for another region than its own."""
        if self.region is not None and self.region != region:
            raise Forbidden(
                f"{self} may not act for {region or 'every region'}",
                remedy=f"its certificate is for {self.region}",
            )

    def speak_as(self, source_id: str) -> None:
        """Raises Forbidden when a regional identity reports under a name outside its region."""
        if self.region is not None and not source_id.startswith(f"{self.region}/"):
            raise Forbidden(
                f"{self} may not report as {source_id!r}",
                remedy=f"name sources of this region {self.region}/<name>",
            )


LOCAL = Identity(role=Role.ADMIN, name="local")
"""Whoever connects without TLS, where that is allowed: to loopback, or because the operator said so."""


def identify(auth_context: Mapping[str, Iterable[bytes]], *, insecure: Identity | None) -> Identity:
    """The caller behind a connection; `insecure` is who comes without TLS (None = nobody may).

    Raises Unauthenticated when there is no certificate, or none with an identity of ours.
    """
    names = [name.decode(errors="replace") for name in auth_context.get(_SAN, ())]
    for name in names:
        if name.startswith(f"spiffe://{TRUST_DOMAIN}/"):
            return Identity.parse(name)
    if names or b"ssl" in auth_context.get(_TRANSPORT, ()) or insecure is None:
        raise Unauthenticated(
            "the client certificate contains no Heliostat identity",
            remedy=f"it needs a URI such as spiffe://{TRUST_DOMAIN}/operator/<name>",
        )
    return insecure


_SAN = "x509_subject_alternative_name"
_TRANSPORT = "transport_security_type"

_CALLER: ContextVar[Identity] = ContextVar("caller")


def caller() -> Identity:
    """Who makes the call that is being served; set by the gatekeeper."""
    return _CALLER.get()


def set_caller(identity: Identity) -> None:
    """Note who makes the call that is being served, for this task."""
    _CALLER.set(identity)
