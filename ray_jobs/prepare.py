"""Make a training corpus of recordings on a Ray cluster.

ray job submit --working-dir . -- python ray_jobs/prepare.py --config ray_jobs/prepare.yaml
"""

import sys

from unitaf.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["prepare"]
    main()
