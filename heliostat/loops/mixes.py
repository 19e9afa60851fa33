"""Token mixes of requests, from a day and an hour of measurements, per origin and overall."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from heliostat.model.demand import TokenMix
from heliostat.model.names import EVERYWHERE, DemandKey

ENOUGH_REQUESTS = 200
"""Of the recent past, before its mix may stand against a day's; and of an origin, before its own
lengths weigh as much as everybody's."""
OTHER_MIX = 1.25
"""Mean tokens so many times apart are no chance of the hour: other tenants are at work."""


def learnt_mixes(steady: Iterable[TokenMix], recent: Iterable[TokenMix]) -> tuple[TokenMix, ...]:
    """The mixes to plan by: the steady ones, the recent ones where requests have become others.

    Origins have tenants of their own, and so lengths of their own. A few requests say little about
    them: an origin's mix is drawn towards that of all origins as if it had had `ENOUGH_REQUESTS` more
    of theirs.
    """
    lately = {_demand(mix): mix for mix in recent}
    newest = [newer_mix(mix, lately.get(_demand(mix))) for mix in steady]
    common = {_demand(mix): mix for mix in newest if mix.origin == EVERYWHERE}
    return tuple(
        mix if mix.origin == EVERYWHERE else _drawn(mix, common.get(_demand(mix).everywhere))
        for mix in newest
    )


def newer_mix(steady: TokenMix, recent: TokenMix | None) -> TokenMix:
    """The recent mix where enough requests show that it is another one, else the steady one."""
    if recent is None or recent.requests < ENOUGH_REQUESTS:
        return steady
    pairs = (
        (steady.input_tokens, recent.input_tokens),
        (steady.output_tokens, recent.output_tokens),
    )
    other = any(max(pair) > OTHER_MIX * min(pair) for pair in pairs)
    return recent if other else steady


def _drawn(own: TokenMix, common: TokenMix | None) -> TokenMix:
    """An origin's mix with so many requests of the common one among its own."""
    if common is None:
        return own
    part = own.requests / (own.requests + ENOUGH_REQUESTS)
    return replace(
        own,
        input_tokens=part * own.input_tokens + (1 - part) * common.input_tokens,
        output_tokens=part * own.output_tokens + (1 - part) * common.output_tokens,
    )


def _demand(mix: TokenMix) -> DemandKey:
    return DemandKey(origin=mix.origin, model=mix.model, tier=mix.tier)
