#!/usr/bin/env bash
# Train on several machines by Open MPI: mpi.sh HOSTS [FLAG ...], on the first of them.
# HOSTS is a host file of mpirun; the first word of its first line is the IPv4 address of this machine. Each line is a
# machine, with one worker. All have ctc-ocr, this folder and the images at the same paths.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
hosts=$1
shift
mapfile -t addresses < <(grep -v '^ *#' "$hosts" | awk 'NF { print $1 }')

# After Ctrl-C, mpirun waits so many seconds, sends SIGTERM, and waits once more while the run is saved.
seconds=10
# Without --bind-to none, all processes of a machine would share one core.
# shellcheck disable=SC2016 # each machine has its own rank
exec mpirun --hostfile "$hosts" --np "${#addresses[@]}" --map-by node --bind-to none \
    --mca odls_base_sigkill_timeout "$seconds" \
    -x PATH -x DMLC_PS_ROOT_PORT="${DMLC_PS_ROOT_PORT:-9100}" \
    bash -c 'exec "$0" "$OMPI_COMM_WORLD_RANK" "$OMPI_COMM_WORLD_SIZE" "$@"' \
    "$here/machine.sh" "${addresses[0]}" "$@"
