"""Train a face model on a Ray cluster.

ray job submit --working-dir . -- python ray_jobs/train.py --config ray_jobs/train.yaml
"""

import sys

from unitaf.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["train"]
    main()
