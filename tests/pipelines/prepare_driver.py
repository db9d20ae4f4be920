"""A driver process that prepares a corpus and is killed at a chosen moment.

Arguments: source, corpus, config as JSON, then object prefix, before | after, marker file.
"""

import json
import os
import sys
from pathlib import Path

from tests.fakes import KillingStorage
from unitaf.config import PrepareConfig
from unitaf.pipelines.prepare import prepare
from unitaf.storage import open_storage


def main() -> None:
    source, corpus, config, prefix, when, marker = sys.argv[1:]
    storage = KillingStorage(open_storage(corpus), prefix, when, Path(marker), os.getpid())
    prepare(source, storage, PrepareConfig.model_validate(json.loads(config)))


if __name__ == "__main__":
    main()
