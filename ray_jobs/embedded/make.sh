#!/usr/bin/env bash
# Make the corpus of an embedded face model and train it:  ray_jobs/embedded/make.sh hibari|kokoro FOLDER
# From the repository's root. Killed and started again, it goes on. On two processor cores it takes
# hours; Kokoro's face begins with the decoder of hibari's.
set -euo pipefail
engine=$1 work=$2
here=$(dirname "$0")
export OMP_NUM_THREADS=1

python "$here/lines.py" "$work/scripts" "$engine"
style() {
    unitaf generate "$work/scripts/$1.csv" "$work/takes/$1" --set "tts.kind=$engine" \
        --set output.fps=30 --set face.kind=visemes \
        --set "face.strength=$2" --set "face.gestures=$3" --set "face.expression=$4"
    unitaf prepare "$work/takes/$1/takes" "$work/corpus" --config "$here/prepare.yaml" \
        --set "tts.kind=$engine"
}
style plain 1.0 1.0 1.0
style lively 1.2 1.4 1.2
style restrained 0.8 0.5 0.8
unitaf train --config "$here/$engine.yaml" --set "corpus=$work/corpus" --set "out=$work/model"
cascade=()
if [ "$engine" = hibari ]; then cascade=(--set "cascade=$work/model/checkpoints/a2f"); fi
unitaf evaluate "$work/model/checkpoints/expression" "$work/corpus" \
    --set "tts.kind=$engine" ${cascade[@]+"${cascade[@]}"} --set style=own \
    --out "$work/evaluation.json" --plot "$work/evaluation.png"
