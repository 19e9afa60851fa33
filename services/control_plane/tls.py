"""Server certificates from files, taken up again whenever the files change; clients must show theirs."""

from __future__ import annotations

import logging

import grpc

from heliostat.errors import InvalidSettings
from services.control_plane.settings import TlsSettings
from services.pem import certificates, key_pair
from services.wording import say

_log = logging.getLogger(__name__)


class CertificateFiles:
    """Reads certificate, key and client CA, and knows when one of them changed."""

    def __init__(self, settings: TlsSettings) -> None:
        self._paths = (settings.certificate, settings.key, settings.client_ca)
        self._seen = self._marks()

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """What the files say now. Raises InvalidSettings when one cannot be used."""
        certificate_path, key_path, client_ca_path = self._paths
        certificate, key = key_pair(
            "tls.certificate (HELIOSTAT_TLS__CERTIFICATE)",
            certificate_path,
            "tls.key (HELIOSTAT_TLS__KEY)",
            key_path,
        )
        client_ca = certificates("tls.client_ca (HELIOSTAT_TLS__CLIENT_CA)", client_ca_path)
        return grpc.ssl_server_certificate_configuration(
            [(key, certificate)], root_certificates=client_ca
        )

    def news(self) -> grpc.ServerCertificateConfiguration | None:
        """The new configuration when a file changed since the last look, else None.

        Called by gRPC before every handshake. Files that cannot be read leave the old ones in use.
        """
        try:
            marks = self._marks()
            if marks == self._seen:
                return None
            configuration = self.configuration()
        except (InvalidSettings, OSError) as error:
            say(_log, "certificates_not_reloaded", level=logging.ERROR, reason=str(error))
            return None
        self._seen = marks
        say(_log, "certificates_reloaded")
        return configuration

    def _marks(self) -> tuple[tuple[int, int], ...]:
        stats = [path.stat() for path in self._paths]
        return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)


def server_credentials(settings: TlsSettings) -> grpc.ServerCredentials:
    """Mutual TLS: every client needs a certificate signed by the client CA."""
    files = CertificateFiles(settings)
    return grpc.dynamic_ssl_server_credentials(
        files.configuration(),
        files.news,  # type: ignore[arg-type]  # None = as before
        require_client_authentication=True,
    )
