"""An example gateway: watch routes, keep the last good table on disk, route by weight, report usage.

Needs the `heliostat` wheel alone. Speak to the agent of your region (or to a control plane). To see what
it follows: `python gateway_client.py 127.0.0.1:7444 eastus gw-1`, until Ctrl-C; beyond loopback with
`--ca ca.pem --cert gateway-eastus-gw-1.pem --key gateway-eastus-gw-1-key.pem`.
"""

import argparse
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
PINGS = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
]


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
        """The serving region and the headers to send along; None = reject the request.

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
    """Routes as text, one line per model and tier."""
    sys.stdout.write(f"{table.origin_region}: table {table.version}\n")
    for entry in table.entries:
        to = [f"{s.serving_region} {s.weight_ppm / MILLION:.1%}" for s in entry.shares]
        shed = [f"shed {entry.shed_ppm / MILLION:.1%}"] if entry.shed_ppm else []
        tier = common_pb2.Tier.Name(entry.tier)
        sys.stdout.write(f"  {entry.model} {tier}: {', '.join(to + shed)}\n")


def channel_to(
    address: str, ca: Path | None = None, cert: Path | None = None, key: Path | None = None
) -> grpc.Channel:
    """Mutual TLS where a CA is given, read anew for each channel; plain text, for loopback, without."""
    if ca is None:
        return grpc.insecure_channel(address, PINGS)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=ca.read_bytes(),
        private_key=key.read_bytes() if key else None,
        certificate_chain=cert.read_bytes() if cert else None,
    )
    return grpc.secure_channel(address, credentials, PINGS)


def main() -> None:
    """Follow the region's table for ever, and show every new one."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    for name in ("address", "region", "name"):
        parser.add_argument(name)
    for name in ("--ca", "--cert", "--key"):
        parser.add_argument(name, type=Path, help="PEM file")
    parser.add_argument("--table", type=Path, help="where the last good table is kept")
    given = parser.parse_args()
    disk = (
        given.table or Path.home() / ".cache" / "heliostat" / f"{given.region}-{given.name}.table"
    )
    disk.parent.mkdir(parents=True, exist_ok=True)
    pause = threading.Event()
    while True:
        with channel_to(given.address, given.ca, given.cert, given.key) as channel:
            gateway = Gateway(channel, given.region, f"{given.region}/{given.name}", disk)
            try:
                gateway.watch(show)
            except grpc.RpcError as error:
                sys.stderr.write(f"{given.address}: {error.details()}; asking again\n")
        pause.wait(2.0)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
