"""A certificate or key that cannot be used is named with its file and its setting, before gRPC sees it."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from heliostat.clock import SystemClock
from heliostat.errors import InvalidSettings
from services.agent.link.home import ClientTls
from services.cli.certificates import CertificateMaker
from services.cli.client import open_channel
from services.cli.connection import Connection
from services.configuration import ServerTlsSettings
from services.control_plane.settings import ENV_PREFIX
from services.pem import certificates, key_pair
from services.server_tls import CertificateFiles


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    maker = CertificateMaker(folder, now=SystemClock().now(), valid=timedelta(days=1))
    maker.make(servers=["localhost"], clients=["operator/anna"])
    return folder


def garbage(tmp_path: Path) -> Path:
    path = tmp_path / "garbage.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n")
    return path


def watched(certificate: Path, key: Path, client_ca: Path) -> CertificateFiles:
    settings = ServerTlsSettings(certificate=certificate, key=key, client_ca=client_ca)
    return CertificateFiles(settings, section="tls", prefix=ENV_PREFIX)


def test_a_chain_is_handed_on_as_it_stands(folder: Path, tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_bytes((folder / "server.pem").read_bytes() + (folder / "ca.pem").read_bytes())
    assert certificates("ca", chain) == chain.read_bytes()
    pair = key_pair("cert", chain, "key", folder / "server-key.pem")
    assert pair == (chain.read_bytes(), (folder / "server-key.pem").read_bytes())


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(range(256))])
def test_a_file_without_a_certificate_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.pem"
    path.write_bytes(content)
    with pytest.raises(InvalidSettings, match=r"--tls-ca: .*some\.pem contains no PEM certificate"):
        certificates("--tls-ca", path)


def test_a_certificate_in_the_place_of_its_key_is_named(folder: Path) -> None:
    own = folder / "server.pem"
    with pytest.raises(
        InvalidSettings, match=r"--tls-key: .*server\.pem contains no PEM private key"
    ):
        key_pair("--tls-cert", own, "--tls-key", own)


def test_the_key_of_somebody_else_is_named(folder: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"operator-anna-key\.pem is not the key of"):
        key_pair("cert", folder / "server.pem", "key", folder / "operator-anna-key.pem")


def test_an_encrypted_key_is_named(folder: Path, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key((folder / "server-key.pem").read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(InvalidSettings, match=r"locked\.pem is encrypted"):
        key_pair("cert", folder / "server.pem", "key", locked)


def test_every_process_names_its_own_setting(folder: Path, tmp_path: Path) -> None:
    bad, good, key = garbage(tmp_path), folder / "server.pem", folder / "server-key.pem"
    with pytest.raises(InvalidSettings, match=r"HELIOSTAT_TLS__CLIENT_CA.*garbage\.pem"):
        watched(good, key, bad).configuration()
    with pytest.raises(InvalidSettings, match=r"HELIOSTAT_AGENT_TLS__CA.*garbage\.pem"):
        ClientTls(ca=bad, certificate=good, key=key).credentials()
    with pytest.raises(InvalidSettings, match=r"--tls-ca.*garbage\.pem"):
        open_channel(Connection(address="plane.example:7443", tls_ca=bad))


def test_a_certificate_that_was_renewed_without_its_key_leaves_the_old_pair_in_use(
    tmp_path: Path,
) -> None:
    now = SystemClock().now()
    maker = CertificateMaker(tmp_path, now=now, valid=timedelta(days=1))
    authority, server = maker.make(servers=["localhost"], clients=[])
    files = watched(server.certificate, server.key, authority.certificate)
    old_key = server.key.read_bytes()
    maker.make(servers=["localhost", "plane.example"], clients=[])
    new_key = server.key.read_bytes()
    server.key.write_bytes(old_key)
    assert files.news() is None
    server.key.write_bytes(new_key)
    assert files.news() is not None
