#!/usr/bin/env bash
# One machine's part of a training on several machines: machine.sh NUMBER COUNT ADDRESS [FLAG ...]
# Each of COUNT machines has a NUMBER from 0 on, and runs a worker. Machine 0 has the IPv4 ADDRESS, and runs the
# scheduler and the server too. FLAGs are those of ctc-ocr train, the same everywhere.
# DMLC_PS_ROOT_PORT: the scheduler's port. DMLC_NODE_HOST: this machine's address, where it has several.
# Ctrl-C, SIGTERM and SIGHUP end all workers after the update under way, and the run is saved.
set -u
number=$1
export DMLC_NUM_WORKER=$2 DMLC_NUM_SERVER=1
export DMLC_PS_ROOT_URI=$3 DMLC_PS_ROOT_PORT=${DMLC_PS_ROOT_PORT:-9100}
shift 3
train=(ctc-ocr train --kv_store dist_sync)

trap 'jobs -p | xargs --no-run-if-empty kill -KILL 2> /dev/null' EXIT
# What is started ignores these two, which mpirun sends to all processes at once. The worker is told below.
trap '' TERM HUP
if [ "$number" = 0 ]; then
    for role in scheduler server; do
        DMLC_ROLE=$role "${train[@]}" &
    done
fi

# In the background, so that bash forwards signals meanwhile; bash lets such processes ignore Ctrl-C, unless told.
(
    trap - INT
    DMLC_ROLE=worker exec "${train[@]}" "$@"
) &
worker=$!
interrupted=yes
trap 'interrupted=yes' INT # from the terminal, where the worker gets it too
trap 'interrupted=yes; kill -INT "$worker"' TERM HUP
while [ "$interrupted" ]; do
    interrupted=
    wait "$worker"
    status=$?
done
# 130, 143: ended by SIGINT or SIGTERM, as all workers are. Scheduler and server leave by themselves, unless this worker
# has failed.
case $status in
    0 | 130 | 143) wait ;;
esac
exit "$status"
