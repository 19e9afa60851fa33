"""Why taking turns beats the shortest queue under strict promises: whose outputs end soon gets more prompts.

Docs/evidence/aladdin.md says so; this is the experiment behind the sentence.
"""

from __future__ import annotations

from dataclasses import replace

from simulation.fewest.searching import tried
from simulation.fewest.setting import Setting
from simulation.instance.mix import CHAT
from simulation.local_policy import Dispatch, LocalPolicy
from simulation.workload.quantiles import LengthLaws, QuantileLaw

_STRICT = Setting(lengths=CHAT.lengths, slack=1.3)
_MEAN = CHAT.lengths.output.mean
_ALIKE = replace(
    _STRICT,
    lengths=LengthLaws(
        CHAT.lengths.prompt, QuantileLaw(levels=(0.0, 0.5), values=(_MEAN, _MEAN * 1.0001))
    ),
)


def _kept(setting: Setting, dispatch: Dispatch) -> float:
    policy = LocalPolicy(dispatch=dispatch)
    return tried(setting, policy, gpus=8, replicas=32, per_second=16, seeds=(1,)).attainment


def test_turns_keep_more_where_outputs_differ_and_no_more_where_they_are_alike() -> None:
    turns, queue = Dispatch.ROUND_ROBIN, Dispatch.LEAST_WORK
    assert _kept(_STRICT, turns) > _kept(_STRICT, queue) + 0.01
    assert _kept(_ALIKE, turns) < _kept(_ALIKE, queue) + 0.005
