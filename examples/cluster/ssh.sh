#!/usr/bin/env bash
# Train on several machines by ssh: ssh.sh HOSTS [FLAG ...], on the first of them.
# HOSTS is a file with the IPv4 address of a machine in each line; the first is this one. All have ctc-ocr, this folder
# and the images at the same paths. SSH: the command, with options (ssh).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mapfile -t hosts < <(grep -v '^ *#' "$1" | awk 'NF { print $1 }')
shift
read -r -a ssh <<< "${SSH:-ssh -o BatchMode=yes}"

for number in "${!hosts[@]}"; do
    host=${hosts[number]}
    run=(env "DMLC_NODE_HOST=$host" "DMLC_PS_ROOT_PORT=${DMLC_PS_ROOT_PORT:-9100}")
    run+=("$here/machine.sh" "$number" "${#hosts[@]}" "${hosts[0]}" "$@")
    if [ "$number" = 0 ]; then
        first=("${run[@]}")
    else
        "${ssh[@]}" "$host" "cd $(printf '%q' "$PWD") && PATH=$(printf '%q' "$PATH") $(printf '%q ' "${run[@]}")" \
            < /dev/null &
    fi
done

# In the foreground, so that it gets Ctrl-C, which ends all workers in an orderly way.
status=0
"${first[@]}" || status=$?
# The others end too: if this machine's worker failed, they miss it.
for job in $(jobs -p); do
    wait "$job" || status=$?
done
exit "$status"
