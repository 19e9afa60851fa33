"""An example gateway that asks its region's agent for a replica per request, and says what came of it.

Needs the `heliostat` wheel alone. `serve` is yours: it forwards the request to `place.address` and returns
(output tokens, seconds to the first token), or raises OSError when the replica failed.
"""

import queue
import threading
from collections.abc import Callable

import grpc

from heliostat.v1 import dispatch_pb2 as pb
from heliostat.v1 import dispatch_pb2_grpc

FINISHED, FAILED = pb.COMPLETION_OUTCOME_FINISHED, pb.COMPLETION_OUTCOME_FAILED


class Dispatching:
    """One stream of one gateway; `open_asks` are the requests that have no end yet."""

    def __init__(
        self,
        channel: grpc.Channel,
        gateway_id: str,
        serve: Callable[[str, pb.PlacedDecision], tuple[int, float]],
        tell: Callable[[str, pb.DispatchDecision], None],
    ) -> None:
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
        """Until the stream ends; the caller calls again, with a back-off. What has no place yet is asked for
        again: the same name gets the same answer. Say what runs now and then, too, while it runs long."""
        missing = [ask for name, ask in self.open_asks.items() if name not in self.running]
        self.say.put(
            pb.DispatchRequest(
                gateway_id=self.gateway_id, asks=missing, running_request_ids=self.running
            )
        )
        for answer in self.door.Dispatch(iter(self.say.get, None)):
            for decision in answer.decisions:
                self.hear(decision)

    def hear(self, decision: pb.DispatchDecision) -> None:
        """Act on one decision; what is `queued` is decided again later, by itself."""
        ask = self.open_asks.get(decision.request_id)
        kind = decision.WhichOneof("outcome")
        if ask is None or (kind == "placed" and ask.request_id in self.running):
            return  # it ended, or runs already
        if kind == "placed":
            self.running.add(ask.request_id)
            threading.Thread(target=self.forward, args=(ask, decision.placed)).start()
        elif kind == "withdrawn" and not decision.withdrawn.queued_again:
            self.running.discard(ask.request_id)  # stop forwarding it, too
            ask.attempt = decision.attempt + 1
            self.say.put(pb.DispatchRequest(asks=[ask]))
        elif kind in ("other_region", "shed", "ended", "refused"):
            del self.open_asks[decision.request_id]
            self.tell(decision.request_id, decision)

    def forward(self, ask: pb.DispatchAsk, place: pb.PlacedDecision) -> None:
        """Serve it, and say how it ended; real gateways collect ends and send many at once."""
        end = pb.Completion(request_id=ask.request_id, outcome=FINISHED)
        try:
            end.output_tokens, end.ttft_seconds = self.serve(ask.request_id, place)
        except OSError:
            end.outcome = FAILED
        self.running.discard(ask.request_id)
        self.open_asks.pop(ask.request_id, None)
        self.door.Complete(pb.CompleteRequest(gateway_id=self.gateway_id, completions=[end]))
