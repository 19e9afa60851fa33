"""Certificates for tests, made by the product's own maker: a small authority and those it vouches for."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc

from heliostat.clock import SystemClock
from services.cli.certificates import CertificateMaker
from services.configuration import ServerTlsSettings
from services.identity import Identity

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass
class Authority:
    """Signs certificates into a folder."""

    folder: Path

    def server(self) -> ServerTlsSettings:
        """Write a server's files; again for a new certificate in the same files."""
        maker = CertificateMaker(self.folder, now=SystemClock().now(), valid=timedelta(days=1))
        authority, server = maker.make(servers=["localhost"], clients=[])
        return ServerTlsSettings(
            certificate=server.certificate, key=server.key, client_ca=authority.certificate
        )

    def client(
        self, identity: Identity, *, now: datetime | None = None, trusts: Authority | None = None
    ) -> grpc.ChannelCredentials:
        """What a client of that identity connects with; valid for a day from `now`."""
        made_at = now or SystemClock().now()
        desk = self.folder / "clients"
        desk.mkdir(exist_ok=True)
        for name in ("ca.pem", "ca-key.pem"):
            shutil.copy(self.folder / name, desk / name)
        maker = CertificateMaker(desk, now=made_at, valid=timedelta(days=1))
        place = f"{identity.region}/{identity.name}" if identity.region else identity.name
        authority, _, leaf = maker.make(servers=["localhost"], clients=[f"{identity.role}/{place}"])
        trusted = trusts.folder / "ca.pem" if trusts else authority.certificate
        return grpc.ssl_channel_credentials(
            root_certificates=trusted.read_bytes(),
            private_key=leaf.key.read_bytes(),
            certificate_chain=leaf.certificate.read_bytes(),
        )

    def stranger(self) -> grpc.ChannelCredentials:
        """Somebody who trusts the server and shows nothing himself."""
        return grpc.ssl_channel_credentials((self.folder / "ca.pem").read_bytes())
