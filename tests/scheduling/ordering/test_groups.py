"""Groups by model and promise, due in turn, and how long each may wait."""

import pytest

from heliostat.errors import InvalidInput
from heliostat.model.names import ModelName
from scheduling.ordering.groups import GroupOrder
from scheduling.ordering.tables import tables_of
from tests.scheduling.ordering.builders import a_queue, a_request, chance, until


def test_requests_of_one_promise_stand_together_and_the_earliest_due_group_runs_first() -> None:
    queue = a_queue(
        a_request("late", promise=until(40.0)),
        a_request("soon"),
        a_request("late-too", promise=until(40.0)),
        a_request("soon-too", arrival=-1.0),
    )
    ordered = GroupOrder().order(queue, chance())
    assert [one.id for one in ordered.sequence] == ["soon-too", "soon", "late", "late-too"]


def test_models_do_not_share_a_group() -> None:
    queue = a_queue(a_request("a"), a_request("b", model=ModelName("beta")))
    assert len(GroupOrder().groups(tables_of(queue))) == 2


def test_a_group_holds_no_more_than_its_batches() -> None:
    queue = a_queue(*(a_request(str(n), arrival=-n) for n in range(9)), cap=2)
    groups = GroupOrder(batches=2).groups(tables_of(queue))
    assert [len(group.members) for group in groups] == [4, 4, 1]
    assert groups[0].members == (8, 7, 6, 5)


def test_a_group_waits_for_those_before_it_with_a_deviation_that_grows_as_a_root() -> None:
    queue = a_queue(*(a_request(str(n), doubt=50.0) for n in range(8)), cap=1)
    tables = tables_of(queue)
    one, two = GroupOrder(batches=4).groups(tables)
    each, doubt = tables.run[0, 0], tables.doubt[0, 0]
    assert one.wait == pytest.approx(3 * each)
    assert two.wait == pytest.approx(7 * each)
    assert one.wait_deviation == pytest.approx(2 * doubt)
    assert two.wait_deviation == pytest.approx(8**0.5 * doubt)


def test_a_group_is_at_risk_when_mean_and_margin_pass_its_deadline() -> None:
    queue = a_queue(*(a_request(str(n), doubt=80.0) for n in range(3)), cap=1)
    (group,) = GroupOrder().groups(tables_of(queue))
    assert not group.at_risk(0.0)
    assert group.at_risk(1.64)
    assert "1 may wait too long" in GroupOrder().order(queue, chance()).reason


@pytest.mark.parametrize("changes", [{"batches": 0}, {"z": -1.0}, {"z": float("nan")}])
def test_settings_that_make_no_sense_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="groups"):
        GroupOrder(**changes)  # type: ignore[arg-type]  # one field at a time
