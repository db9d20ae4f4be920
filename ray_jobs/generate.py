"""Voice and animate a script on a Ray cluster.

ray job submit --working-dir . -- python ray_jobs/generate.py --config ray_jobs/generate.yaml
"""

import sys

from unitaf.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["generate"]
    main()
