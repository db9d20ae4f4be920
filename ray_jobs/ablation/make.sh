#!/usr/bin/env bash
# Test the paper's argument on a small corpus:  ray_jobs/ablation/make.sh FOLDER
# Killed and started again, it goes on.
set -euo pipefail
work=$1
here=$(dirname "$0")
export OMP_NUM_THREADS=1

python "$here/../embedded/lines.py" "$work/scripts"
head -n 601 "$work/scripts/plain.csv" > "$work/scripts/few.csv"
# Recordings that the engine made itself, and others that are slower than it speaks.
unitaf generate "$work/scripts/few.csv" "$work/takes/same" --set output.fps=30 --set face.kind=visemes
unitaf generate "$work/scripts/few.csv" "$work/takes/slow" --set output.fps=30 --set face.kind=visemes \
    --set tts.speed=0.75
unitaf prepare "$work/takes/same/takes" "$work/corpora/same" --config "$here/prepare.yaml"
unitaf prepare "$work/takes/slow/takes" "$work/corpora/warped" --config "$here/prepare.yaml"
unitaf prepare "$work/takes/slow/takes" "$work/corpora/stretched" --config "$here/prepare.yaml" \
    --set alignment=stretch
python "$here/ablate.py" "$work"
