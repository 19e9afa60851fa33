"""What one process commits to PostgreSQL, another hears of; also when its connection was cut."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Queue
from typing import Any

import pytest
from sqlalchemy import text

from heliostat.model.command import CommandState
from heliostat.ports.decisions import Decision
from storage.notify import Topic
from storage.opening import OpenStores, open_stores
from storage.sql.database import engine_of
from tests.contracts.builders import ack, batch, command, plan, table, window
from tests.contracts.worlds import TTL, empty

_PATIENCE = 30.0
"""Seconds until a notification counts as lost; they come within milliseconds."""


@pytest.fixture
def leader(postgres_url: str) -> Iterator[OpenStores]:
    empty(postgres_url)
    opened = open_stores(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def follower(postgres_url: str, leader: OpenStores) -> Iterator[OpenStores]:
    opened = open_stores(postgres_url)
    yield opened
    opened.close()


def heard_by(opened: OpenStores) -> Queue[Topic]:
    """What the feed says from now on, once it listens for sure."""
    assert opened.listener is not None
    assert opened.listener.wait_until_listening(_PATIENCE)
    topics: Queue[Topic] = Queue()
    opened.feed.subscribe(topics.put)
    return topics


def commit_everything(opened: OpenStores) -> None:
    lease = opened.stores.leadership.acquire("alpha", "a:1", TTL)
    assert lease is not None
    decision = Decision(plan=plan(), commands=(command(),), tables=(table(),))
    (one,) = opened.stores.decisions.commit(decision, epoch=lease.epoch).commands
    opened.stores.outbox.acknowledge(ack(one.command_id, CommandState.LEASED))
    opened.stores.usage.record([batch(window(0))])


def wait_for_all(topics: Queue[Topic]) -> None:
    missing = set(Topic)
    while missing:
        missing.discard(topics.get(timeout=_PATIENCE))


def test_a_follower_hears_what_the_leader_commits(leader: OpenStores, follower: OpenStores) -> None:
    topics = heard_by(follower)
    commit_everything(leader)
    wait_for_all(topics)


def test_a_cut_connection_is_made_again_and_everybody_looks_once(follower: OpenStores) -> None:
    topics = heard_by(follower)
    with follower.database.write() as tx:
        tx.connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
        )
    wait_for_all(topics)


def test_closing_twice_is_closing_once(leader: OpenStores, follower: OpenStores) -> None:
    listening = {one for one in threading.enumerate() if one.name == "heliostat-listen"}
    topics = heard_by(follower)
    follower.close()
    follower.close()
    (ended,) = (one for one in listening if not one.is_alive())
    assert ended.name == "heliostat-listen"
    while not topics.empty():
        topics.get()
    commit_everything(leader)
    assert topics.empty()


def test_a_server_that_vanished_is_not_waited_for_long_by_those_who_write_and_by_those_who_listen(
    postgres_url: str,
) -> None:
    opened = open_stores(postgres_url)
    try:
        with opened.database.read() as connection:
            driver: Any = connection.connection.driver_connection
            waits = driver.info.get_parameters()
        assert waits["connect_timeout"] == "5"
        assert waits["tcp_user_timeout"] == "10000"
        assert (waits["keepalives_idle"], waits["keepalives_count"]) == ("5", "2")
        url = opened.database.engine.url
        assert url.query["connect_timeout"] == "5", "the listener connects by the same URL"
    finally:
        opened.close()


def test_what_the_url_says_of_waiting_wins() -> None:
    url = engine_of("postgresql://someone@db.example/heliostat?connect_timeout=60").url
    assert (url.query["connect_timeout"], url.query["tcp_user_timeout"]) == ("60", "10000")
