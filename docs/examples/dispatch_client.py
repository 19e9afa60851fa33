"""An example gateway that asks its region's agent for a replica per request, and says what came of it.

Needs the `heliostat` wheel alone. `serve` is yours: it forwards the request to `place.address` and returns
output tokens, seconds to the first and to the last of them, or raises OSError when the replica failed.
"""

import queue
import threading
from collections.abc import Callable

import grpc

from heliostat.v1 import dispatch_pb2 as pb
from heliostat.v1 import dispatch_pb2_grpc

Serve = Callable[[str, pb.PlacedDecision], tuple[int, float, float]]
Tell = Callable[[str, pb.DispatchDecision], None]


class Dispatching:
    """One stream of one gateway; `open_asks` have no end yet, `running` have a place."""

    def __init__(self, channel: grpc.Channel, gateway_id: str, serve: Serve, tell: Tell) -> None:
        self.door = dispatch_pb2_grpc.DispatchServiceStub(channel)
        self.gateway_id, self.serve, self.tell = gateway_id, serve, tell
        self.open_asks: dict[str, pb.DispatchAsk] = {}
        self.running: set[str] = set()
        self.say: queue.Queue[pb.DispatchRequest | None] = queue.Queue()

    def ask(self, ask: pb.DispatchAsk) -> None:
        """Where traffic is heavy, collect what comes within a millisecond into one message."""
        self.open_asks[ask.request_id] = ask
        self.say.put(pb.DispatchRequest(asks=[ask]))

    def run(self) -> None:
        """Until the stream ends; call it again, with a back-off: what has no place yet is asked for again,
        and the same name gets the same answer. While requests run long, say now and then that they do."""
        missing = [ask for name, ask in self.open_asks.items() if name not in self.running]
        first = pb.DispatchRequest(gateway_id=self.gateway_id, asks=missing)
        first.running_request_ids.extend(self.running)
        self.say.put(first)
        for answer in self.door.Dispatch(iter(self.say.get, None)):
            for decision in answer.decisions:
                self.hear(decision)

    def hear(self, decision: pb.DispatchDecision) -> None:
        """Act on one decision; what is `queued` is decided again later, by itself."""
        name, kind = decision.request_id, decision.WhichOneof("outcome")
        if name not in self.open_asks or (kind == "placed" and name in self.running):
            return  # it ended, or runs already
        if kind == "placed":
            self.running.add(name)
            threading.Thread(target=self.forward, args=(name, decision.placed)).start()
        elif kind == "withdrawn" and not decision.withdrawn.queued_again:
            self.running.discard(name)  # stop forwarding it, too
            self.open_asks[name].attempt = decision.attempt + 1
            self.say.put(pb.DispatchRequest(asks=[self.open_asks[name]]))
        elif kind in ("other_region", "shed", "ended", "refused"):
            del self.open_asks[name]
            self.tell(name, decision)

    def forward(self, name: str, place: pb.PlacedDecision) -> None:
        """Serve it, and say how it ended; real gateways collect ends and send many at once."""
        end = pb.Completion(request_id=name, outcome=pb.COMPLETION_OUTCOME_FINISHED)
        try:
            end.output_tokens, end.ttft_seconds, end.e2e_seconds = self.serve(name, place)
        except OSError:
            end.outcome = pb.COMPLETION_OUTCOME_FAILED
        self.running.discard(name)
        self.open_asks.pop(name, None)
        self.door.Complete(pb.CompleteRequest(gateway_id=self.gateway_id, completions=[end]))
