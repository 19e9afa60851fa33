"""A process that forks agents and lets them be killed: reads one JSON request a line, answers with one.

It imports everything once, so that a life and a death cost a fork instead of a start.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heliostat.model.names import PoolKey
from services.agent.drivers.aws.cloud import AwsCloud, AwsPlace, aws_clients
from services.agent.drivers.vm.cloud import EngineReading
from services.agent.journal.driver_memory import SqliteDriverMemory
from tests.builders import MINUTE, NOON, a_catalogue
from tests.support.agents import EAST, AgentDisk, a_command
from tests.support.aws import AWS_DEFAULTS
from tests.support.crashes import Fate, live

AWS_REGION = "us-east-1"


class AlwaysWell:
    """EngineProber whose engines answer at once."""

    def probe(self, engines: Mapping[str, PoolKey]) -> Mapping[str, EngineReading]:
        well = EngineReading(healthy=True, running_requests=0, waiting_requests=0)
        return dict.fromkeys(engines, well)


def life(request: dict[str, Any], clients: Any) -> None:
    """One life; with a step it ends in SIGKILL there, without one it ends when nothing is open."""
    ec2, ssm = clients
    pools = [pool.key for pool in a_catalogue().pools if pool.key.region == EAST]
    templates = {pool: f"heliostat-{pool.model}-{pool.vm_type}" for pool in pools}
    place = AwsPlace(region=EAST, templates=templates, **AWS_DEFAULTS)
    start = NOON + MINUTE * request["start_minute"]
    disk = AgentDisk(Path(request["folder"]))
    file = disk.file(start)
    journal = disk.journal_in(file)
    # Stays behind when the rest is killed, so that the next life goes on in time.
    progress = Path(request["folder"]) / "minute"
    live(
        journal=journal,
        memory=SqliteDriverMemory(file),
        cloud=AwsCloud(place, ec2=ec2, ssm=ssm),
        prober=AlwaysWell(),
        fate=Fate(request["step"], lambda: os.kill(os.getpid(), signal.SIGKILL)),
        # The control plane sends the order again and again until it hears of its end.
        deliveries=lambda _: [a_command(target=3, created_at=NOON)],
        start=start,
        ticks=20,
        at=lambda now: progress.write_text(str((now - NOON) // MINUTE)),
    )
    disk.close()


def main() -> None:
    """Serve requests until standard input ends."""
    clients = aws_clients(AWS_REGION, sys.argv[1])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            life(json.loads(line), clients)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps(os.waitstatus_to_exitcode(status)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
