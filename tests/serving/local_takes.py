"""Makes the takes of a job without Ray and without a server, in the Python that runs this.

Arguments: script, store, job file.
"""

import sys

from unitaf.build import build_face, build_tts
from unitaf.config import load_config
from unitaf.pipelines.making import ShardMaker
from unitaf.pipelines.planning import open_job, plan_work
from unitaf.storage import open_storage


def main() -> None:
    script, store, job = sys.argv[1:]
    config, storage = load_config(job), open_storage(store)
    with open_job(script, storage, config) as opened:
        shards = plan_work(opened, config).pending
    tts = build_tts(config.tts)
    maker = ShardMaker(storage, tts, build_face(config.face, tts), config.output)
    for shard in shards:
        maker.make(shard)


if __name__ == "__main__":
    main()
