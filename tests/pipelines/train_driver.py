"""A driver process that trains and is killed once some steps are done.

Arguments: config as JSON, steps.
"""

import json
import os
import signal
import sys

from unitaf.config import TrainConfig
from unitaf.pipelines.train import train
from unitaf.pipelines.training_progress import TrainProgress


def main() -> None:
    config, steps = sys.argv[1:]

    def kill(progress: TrainProgress) -> None:
        if progress.steps_done >= int(steps):
            os.kill(os.getpid(), signal.SIGKILL)

    train(TrainConfig.model_validate(json.loads(config)), kill)


if __name__ == "__main__":
    main()
