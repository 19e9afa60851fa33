"""An address is host:port, and nothing that gRPC would read as something else gets through."""

import pytest

from services.addresses import check_target, is_loopback, split_address, with_port


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:7443", ("127.0.0.1", 7443)),
        ("plane.example:1", ("plane.example", 1)),
        ("plane_1:65535", ("plane_1", 65535)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:7443", ("localhost", 7443)),
    ],
)
def test_an_address_is_host_and_port(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize(
    "address",
    [
        "nonsense",
        "",
        ":7443",
        "host:",
        "host:99999",
        "host:65536",
        "host:-1",
        "host:1e3",
        "host:²",
        "host:７４４３",
        "::1:7443",
        "[::1:7443",
        "[nonsense]:7443",
        "two words:7443",
        "-host:7443",
        "host/path:7443",
        "https://host:7443",
        "dns:///host:7443",
    ],
)
def test_anything_else_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        split_address(address)
    assert not is_loopback(address)


def test_nobody_can_be_called_on_port_0() -> None:
    with pytest.raises(ValueError, match="1 to 65535"):
        check_target("127.0.0.1:0")
    assert check_target("127.0.0.1:1") == "127.0.0.1:1"


def test_a_port_is_replaced_and_the_host_kept() -> None:
    assert with_port("[::1]:0", 7443) == "[::1]:7443"


def test_loopback_is_known_by_name_and_number() -> None:
    assert is_loopback("localhost:1")
    assert is_loopback("127.9.9.9:1")
    assert is_loopback("[::1]:1")
    assert not is_loopback("10.0.0.1:1")
