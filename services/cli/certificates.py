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
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from heliostat.errors import InvalidInput
from heliostat.model.names import RegionName
from services.identity import Identity, Role

_HOST_NAME = re.compile(r"(\*\.)?([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
LOCAL_HOSTS = ("localhost", "127.0.0.1")
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
        LOCAL_HOSTS.
        """
        identities = [parse_identity(client) for client in clients]
        hosts = [_host(server) for server in servers]
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            ca_stands = self._stands("ca")
            ca, ca_key = self._authority()
            made = [replace(self._written("ca", "certificate authority"), kept=ca_stands)]
            if not hosts and self._stands("server"):
                names = self._server_names(ca)
                made.append(replace(self._written("server", ", ".join(names)), kept=True))
            else:
                names = servers or LOCAL_HOSTS
                alternatives = x509.SubjectAlternativeName([_host(name) for name in names])
                self._leaf("server", ca, ca_key, alternatives, ExtendedKeyUsageOID.SERVER_AUTH)
                made.append(self._written("server", ", ".join(names)))
            made += [self._client(ca, ca_key, identity) for identity in identities]
        except OSError as error:
            raise InvalidInput(
                str(self._directory), f"cannot be written: {error.strerror}"
            ) from error
        return made

    def _stands(self, stem: str) -> bool:
        path = self._written(stem, "")
        return path.certificate.exists() and path.key.exists()

    def _server_names(self, ca: x509.Certificate) -> Sequence[str]:
        """The hosts of the existing server certificate.

        Raises InvalidInput when this CA did not sign it: clients refuse it then, and we do not know all
        names for a new one.
        """
        path = self._written("server", "").certificate
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
        return [str(name.value) for name in names]

    def _authority(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        if self._stands("ca"):
            path = self._written("ca", "")
            return _read_authority(path.certificate, path.key)
        ca_key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Heliostat development CA")
        ca = (
            self._builder(name, name, ca_key.public_key(), CA_VALID)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_ca_usage(), critical=True)
            .sign(ca_key, hashes.SHA256())
        )
        self._write("ca", ca, ca_key)
        return ca, ca_key

    def _client(
        self, ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, identity: Identity
    ) -> Written:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity.uri)])
        stem = "-".join(part for part in (identity.role, identity.region, identity.name) if part)
        self._leaf(stem, ca, ca_key, names, ExtendedKeyUsageOID.CLIENT_AUTH)
        return self._written(stem, identity.uri)

    def _leaf(
        self,
        stem: str,
        ca: x509.Certificate,
        ca_key: ec.EllipticCurvePrivateKey,
        names: x509.SubjectAlternativeName,
        usage: x509.ObjectIdentifier,
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._builder(_name(stem), ca.subject, key.public_key(), self._valid)
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
                critical=False,
            )
            .sign(ca_key, hashes.SHA256())
        )
        self._write(stem, certificate, key)

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

    def _write(
        self, stem: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        written = self._written(stem, "")
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        # The key never exists with wider permissions than its owner's.
        handle = os.open(written.key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)
            file.write(pem)
        written.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _written(self, stem: str, identity: str) -> Written:
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
    if len(parts) != (3 if role.regional else 2) or not all(_tame(part) for part in parts):
        raise InvalidInput(
            "--identity", f"{text!r} does not name an identity of role {role}", remedy=remedy
        )
    region = RegionName(parts[1]) if role.regional else None
    return Identity(role=role, name=parts[-1], region=region)


def _tame(part: str) -> bool:
    """True for what may be part of a file name and a URI as it stands."""
    return (
        bool(part)
        and part[0] != "."
        and part.replace("-", "").replace("_", "").replace(".", "").isalnum()
    )


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
