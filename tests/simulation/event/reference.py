"""A slow, plain engine to compare the compiled one with: every iteration, every token, every block.

It shares no code with `simulation.event`. One cell, one kind of replica. Memory is counted in whole
blocks of sixteen tokens, gaps between tokens one by one; who waits is looked through.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from heliostat.model.engine import EngineLaw

BLOCK = 16
FAST, NORMAL, BATCH = 0, 1, 2
NEVER = math.inf


@dataclass(kw_only=True, eq=False)
class Asked:
    """One request, and what becomes of it."""

    number: int
    arrival: float
    tier: int
    prompt: int
    output: int
    promise: float = NEVER
    patience: float = NEVER
    joined: float = 0.0
    generated: int = 0
    prefilled: int = 0
    expected: float = 0.0
    swapped: bool = False
    keeper: Box | None = None
    """Whose host keeps its memory while it is swapped."""
    keyed: float = 0.0
    """When its place in the queue was found last."""
    out_since: float = 0.0
    out: float = 0.0
    """Since when it has been out of a batch, and for how long it was before, since its first token."""
    first: float | None = None
    latest: float | None = None
    finished: float | None = None
    shed: float | None = None
    lost: int = 0
    preempted: int = 0
    evicted: int = 0

    @property
    def context(self) -> int:
        """Tokens whose keys and values it needs."""
        return self.prompt + self.generated

    @property
    def unprefilled(self) -> int:
        return 0 if self.swapped else self.context - self.prefilled


@dataclass(kw_only=True)
class Chiron:
    """Algorithm 1 with its hazards handled, as `ChironBatchSize` says."""

    gap_promises: Sequence[float]
    first: int = 8
    period: float = 2.0
    alpha: float = 0.5
    growth: float = 2.0
    binding: float = 0.95


@dataclass(kw_only=True)
class Rules:
    """The local policy, in the words of this engine."""

    key: Callable[[Asked, float], float] = lambda asked, now: asked.joined
    renewed_every: float = 0.0
    """Seconds for which a queue's keys stand."""
    most: int = 64
    most_prefill: int = 8192
    chunk: int | None = None
    copy_seconds_per_token: float | None = None
    evicts: bool = False
    one_below: float | None = None
    two_below: float = 0.0
    chiron: Chiron | None = None


@dataclass(kw_only=True, eq=False)
class Box:
    """One replica: who waits, whose prompt is being prefilled, who decodes."""

    law: EngineLaw
    rules: Rules
    output_seconds: float
    serving: bool = False
    waiting: list[Asked] = field(default_factory=list)
    prompts: list[Asked] = field(default_factory=list)
    running: list[Asked] = field(default_factory=list)
    admitted: list[Asked] = field(default_factory=list)
    """Everybody who holds memory, in order of admission."""
    due: float = NEVER
    doing: str = "nothing"
    parts: list[tuple[Asked, int]] = field(default_factory=list)
    done_work: deque[tuple[float, float, float]] = field(default_factory=deque)
    renewed: float = 0.0
    size: float = 0.0
    tick: float = 0.0
    ticked: float = 0.0
    tokens: int = 0
    rate_before: float = 0.0
    grew: bool = False
    gaps: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.size = self.rules.chiron.first if self.rules.chiron else self.rules.most

    # --- memory and load -----------------------------------------------------------------------

    def blocks_to_go_on(self) -> int:
        """Blocks that everybody who holds memory needs for one more token each."""
        return sum(math.ceil((asked.context + 1) / BLOCK) for asked in self.admitted)

    def fits(self, asked: Asked) -> bool:
        if len(self.admitted) >= int(self.size):
            return False
        needed = self.blocks_to_go_on() + math.ceil((asked.context + 1) / BLOCK)
        return needed * BLOCK <= self.law.kv_tokens

    def could_hold(self, asked: Asked) -> bool:
        """Is there memory for its next token, had it the box for itself?"""
        return math.ceil((asked.context + 1) / BLOCK) * BLOCK <= self.law.kv_tokens

    def work(self) -> float:
        """Replica-seconds that everybody here is expected to take; a prompt counts until it is done."""
        beginning = [asked for asked in (*self.waiting, *self.prompts) if not asked.swapped]
        prompts = sum(asked.context for asked in beginning)
        outputs = sum(asked.expected for asked in (*self.waiting, *self.admitted))
        return self.law.prefill_per_token * prompts + outputs

    def utilisation(self, now: float) -> float:
        if self.waiting:
            return 1.0
        held = sum(math.ceil(a.context / BLOCK) for a in self.admitted) * BLOCK
        recent = sum(
            work * (min(end, now) - max(begin, now - 10)) / (end - begin)
            for begin, end, work in self.done_work
            if end > now - 10 and end > begin and begin < now
        )
        full = max(held / self.law.kv_tokens, len(self.admitted) / int(self.size))
        return max(full, recent / 10)

    # --- a boundary ----------------------------------------------------------------------------

    def end_iteration(self, now: float, ended: Callable[[Asked, float], None]) -> None:
        """What was done until now has its effect."""
        if self.doing in ("iteration", "chunk"):
            for asked in list(self.running):
                self.token(asked, now, ended)
        if self.doing == "prefill":
            self.parts = [(asked, asked.unprefilled) for asked in self.prompts]
        for asked, tokens in self.parts:
            asked.prefilled += tokens
            if asked.unprefilled == 0:
                self.prompts.remove(asked)
                self.running.append(asked)
                if asked.swapped:
                    asked.swapped = False
                else:
                    self.token(asked, now, ended)
        self.parts = []
        self.doing = "nothing"

    def token(self, asked: Asked, now: float, ended: Callable[[Asked, float], None]) -> None:
        asked.generated += 1
        asked.prefilled = asked.context
        self.tokens += 1
        if asked.first is None:
            asked.first = now
        if asked.latest is not None:
            self.gaps.append(now - asked.latest)
        asked.latest = now
        if asked.generated >= asked.output:
            self.running.remove(asked)
            self.admitted.remove(asked)
            asked.finished = now
            ended(asked, now)

    def give_way(self, asked: Asked, now: float) -> float:
        """Drop who runs; returns the seconds that copying takes."""
        asked.out_since = now
        decoding = asked in self.running
        for place in (self.running, self.prompts):
            if asked in place:
                place.remove(asked)
        self.admitted.remove(asked)
        asked.latest = None
        rate = self.rules.copy_seconds_per_token
        if rate is not None and decoding:
            asked.swapped, asked.keeper = True, self
            return asked.context * rate
        asked.prefilled = 0
        return 0.0

    def admit(self, asked: Asked, now: float) -> None:
        if asked.first is not None:
            asked.out += now - asked.out_since
        self.waiting.remove(asked)
        self.admitted.append(asked)
        self.prompts.append(asked)

    def control(self, now: float) -> None:
        chiron = self.rules.chiron
        if chiron is None or now < self.tick:
            return
        if self.gaps:
            tier = min(asked.tier for asked in self.admitted) if self.admitted else BATCH
            gaps = sorted(self.gaps)
            high = gaps[min(len(gaps) - 1, int(0.95 * len(gaps)))]
            pressure = high / chiron.gap_promises[tier]
            rate = self.tokens / (now - self.ticked)
            binds = len(self.admitted) >= chiron.binding * int(self.size)
            if binds and self.grew and rate > 0:
                pressure = max(pressure, self.rate_before / rate)
            self.grew = pressure < 1
            if self.grew:
                grown = chiron.alpha * self.size / pressure + (1 - chiron.alpha) * self.size
                self.size = min(grown, self.size * chiron.growth)
            else:
                self.size = max(1.0, self.size / 2)
            self.size = min(self.size, self.rules.most)
            self.rate_before = rate
        while self.tick <= now:
            self.tick += chiron.period
        self.begin_period(now)

    def begin_period(self, now: float) -> None:
        self.ticked, self.tokens, self.gaps = now, 0, []

    # --- what comes next -----------------------------------------------------------------------

    def begin(self, now: float, stall: float) -> None:
        """The next prefill or iteration, after `stall` seconds of copying."""
        law, chunk = self.law, self.rules.chunk
        whole = [asked for asked in self.prompts if not asked.swapped]
        if self.prompts and chunk is None:
            tokens = sum(asked.unprefilled for asked in whole)
            self.doing, seconds = "prefill", law.prefill_seconds(tokens) if whole else 0.0
            worth = seconds
        elif self.prompts or self.running:
            seconds, worth = self.iteration(chunk)
        else:
            self.due = NEVER
            return
        self.due = now + stall + seconds
        while self.done_work and self.done_work[0][1] < now - 10:
            self.done_work.popleft()
        self.done_work.append((now + stall, self.due, worth))

    def iteration(self, chunk: int | None) -> tuple[float, float]:
        """Seconds of one iteration, and what they are worth on a full replica."""
        law, running = self.law, len(self.running)
        self.doing = "iteration"
        added, room = 0.0, (chunk or 0) - running
        for asked in self.prompts:
            if room <= 0:
                break
            taken = min(room, asked.unprefilled)
            before, after = asked.prefilled, asked.prefilled + taken
            added += law.prefill_seconds(after) - law.prefill_seconds(before)
            self.parts.append((asked, taken))
            room -= taken
            self.doing = "chunk"
        if not running:
            return law.prefill_base + added, added
        context = sum(asked.context for asked in self.running) / running
        full = min(self.rules.most, max(1.0, law.kv_tokens / (context + BLOCK / 2)))
        seconds = law.decode_seconds(running, context)
        return seconds + added, seconds - law.decode_base * (1 - running / full) + added


@dataclass(kw_only=True)
class Cell:
    """Boxes, who arrives, and what befalls the boxes: (instant, box, "ready" | "drain" | "fail")."""

    boxes: Sequence[Box]
    rules: Rules
    expected: list[float]
    changes: Sequence[tuple[float, int, str]] = ()
    seen: list[int] = field(default_factory=lambda: [1, 1, 1])
    batch: list[Asked] = field(default_factory=list)
    held: list[Asked] = field(default_factory=list)
    poll: float = NEVER

    def advance(self, arrivals: Sequence[Asked], until: float) -> None:
        """Let everything happen that is due before `until`."""
        coming = sorted(arrivals, key=lambda asked: asked.arrival)
        changes = list(self.changes)
        while True:
            box = min(self.boxes, key=lambda one: one.due)
            times = (
                box.due,
                changes[0][0] if changes else NEVER,
                coming[0].arrival if coming else NEVER,
                self.poll,
            )
            now = min(times)
            if now >= until:
                return
            which = times.index(now)
            if which == 0:
                there = len(box.running), len(box.prompts)
                box.end_iteration(now, self.learn)
                self.go_on(box, now, somebody_moved=there != (len(box.running), len(box.prompts)))
            elif which == 1:
                _, number, what = changes.pop(0)
                self.befall(self.boxes[number], what, now)
            elif which == 2:
                asked = coming.pop(0)
                asked.joined = asked.arrival
                self.arrive(asked, now)
            else:
                self.offer_batch(now)
            if self.held and any(one.serving for one in self.boxes):
                waiting, self.held = self.held, []
                for asked in waiting:
                    self.arrive(asked, now)

    def learn(self, asked: Asked, now: float) -> None:
        seen = self.seen[asked.tier] = min(1000, self.seen[asked.tier] + 1)
        self.expected[asked.tier] += (asked.output - self.expected[asked.tier]) / seen

    def arrive(self, asked: Asked, now: float) -> None:
        serving = [box for box in self.boxes if box.serving]
        if not self.boxes[0].could_hold(asked):
            asked.shed = now
            return
        if asked.tier == BATCH and self.rules.one_below is not None:
            if not self.batch and serving:
                box = min(serving, key=Box.work)
                if box.utilisation(now) < self.rules.one_below:
                    self.enqueue(box, asked, now)
                    return
            self.batch.append(asked)
            self.poll = min(self.poll, now + 1.0)
        elif serving:
            self.enqueue(min(serving, key=Box.work), asked, now)
        else:
            self.held.append(asked)

    def enqueue(self, box: Box, asked: Asked, now: float) -> None:
        self.wait_at(box, asked, now)
        if box.doing == "nothing":
            self.go_on(box, now)

    def wait_at(self, box: Box, asked: Asked, now: float) -> None:
        """Memory in another box's host is of no use here: prompt and tokens so far are read again."""
        if asked.swapped and asked.keeper is not box:
            asked.swapped = False
            asked.prefilled = 0
        asked.expected = self.expected[asked.tier] * box.output_seconds
        box.waiting.append(asked)
        asked.keyed = now

    def offer_batch(self, now: float) -> None:
        for box in self.boxes:
            self.take_batch(box, now)
            if box.waiting and box.doing == "nothing":
                self.go_on(box, now)
        self.poll = now + 1.0 if self.batch else NEVER

    def take_batch(self, box: Box, now: float) -> None:
        rules = self.rules
        if rules.one_below is None or box.waiting or not box.serving or not self.batch:
            return
        full = box.utilisation(now)
        if full >= rules.one_below:
            return
        for _ in range(2 if full < rules.two_below else 1):
            if self.batch:
                oldest = min(self.batch, key=lambda asked: asked.joined)
                self.batch.remove(oldest)
                self.wait_at(box, oldest, now)

    def go_on(self, box: Box, now: float, *, somebody_moved: bool = True) -> None:
        """A boundary of iterations, once what was done has had its effect.

        Batch work is asked for when somebody ended or began to decode, and once a second.
        """
        if box.rules.chiron and not box.admitted and box.tick <= now and not box.gaps:
            box.tick = now + box.rules.chiron.period
            box.begin_period(now)
        box.control(now)
        stall, gave_way = 0.0, False
        while box.running and box.blocks_to_go_on() * BLOCK > box.law.kv_tokens:
            victim = box.admitted[-1]
            stall += box.give_way(victim, now)
            victim.preempted += 1
            gave_way = True
            (box.waiting if box.serving and box.could_hold(victim) else self.held).append(victim)
        if not gave_way:
            if somebody_moved:
                self.take_batch(box, now)
            stall += self.let_in(box, now)
        box.begin(now, stall)

    def let_in(self, box: Box, now: float) -> float:
        rules, stall, tokens = self.rules, 0.0, 0
        while box.waiting:
            if len(box.waiting) > 1 and now - box.renewed >= rules.renewed_every:
                box.renewed = now
                for one in box.waiting:
                    one.keyed = now
            asked = min(box.waiting, key=lambda one: (rules.key(one, one.keyed), one.number))
            if asked.first is None and now - asked.joined > asked.patience:
                box.waiting.remove(asked)
                asked.shed = now
                continue
            if rules.chunk is not None:
                stream = sum(one.unprefilled for one in box.prompts)
                if stream >= rules.chunk - len(box.running):
                    break
            elif box.prompts and tokens + asked.unprefilled > rules.most_prefill:
                break
            stall += self.evict(box, asked, now)
            if not box.fits(asked):
                break
            tokens += asked.unprefilled
            box.admit(asked, now)
            if asked.swapped:
                stall += asked.context * (rules.copy_seconds_per_token or 0.0)
                if rules.chunk is not None:
                    box.prompts.remove(asked)
                    box.running.append(asked)
                    asked.swapped = False
        return stall

    def evict(self, box: Box, asked: Asked, now: float) -> float:
        """Let batch work give way to an interactive request where that makes room for it."""
        batch = [one for one in box.running if one.tier == BATCH]
        if not self.rules.evicts or asked.tier == BATCH or box.fits(asked) or not batch:
            return 0.0
        kept = [one for one in box.admitted if one not in batch]
        blocks = sum(math.ceil((one.context + 1) / BLOCK) for one in (*kept, asked))
        if len(kept) >= int(box.size) or blocks * BLOCK > box.law.kv_tokens:
            return 0.0
        stall = 0.0
        for one in sorted(batch, key=box.admitted.index, reverse=True):
            if box.fits(asked):
                break
            stall += box.give_way(one, now)
            one.evicted += 1
            if self.rules.one_below is None:
                self.held.append(one)
            else:
                self.batch.append(one)
                self.poll = min(self.poll, now + 1.0)
        return stall

    def befall(self, box: Box, what: str, now: float) -> None:
        if what == "ready":
            box.serving = True
            return
        box.serving = False
        if what == "drain":
            self.held += box.waiting
            box.waiting.clear()
            return
        lost, box.due, box.doing = [*box.waiting, *box.admitted], NEVER, "nothing"
        for place in (box.waiting, box.running, box.prompts, box.admitted, box.parts):
            place.clear()
        for asked in lost:
            self.lose(asked, now)

    def lose(self, asked: Asked, now: float) -> None:
        asked.lost += 1
        if asked.lost > 1:
            asked.shed = now
            return
        asked.joined, asked.first, asked.latest = now, None, None
        asked.generated = asked.prefilled = 0
        asked.out = 0.0
        asked.swapped = False
        self.held.append(asked)
