"""The `heliostat` command: hands over to `services.cli`, or says what is missing."""

from __future__ import annotations

import importlib
import sys

_CLIENT_ONLY = """\
This is the Heliostat client package: the generated gRPC stubs (heliostat.v1) and value types.
The control plane, the agent and the command line come with the source tree or the container
image: see docs/install.md in the repository (README, "Run it").
"""


def main() -> int:
    """Run the command line; exit code 78 (a wrong installation) where only the wheel is installed."""
    try:
        cli = importlib.import_module("services.cli.main")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "services":
            raise
        sys.stderr.write(_CLIENT_ONLY)
        return 78
    return int(cli.main())


if __name__ == "__main__":
    sys.exit(main())
