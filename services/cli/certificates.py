"""Makes certificates: a CA, a server certificate for hosts, client certificates whose URI says the role."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from heliostat.errors import InvalidInput
from heliostat.model.names import RegionName
from services.identity import Identity, Role
from storage.whole_files import NewFile, write_together

_HOST_NAME = re.compile(r"(\*\.)?([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
LOCAL_HOSTS = ("localhost", "127.0.0.1")
_AUTHORITY_NAME = "certificate authority"
CA_VALID = timedelta(days=3650)
CLOCK_SKEW = timedelta(minutes=5)
"""Certificates hold from a little before they were made, for machines whose clocks lag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One certificate on disk and its identity."""

    certificate: Path
    key: Path
    identity: str
    kept: bool = False
    """True when it was there before and was left alone."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A certificate with its key, and their place on disk."""

    place: Written
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def files(self) -> tuple[NewFile, NewFile]:
        """The key and its certificate as they are to be on disk."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        own = self.certificate.public_bytes(serialization.Encoding.PEM)
        return (
            NewFile(path=self.place.key, content=pem, secret=True),
            NewFile(path=self.place.certificate, content=own),
        )


class CertificateMaker:
    """Writes into one directory. An existing CA there is used on; the server's certificate is replaced only
    when its names are given, since running servers read it again; client certificates are made anew."""

    def __init__(self, directory: Path, *, now: datetime, valid: timedelta) -> None:
        if valid <= timedelta(0):
            raise InvalidInput("--valid", "must be longer than zero")
        self._directory = directory
        self._now = now
        self._valid = valid

    def make(self, *, servers: Sequence[str], clients: Sequence[str]) -> list[Written]:
        """The CA, `server` for these hosts and one certificate per identity. Raises InvalidInput.

        Without `servers` a server's certificate of this CA is kept; where there is none, it is for
        LOCAL_HOSTS. Everything is checked and made before the first file is written, and where one cannot be
        written (a full disk), all stay as they were.
        """
        identities = [parse_identity(client) for client in clients]
        hosts = [_host(server) for server in servers]
        try:
            if self._stands("ca", otherwise="choose an empty directory to make another CA"):
                ca, new = self._read_authority(), []
            else:
                ca = self._new_authority()
                new = [ca]
            if not hosts and self._stands("server", otherwise="give --server to make a new pair"):
                server = self._kept_server(ca.certificate)
            else:
                new.append(self._server(ca, servers or LOCAL_HOSTS))
                server = new[-1].place
            of_clients = [self._client(ca, identity) for identity in identities]
            self._directory.mkdir(parents=True, exist_ok=True)
            write_together(file for made in (*new, *of_clients) for file in made.files)
        except OSError as error:
            place = str(error.filename or self._directory)
            raise InvalidInput(place, f"cannot be used: {error.strerror}") from error
        return [ca.place, server, *(made.place for made in of_clients)]

    def _stands(self, stem: str, *, otherwise: str) -> bool:
        """Whether both files of a pair are there. Raises InvalidInput for one without the other: it is kept
        elsewhere, and a new pair in its place could not be undone."""
        place = self._place(stem, "")
        missing = [path for path in (place.certificate, place.key) if not os.path.lexists(path)]
        if len(missing) == 1:
            raise InvalidInput(
                str(missing[0]), "is missing", remedy=f"bring it back, or {otherwise}"
            )
        return not missing

    def _kept_server(self, ca: x509.Certificate) -> Written:
        """The existing server certificate, for the hosts that it names.

        Raises InvalidInput when this CA did not sign it, or the key beside it is another's: clients refuse
        it then, or servers, and we do not know all names for a new one.
        """
        place = self._place("server", "")
        path = place.certificate
        try:
            server = x509.load_pem_x509_certificate(path.read_bytes())
            server.verify_directly_issued_by(ca)
            names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
            raise InvalidInput(
                str(path),
                "is no server certificate of this CA",
                remedy="give --server to replace it",
            ) from error
        if _public_half(place.key) != server.public_key():
            raise InvalidInput(
                str(place.key),
                f"is not the key of {path.name}",
                remedy="bring it back, or give --server to make a new pair",
            )
        hosts = ", ".join(str(name.value) for name in names)
        return replace(place, identity=hosts, kept=True)

    def _read_authority(self) -> _Made:
        place = self._place("ca", _AUTHORITY_NAME)
        certificate, key = _read_authority(place.certificate, place.key)
        return _Made(replace(place, kept=True), certificate, key)

    def _new_authority(self) -> _Made:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Heliostat development CA")
        certificate = (
            self._builder(name, name, key.public_key(), CA_VALID)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_ca_usage(), critical=True)
            .sign(key, hashes.SHA256())
        )
        return _Made(self._place("ca", _AUTHORITY_NAME), certificate, key)

    def _server(self, ca: _Made, names: Sequence[str]) -> _Made:
        alternatives = x509.SubjectAlternativeName([_host(name) for name in names])
        place = self._place("server", ", ".join(names))
        return self._leaf(place, ca, alternatives, ExtendedKeyUsageOID.SERVER_AUTH)

    def _client(self, ca: _Made, identity: Identity) -> _Made:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity.uri)])
        stem = "-".join(part for part in (identity.role, identity.region, identity.name) if part)
        place = self._place(stem, identity.uri)
        return self._leaf(place, ca, names, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _leaf(
        self,
        place: Written,
        ca: _Made,
        names: x509.SubjectAlternativeName,
        usage: x509.ObjectIdentifier,
    ) -> _Made:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = ca.key.public_key()
        certificate = (
            self._builder(
                _name(place.certificate.stem), ca.certificate.subject, key.public_key(), self._valid
            )
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False
            )
            .sign(ca.key, hashes.SHA256())
        )
        return _Made(place, certificate, key)

    def _builder(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePublicKey,
        valid: timedelta,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - CLOCK_SKEW)
            .not_valid_after(self._now + valid)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def _place(self, stem: str, identity: str) -> Written:
        return Written(
            certificate=self._directory / f"{stem}.pem",
            key=self._directory / f"{stem}-key.pem",
            identity=identity,
        )


def parse_identity(text: str) -> Identity:
    """`operator/anna` or `agent/eastus/agent-1`. Raises InvalidInput naming what is expected."""
    parts = text.split("/")
    remedy = "write role/name (automation, operator, admin) or role/region/name (agent, gateway)"
    try:
        role = Role(parts[0])
    except ValueError:
        raise InvalidInput("--identity", f"{parts[0]!r} is not a role", remedy=remedy) from None
    if len(parts) != (3 if role.regional else 2):
        raise InvalidInput(
            "--identity", f"{text!r} does not name an identity of role {role}", remedy=remedy
        )
    if not all(_tame(part) for part in parts):
        raise InvalidInput(
            "--identity",
            f"{text!r} cannot be the name of a file and part of a URI",
            remedy="use the letters a to z, digits, '-', '_' and '.', which may not come first",
        )
    region = RegionName(parts[1]) if role.regional else None
    return Identity(role=role, name=parts[-1], region=region)


def _tame(part: str) -> bool:
    """True for what may be part of a file name and a URI as it stands."""
    return re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", part) is not None


def _public_half(key: Path) -> PublicKeyTypes | None:
    """Of the private key in that file; None where it holds none that is readable without a passphrase."""
    try:
        return serialization.load_pem_private_key(key.read_bytes(), password=None).public_key()
    except (ValueError, TypeError):
        return None


def _read_authority(
    certificate: Path, key: Path
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        ca = x509.load_pem_x509_certificate(certificate.read_bytes())
        ca_key = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise InvalidInput(str(certificate), "and its key are not a readable CA") from error
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise InvalidInput(str(key), "is not an elliptic-curve key as written by certs make")
    if ca.public_key() != ca_key.public_key():
        raise InvalidInput(str(key), f"is not the key of {certificate.name}")
    return ca, ca_key


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        pass
    if not _HOST_NAME.fullmatch(host):
        raise InvalidInput(
            "--server",
            f"{host!r} is not a host name or address",
            remedy="use a name such as plane.example",
        )
    return x509.DNSName(host)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
