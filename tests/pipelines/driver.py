"""A driver process that is killed, or kills, at a chosen moment.

Arguments: script, store, config as JSON, then the fault: object prefix, before | after, marker
file, and who is killed: driver, actor, or a process id.
"""

import json
import os
import sys
from pathlib import Path

from tests.fakes import KillingStorage
from unitaf import generate
from unitaf.config import check_config
from unitaf.storage import open_storage


def main() -> None:
    script, store, config, prefix, when, marker, victim = sys.argv[1:]
    pid = None if victim == "actor" else os.getpid() if victim == "driver" else int(victim)
    storage = KillingStorage(open_storage(store), prefix, when, Path(marker), pid)
    generate(script, storage, check_config(json.loads(config), "test"))


if __name__ == "__main__":
    main()
