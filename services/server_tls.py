"""Server certificates from files, reloaded when the files change; clients must present theirs."""

from __future__ import annotations

import logging

import grpc

from heliostat.errors import InvalidSettings
from services.configuration import ENV_DELIMITER, ServerTlsSettings
from services.log_events import say
from services.pem import certificates, key_pair

_log = logging.getLogger(__name__)


class CertificateFiles:
    """Reads certificate, key and client CA, and knows when one of them changed."""

    def __init__(self, files: ServerTlsSettings, *, section: str, prefix: str) -> None:
        """`section` is the key under which an operator sets them, `prefix` that of its variables."""
        self._files = files
        self._section = section
        self._variable = f"{prefix}{section}{ENV_DELIMITER}".upper()
        self._seen = self._marks()

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """What the files say now. Raises InvalidSettings when one cannot be used."""
        files = self._files
        certificate, key = key_pair(
            self._setting("certificate"), files.certificate, self._setting("key"), files.key
        )
        client_ca = certificates(self._setting("client_ca"), files.client_ca)
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

    def _setting(self, name: str) -> str:
        return f"{self._section}.{name} ({self._variable}{name.upper()})"

    def _marks(self) -> tuple[tuple[int, int], ...]:
        files = self._files
        stats = [path.stat() for path in (files.certificate, files.key, files.client_ca)]
        return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)


def server_credentials(
    files: ServerTlsSettings, *, section: str, prefix: str
) -> grpc.ServerCredentials:
    """Mutual TLS: every client needs a certificate signed by the client CA. Raises InvalidSettings."""
    watched = CertificateFiles(files, section=section, prefix=prefix)
    return grpc.dynamic_ssl_server_credentials(
        watched.configuration(),
        watched.news,  # type: ignore[arg-type]  # the stubs do not know that None means "as before"
        require_client_authentication=True,
    )
