"""The AWS driver against moto on loopback: the driver's contract, and what only a real API can get wrong."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heliostat.errors import (
    CapacityUnavailable,
    DriverUnavailable,
    HeliostatError,
    PurchaseRefused,
    QuotaExceeded,
    Throttled,
    UnknownPool,
)
from heliostat.model.command import Command, ScaleOrder
from heliostat.model.names import RegionName
from heliostat.ports.cloud import CloudDriver
from services.agent.hands import limits_of
from services.agent.settings import DriverSettings
from tests.builders import MINUTE, NOON, a_pool
from tests.contracts import test_cloud_driver_contract as contract
from tests.support.agents import a_command, a_redeploy, beta_pool
from tests.support.aws import AwsRegion
from tests.support.cloud_faults import FaultyCloud


@pytest.fixture(scope="module")
def amazon() -> Iterator[FaultyCloud]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        cloud = FaultyCloud()
        yield cloud
        cloud.close()


@pytest.fixture
def east(amazon: FaultyCloud, tmp_path: Path) -> Iterator[AwsRegion]:
    amazon.reset()
    region = AwsRegion(amazon, "east", tmp_path, NOON)
    yield region
    region.close()


class AwsContractCloud:
    """Region east as the driver's contract wants it."""

    def __init__(self, region: AwsRegion) -> None:
        self._region = region
        region.faults.vm_limit = 20

    def driver(self) -> CloudDriver:
        return self._region.driver()

    def wait(self, until: datetime) -> None:
        self._region.engines.now = until
        self._region.faults.away = until >= contract.AWAY
        if until >= contract.SOLD_OUT:
            self._region.faults.free_vms = 2

    def vms(self) -> int:
        return len(self._region.standing())

    def close(self) -> None:
        pass


@pytest.fixture
def cloud(east: AwsRegion) -> AwsContractCloud:
    return AwsContractCloud(east)


# Every rule of the contract runs here too, on the fixture above.
for _name, _rule in vars(contract).items():
    if _name.startswith("test_"):
        globals()[_name] = _rule


def until_done(region: AwsRegion, command: Command, *, most_minutes: int = 60) -> None:
    driver = region.driver()
    for _ in range(most_minutes):
        if driver.apply(command, region.engines.now).done:
            return
        region.engines.now += MINUTE
    raise AssertionError("the order never ended")


def test_a_vm_carries_the_tags_that_say_whose_it_is(east: AwsRegion) -> None:
    east.driver().apply(a_command(target=1), NOON)
    (reservation,) = east.ec2.describe_instances()["Reservations"]
    tags = {tag["Key"]: tag["Value"] for tag in reservation["Instances"][0]["Tags"]}
    assert tags.pop("heliostat:token").startswith("token-")
    assert {key: value for key, value in tags.items() if key.startswith("heliostat:")} == {
        "heliostat:region": "east",
        "heliostat:model": "alpha",
        "heliostat:vm-type": "small",
        "heliostat:pool": "east/alpha/small",
        "heliostat:command": f"{1:012d}",
    }


def test_a_large_purchase_goes_in_chunks_each_under_its_own_token(east: AwsRegion) -> None:
    command = a_command(target=7)
    driver = east.driver(limits=limits_of(DriverSettings(chunk_size=3)))
    for _ in range(4):
        driver.apply(command, NOON)
    assert east.faults.calls["RunInstances"] == 3
    assert len(east.standing()) == 7
    assert len(east.faults.tokens) == 3


def test_a_lost_answer_buys_nothing_twice(east: AwsRegion) -> None:
    east.faults.lost_answers["RunInstances"] = 1
    with pytest.raises(DriverUnavailable):
        east.driver().apply(a_command(target=3), NOON)
    answer = east.driver().apply(a_command(target=3), NOON + MINUTE)
    assert len(east.standing()) == 3
    assert answer.progress.provisioning + answer.progress.loading == 3


def test_throttled_then_continues(east: AwsRegion) -> None:
    east.faults.fail_next("RunInstances", "RequestLimitExceeded")
    east.faults.fail_next("DescribeInstances", "Throttling")
    driver = east.driver()
    for _ in range(2):
        with pytest.raises(Throttled):
            driver.apply(a_command(target=2), NOON)
    driver.apply(a_command(target=2), NOON)
    assert len(east.standing()) == 2


def test_a_refusal_is_remembered_and_not_tried_again(east: AwsRegion) -> None:
    east.faults.free_vms = 1
    for _ in range(2):
        with pytest.raises(CapacityUnavailable, match="got 1 of 3"):
            east.driver().apply(a_command(target=3), NOON)
    assert east.faults.calls["RunInstances"] == 1


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("InsufficientFreeAddressesInSubnet", CapacityUnavailable),
        ("ReservationCapacityExceeded", CapacityUnavailable),
        ("Unsupported", CapacityUnavailable),
        ("VolumeLimitExceeded", QuotaExceeded),
        ("UnauthorizedOperation", PurchaseRefused),
        ("OptInRequired", PurchaseRefused),
        ("InvalidAMIID.NotFound", UnknownPool),
    ],
)
def test_what_will_not_pass_by_waiting_ends_the_order(
    east: AwsRegion, code: str, refused: type[HeliostatError]
) -> None:
    east.faults.fail_next("RunInstances", code)
    driver = east.driver()
    for _ in range(2):
        with pytest.raises(refused, match=code):
            driver.apply(a_command(target=2), NOON)
    assert east.faults.calls["RunInstances"] == 1
    assert all(p.desired == 0 for p in driver.observe(NOON).pools)


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "Unsupported"])
def test_only_a_purchase_can_be_refused_other_calls_are_tried_again(
    east: AwsRegion, code: str
) -> None:
    until_done(east, a_command(target=1))
    east.faults.fail_next("TerminateInstances", code)
    driver = east.driver()
    driver.apply(a_command(target=0, number=2), east.engines.now)
    east.engines.now += MINUTE
    with pytest.raises(DriverUnavailable, match=code):
        driver.apply(a_command(target=0, number=2), east.engines.now)
    driver.apply(a_command(target=0, number=2), east.engines.now)
    assert east.standing() == []


def test_a_missing_launch_template_is_said_by_name(east: AwsRegion) -> None:
    east.ec2.delete_launch_template(LaunchTemplateName="heliostat-alpha-small")
    with pytest.raises(UnknownPool, match="heliostat-alpha-small"):
        east.driver().apply(a_command(target=1), NOON)


def test_regions_of_one_account_do_not_see_each_other(
    amazon: FaultyCloud, east: AwsRegion, tmp_path: Path
) -> None:
    others = [AwsRegion(amazon, name, tmp_path / name, NOON) for name in ("west", "far")]
    east.driver().apply(a_command(target=2), NOON)
    others[1].driver().apply(
        a_command(
            region=RegionName("far"),
            order=ScaleOrder(pool=a_pool("far"), target_replicas=1),
        ),
        NOON,
    )
    assert [len(region.standing()) for region in (east, *others)] == [2, 0, 1]
    for region in others:
        assert region.driver().observe(NOON).unknown_vms == ()
        region.close()


def test_a_redeploy_runs_the_command_and_changes_the_tags(east: AwsRegion) -> None:
    until_done(east, a_command(target=2))
    until_done(east, a_redeploy(1, 1, number=2))
    (sent,) = east.ssm.list_commands()["Commands"]
    assert sent["Parameters"]["commands"] == ["/opt/heliostat/serve-model beta"]
    assert east.faults.calls["RunInstances"] == 1
    seen = {p.pool: p.ready for p in east.driver().observe(east.engines.now).pools}
    assert (seen[a_pool()], seen[beta_pool()]) == (1, 1)


@pytest.mark.parametrize("code", ["InvalidInstanceId", "AccessDeniedException", "Throttling"])
def test_a_region_is_seen_whatever_amazon_says_of_one_redeploy(east: AwsRegion, code: str) -> None:
    until_done(east, a_command(target=2))
    order, driver = a_redeploy(1, 1, number=2), east.driver()
    while not east.faults.calls["SendCommand"]:
        driver.apply(order, east.engines.now)
        east.engines.now += MINUTE
    east.faults.fail_next("GetCommandInvocation", *[code] * 9)
    seen = {p.pool: p for p in driver.observe(east.engines.now).pools}
    assert (seen[a_pool()].ready, seen[beta_pool()].loading) == (1, 1)
    assert east.faults.calls["GetCommandInvocation"] == 1


@pytest.mark.parametrize("code", ["InvalidInstanceId", "AccessDeniedException"])
def test_a_vm_on_which_amazon_runs_no_command_serves_where_it_was_once_the_order_is_let_go(
    east: AwsRegion, code: str
) -> None:
    until_done(east, a_command(target=2))
    order, driver = a_redeploy(1, 1, number=2), east.driver()
    driver.apply(order, east.engines.now)
    east.faults.fail_next("SendCommand", *[code] * 9)
    for _ in range(2):
        east.engines.now += MINUTE
        with pytest.raises(DriverUnavailable, match=code):
            driver.apply(order, east.engines.now)
    driver.abandon(order, east.engines.now)
    for _ in range(10):
        east.engines.now += MINUTE
        seen = {p.pool: p.ready for p in driver.observe(east.engines.now).pools}
        assert (seen[a_pool()], seen[beta_pool()]) == (2, 0)
    assert {vm.pool for vm in east.cloud().list_vms()} == {a_pool()}


def test_a_vm_that_may_be_changing_its_model_is_brought_back_once_the_order_is_let_go(
    east: AwsRegion,
) -> None:
    until_done(east, a_command(target=2))
    order, driver = a_redeploy(1, 1, number=2), east.driver()
    driver.apply(order, east.engines.now)
    east.engines.now += MINUTE
    east.faults.lost_answers["SendCommand"] = 1
    with pytest.raises(DriverUnavailable):
        driver.apply(order, east.engines.now)
    east.faults.fail_next("SendCommand", "Throttling")
    with pytest.raises(Throttled):
        driver.abandon(order, east.engines.now)
    driver.abandon(order, east.engines.now)
    sent = [c["Parameters"]["commands"] for c in east.ssm.list_commands()["Commands"]]
    assert sorted(sent) == [
        ["/opt/heliostat/serve-model alpha"],
        ["/opt/heliostat/serve-model beta"],
    ]
    seen = {p.pool: p.ready for p in driver.observe(east.engines.now).pools}
    assert (seen[a_pool()], seen[beta_pool()]) == (2, 0)


def test_releasing_what_is_gone_already_is_no_error(east: AwsRegion) -> None:
    east.driver().apply(a_command(target=2), NOON)
    east.cloud().release(["i-0123456789abcdef0", *east.standing()])
    assert east.standing() == []


def test_a_vm_that_amazon_did_not_know_yet_is_released_again(east: AwsRegion) -> None:
    """TerminateInstances seconds after RunInstances may not find what was bought."""
    driver = east.driver()
    driver.apply(a_command(target=1), NOON)
    driver.abandon(a_command(target=1), NOON)
    east.faults.fail_next("TerminateInstances", "InvalidInstanceID.NotFound")
    driver.apply(a_command(target=0, number=2), NOON)
    driver.apply(a_command(target=0, number=2), NOON)
    assert len(east.standing()) == 1
    for minute in range(1, 6):
        driver.observe(NOON + minute * MINUTE)
    assert east.standing() == []


def test_vms_without_a_journal_entry_are_reported_and_left_alone(east: AwsRegion) -> None:
    east.driver().apply(a_command(target=2), NOON)
    strangers = sorted(east.standing())
    east.disk.close()
    east.disk.path.unlink()
    born = datetime(2100, 1, 1, tzinfo=UTC)  # moto launches in real time
    east.engines.now = born
    driver = east.driver()
    assert list(driver.observe(born).unknown_vms) == strangers
    with pytest.raises(DriverUnavailable, match=r"does not know.*heliostat agent adopt"):
        driver.apply(a_command(target=2, created_at=born, not_after=born + MINUTE), born)
    assert sorted(east.standing()) == strangers
