#!/usr/bin/env bash
# Make the corpus of the embedded face model and train it:  ray_jobs/embedded/make.sh FOLDER
# Killed and started again, it goes on. On two processor cores it takes hours.
set -euo pipefail
work=$1
here=$(dirname "$0")
export OMP_NUM_THREADS=1

python "$here/lines.py" "$work/scripts"
style() {
    unitaf generate "$work/scripts/$1.csv" "$work/takes/$1" --set output.fps=30 \
        --set "face.strength=$2" --set "face.gestures=$3" --set "face.expression=$4"
    unitaf prepare "$work/takes/$1/takes" "$work/corpus" --config "$here/prepare.yaml"
}
style plain 1.0 1.0 1.0
style lively 1.2 1.4 1.2
style restrained 0.8 0.5 0.8
unitaf train --config "$here/train.yaml" --set "corpus=$work/corpus" --set "out=$work/model"
unitaf evaluate "$work/model/checkpoints/expression" "$work/corpus" \
    --set "cascade=$work/model/checkpoints/a2f" --set style=own \
    --out "$work/evaluation.json" --plot "$work/evaluation.png"
