"""An example gateway: watch routes, keep the last good table on disk, route by weight, report usage.

Needs the `heliostat` wheel alone. Speak to the agent of your region (or to a control plane). To see what
it follows: `python gateway_client.py 127.0.0.1:7444 eastus gw-1`, until Ctrl-C.
"""

import contextlib
import hashlib
import queue
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import grpc

from heliostat.v1 import common_pb2, routing_pb2, routing_pb2_grpc, usage_pb2, usage_pb2_grpc

MILLION = 1_000_000


class Gateway:
    """One gateway of one region; `name` is unique among all gateways: `<region>/<name>`."""

    def __init__(self, channel: grpc.Channel, region: str, name: str, disk: Path) -> None:
        self.region, self.name, self.disk = region, name, disk
        self.routes = routing_pb2_grpc.RoutingServiceStub(channel)
        self.usage = usage_pb2_grpc.UsageServiceStub(channel)
        self.table = routing_pb2.RoutingTable()
        with contextlib.suppress(FileNotFoundError):
            self.table.ParseFromString(disk.read_bytes())

    def watch(self, heard: Callable[[routing_pb2.RoutingTable], None] = lambda table: None) -> None:
        """Follow the table until the stream ends; the caller calls again, with a back-off."""
        say: queue.Queue[routing_pb2.WatchRoutesRequest] = queue.Queue()
        hello = routing_pb2.RouteSubscription(origin_region=self.region, gateway_id=self.name)
        say.put(routing_pb2.WatchRoutesRequest(subscribe=hello))
        for answer in self.routes.WatchRoutes(iter(say.get, None)):
            table = answer.table
            sums = [sum(s.weight_ppm for s in e.shares) + e.shed_ppm for e in table.entries]
            good = table.origin_region == self.region and all(total == MILLION for total in sums)
            if good:
                draft = self.disk.with_suffix(".new")
                draft.write_bytes(table.SerializeToString())
                draft.replace(self.disk)
                self.table = table
                heard(table)
            word = routing_pb2.RouteAcknowledgement(
                version=table.version, nonce=answer.nonce, accepted=good
            )
            say.put(routing_pb2.WatchRoutesRequest(acknowledgement=word))

    def pick(
        self,
        model: str,
        tier: common_pb2.Tier.ValueType,
        session: str,
        headers: dict[str, str],
        failed: Collection[str] = (),
    ) -> tuple[str, dict[str, str]] | None:
        """The serving region and the headers to send along; None = turn the request away.

        The same session lands in the same region as long as weights stand. A request that was
        forwarded once (it carries the hop header) is served here. `failed` names the regions that just
        failed this request: the entry's fall-back regions come next, and None when all of them failed.
        """
        hop = self.table.hop_header or "x-heliostat-hop"
        if hop in headers:
            return self.region, headers
        digest = hashlib.sha256(f"{model}/{session}".encode()).digest()
        point = int.from_bytes(digest[:8], "big") % MILLION
        for entry in self.table.entries:
            if (entry.model, entry.tier) != (model, tier):
                continue
            for share in entry.shares:
                point -= share.weight_ppm
                if point < 0:
                    tries = (share.serving_region, *entry.fallback_regions)
                    serving = next((region for region in tries if region not in failed), None)
                    if serving is None:
                        return None
                    away = serving != self.region
                    return serving, {**headers, hop: self.region} if away else headers
            return None
        return self.region, headers

    def report(self, batches: Iterator[usage_pb2.UsageBatch]) -> Iterator[int]:
        """Send batches; yields the sequence up to which each answer says that they are durable."""
        requests = (usage_pb2.ReportUsageRequest(batch=batch) for batch in batches)
        for answer in self.usage.ReportUsage(requests):
            if answer.HasField("refusal"):
                raise ValueError(f"batch {answer.sequence}: {answer.refusal.message}")
            yield answer.durable_sequence


def show(table: routing_pb2.RoutingTable) -> None:
    """Where requests go, a line per model and tier."""
    sys.stdout.write(f"{table.origin_region}: table {table.version}\n")
    for entry in table.entries:
        to = [f"{s.serving_region} {s.weight_ppm / MILLION:.1%}" for s in entry.shares]
        shed = [f"turned away {entry.shed_ppm / MILLION:.1%}"] if entry.shed_ppm else []
        tier = common_pb2.Tier.Name(entry.tier)
        sys.stdout.write(f"  {entry.model} {tier}: {', '.join(to + shed)}\n")


def main(door: str, region: str, name: str) -> None:
    """Follow the region's table for ever, and show every new one."""
    pause = threading.Event()
    with grpc.insecure_channel(door) as channel:
        gateway = Gateway(channel, region, f"{region}/{name}", Path(f"{name}.table"))
        while True:
            try:
                gateway.watch(show)
            except grpc.RpcError as error:
                sys.stderr.write(f"{door}: {error.details()}; asking again\n")
            pause.wait(2.0)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: gateway_client.py HOST:PORT REGION NAME")
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
