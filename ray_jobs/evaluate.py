"""Measure a face model on the held-out clips of a corpus.

ray job submit --working-dir . -- python ray_jobs/evaluate.py CHECKPOINT CORPUS
"""

import sys

from unitaf.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["evaluate"]
    main()
