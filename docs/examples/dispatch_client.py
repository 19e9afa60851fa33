"""An example gateway that asks its region's agent for a replica per request and reports completions.

Needs only the `heliostat` wheel. You provide `serve`: it forwards the request to `place.address` and returns
output tokens and the seconds to the first and last of them, or raises OSError if the replica failed.
"""

import queue
import threading
from collections.abc import Callable, Sequence

import grpc

from heliostat.v1 import dispatch_pb2 as pb
from heliostat.v1 import dispatch_pb2_grpc

Serve = Callable[[str, pb.PlacedDecision], tuple[int, float, float]]
Tell = Callable[[str, pb.DispatchDecision], None]
MOST = 1_000
"""Maximum requests per message."""


class Dispatching:
    """One gateway: `open_asks` have no end yet, `running` have a place, the agent has not heard of `ends`."""

    def __init__(self, channel: grpc.Channel, gateway_id: str, serve: Serve, tell: Tell) -> None:
        self.api = dispatch_pb2_grpc.DispatchServiceStub(channel)
        self.gateway_id, self.serve, self.tell = gateway_id, serve, tell
        self.open_asks: dict[str, pb.DispatchAsk] = {}
        self.running: set[str] = set()
        self.ends: dict[str, pb.Completion] = {}
        self.say: queue.Queue[pb.DispatchRequest | None] = queue.Queue()

    def ask(self, ask: pb.DispatchAsk) -> None:
        """Ask for a place. Under heavy traffic, collect the asks of a millisecond into one message."""
        self.open_asks[ask.request_id] = ask
        self.send([ask])

    def send(self, asks: Sequence[pb.DispatchAsk], running: Sequence[str] = ()) -> None:
        """Every message carries the gateway's id, so that any of them may be the first of a stream."""
        self.say.put(
            pb.DispatchRequest(gateway_id=self.gateway_id, asks=asks, running_request_ids=running)
        )

    def run(self) -> None:
        """Run until the stream ends; then call it again with exponential back-off. Open asks are repeated,
        and the same id gets the same answer. While requests run long, list them from time to time."""
        say: queue.Queue[pb.DispatchRequest | None] = queue.Queue()
        self.say = say
        known = list(self.open_asks.items())
        for at in range(0, max(1, len(known)), MOST):
            some, running = known[at : at + MOST], self.running.copy()
            self.send(
                [ask for name, ask in some if name not in running],
                [name for name, _ in some if name in running],
            )
        self.complete()
        try:
            for answer in self.api.Dispatch(iter(say.get, None)):
                for decision in answer.decisions:
                    self.hear(decision)
        finally:
            say.put(None)  # or gRPC's thread would go on taking what is said

    def hear(self, decision: pb.DispatchDecision) -> None:
        """Act on one decision; a `queued` request gets another decision later."""
        name, kind = decision.request_id, decision.WhichOneof("outcome")
        if name not in self.open_asks or (kind == "placed" and name in self.running):
            return  # it ended, or runs already
        if kind == "placed":
            self.running.add(name)
            threading.Thread(target=self.forward, args=(name, decision.placed)).start()
        elif kind == "withdrawn" and not decision.withdrawn.queued_again:
            self.running.discard(name)  # stop forwarding it, too
            self.open_asks[name].attempt = decision.attempt + 1
            self.send([self.open_asks[name]])
        elif kind in ("other_region", "shed", "ended", "refused"):
            del self.open_asks[name]
            self.tell(name, decision)

    def forward(self, name: str, place: pb.PlacedDecision) -> None:
        """Serve the request and report its completion; real gateways send completions in batches."""
        end = pb.Completion(request_id=name, outcome=pb.COMPLETION_OUTCOME_FINISHED)
        try:
            end.output_tokens, end.ttft_seconds, end.e2e_seconds = self.serve(name, place)
        except OSError:
            end.outcome = pb.COMPLETION_OUTCOME_FAILED
        self.running.discard(name)
        self.ends[name] = end
        self.open_asks.pop(name, None)
        self.complete()

    def complete(self) -> None:
        """Report completions; unacknowledged ones are sent again with the next, or by `run`."""
        ends = list(self.ends.values())[:MOST]
        try:
            self.api.Complete(pb.CompleteRequest(gateway_id=self.gateway_id, completions=ends))
        except grpc.RpcError:
            return
        for end in ends:
            self.ends.pop(end.request_id, None)
