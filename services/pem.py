"""Certificates and keys from PEM files, validated before gRPC uses them.

gRPC takes any bytes and fails much later, with lines of its own in the log and an error that names no
file; here a wrong file is named together with the setting that points to it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from heliostat.errors import InvalidSettings


def certificates(setting: str, path: Path) -> bytes:
    """A file of one or more certificates, as it stands. Raises InvalidSettings naming setting and file."""
    data = _read(setting, path)
    _parsed(setting, path, data)
    return data


def key_pair(
    certificate_setting: str, certificate: Path, key_setting: str, key: Path
) -> tuple[bytes, bytes]:
    """A certificate (chain, own one first) and its private key, as they stand.

    Raises InvalidSettings naming setting and file, also when the two do not belong together.
    """
    chain, secret = _read(certificate_setting, certificate), _read(key_setting, key)
    own = _parsed(certificate_setting, certificate, chain)
    try:
        private = serialization.load_pem_private_key(secret, password=None)
    except TypeError:
        raise InvalidSettings(
            key_setting, f"{key} is encrypted", remedy="use a key without a passphrase"
        ) from None
    except ValueError:
        raise InvalidSettings(
            key_setting, f"{key} contains no PEM private key", remedy=_REMEDY
        ) from None
    if private.public_key() != own.public_key():
        raise InvalidSettings(key_setting, f"{key} is not the key of {certificate}")
    return chain, secret


def expiry(path: Path) -> datetime | None:
    """When the first certificate in the file ends; None where there is none that can be read."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc
    except (OSError, ValueError):
        return None


_REMEDY = "heliostat certs make creates such files"


def _parsed(setting: str, path: Path, data: bytes) -> x509.Certificate:
    """The first certificate in there; all must be readable."""
    try:
        return x509.load_pem_x509_certificates(data)[0]
    except ValueError:
        raise InvalidSettings(
            setting, f"{path} contains no PEM certificate", remedy=_REMEDY
        ) from None


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidSettings(setting, f"{path} cannot be read: {error.strerror}") from None
