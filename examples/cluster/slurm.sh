#!/usr/bin/env bash
# Train on several machines by Slurm: sbatch slurm.sh [FLAG ...], in the folder of this file or with MACHINE=.../machine.sh.
# The first machine's address is the first one that it has itself.
#SBATCH --job-name=ctc_ocr
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --time=01:00:00
#SBATCH --signal=INT@120
# INT, two minutes before the time is over: the run is saved, and goes on with --resume.
set -euo pipefail
# Slurm copies this file elsewhere, so its folder is not known here. The file runs on the first machine.
export MACHINE=${MACHINE:-$SLURM_SUBMIT_DIR/machine.sh} ADDRESS
ADDRESS=$(hostname -I | awk '{ print $1 }')

# shellcheck disable=SC2016 # each machine has its own number
srun --kill-on-bad-exit=0 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" \
    bash -c 'exec "$MACHINE" "$SLURM_PROCID" "$SLURM_NTASKS" "$ADDRESS" "$@"' worker "$@"
