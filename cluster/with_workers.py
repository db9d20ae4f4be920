"""Run a command once an autoscaling cluster has grown, and let it shrink again afterwards.

    python cluster/with_workers.py [--wait-s SECONDS] COUNT RESOURCE COMMAND ...

Asks the cluster's autoscaler for room for COUNT workers with one RESOURCE (``CPU`` or ``GPU``)
each, waits until it is there, and ends with the command's exit code. A run of unitaf divides the
cluster that it finds when it begins; one that has shrunk to its head has nothing to divide.
"""

import argparse
import signal
import subprocess
import sys
import time

import ray
from ray.autoscaler.sdk import request_resources

_PERIOD_S = 2.0


def main() -> int:
    """Do what the arguments say.

    Returns:
        The exit code of the command.

    Raises:
        SystemExit: If the workers did not come; the exit code is 1.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--wait-s", type=float, default=1800.0)
    parser.add_argument("count", type=int)
    parser.add_argument("resource", choices=("CPU", "GPU"))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    wanted = parser.parse_args()
    if not wanted.command:
        parser.error("give the command to run")
    ray.init(log_to_driver=False)
    # So that what follows is undone. Ray has a handler of its own until here.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    request_resources(bundles=[{wanted.resource: 1}] * wanted.count)
    try:
        if not _came(wanted.count, wanted.resource, wanted.wait_s):
            told = f"no {wanted.count} {wanted.resource} in {wanted.wait_s:g} s"
            sys.exit(f"{told}: is there a limit, or no spot machine to be had?")
        return subprocess.run(wanted.command, check=False).returncode
    finally:
        request_resources(bundles=[])


def _came(count: int, resource: str, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while ray.cluster_resources().get(resource, 0) < count:
        if time.monotonic() > deadline:
            return False
        time.sleep(_PERIOD_S)
    return True


if __name__ == "__main__":
    sys.exit(main())
