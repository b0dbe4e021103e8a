#!/usr/bin/env bash
# Workers of one study as a Slurm job array: sbatch --array=0-15 studies/cluster/slurm.sh
# Task 0 starts the study, the others join it. A task whose time is up, or whose node is lost, is queued again.
#SBATCH --job-name=ser-tune
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
# Ninety seconds before the time limit: the trial is in line again, its finished folds are kept
#SBATCH --signal=TERM@90
# With GPUs: sbatch --gpus-per-task=1 …
set -euo pipefail

# Fill in, or export before sbatch
export STORAGE="${STORAGE:-postgresql+psycopg://ser:secret@db.example.org/optuna}"
export TRACKING_URI="${TRACKING_URI:-http://mlflow.example.org:5000}"
export STUDY="${STUDY:-cnn-emodb}"
export DATA="${DATA:-/shared/emodb}"
# On a file system that all nodes share: features are extracted once, and finished folds are found by every worker
export SER_TUNE_CACHE="${SER_TUNE_CACHE:-/shared/ser-tune-cache}"
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-4}"

# Exit code 143 is that of SIGTERM, which here means that the time is up: the same task again
finish() {
    # Not SLURM_JOB_ID, which of one task is that of the whole array
    local task="${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
    if [ "$1" -eq 143 ]; then scontrol requeue "$task"; fi
    exit "$1"
}

if [ "${SLURM_ARRAY_TASK_ID:-0}" -eq 0 ]; then
    srun ser-tune study --model light_cnn --corpus emodb --data "$DATA" --trials 500 --name "$STUDY" --storage "$STORAGE" --tracking-uri "$TRACKING_URI" || finish "$?"
else
    # Until task 0 has made the study
    for _ in $(seq 30); do
        if ser-tune status "$STUDY" --storage "$STORAGE" >/dev/null 2>&1; then break; fi
        sleep 20
    done
    srun ser-tune worker "$STUDY" --storage "$STORAGE" --tracking-uri "$TRACKING_URI" --data "$DATA" || finish "$?"
fi
