#!/usr/bin/env bash
# Makes a Grid Engine of this host alone, from nothing, in the places where Debian's packages have
# theirs; here they are folders of the host's own. Waits until its queue takes jobs.
set -euo pipefail
export SGE_ROOT=/var/lib/gridengine SGE_CELL=default
host=$(hostname --long)
spool=/var/spool/gridengine

cp --archive "$SGE_ROOT" /srv/gridengine
rm -rf /srv/gridengine/default
mount --bind /srv/gridengine "$SGE_ROOT"
install --directory --owner sgeadmin --group sgeadmin "$SGE_ROOT/$SGE_CELL" "$SGE_ROOT/$SGE_CELL/common" \
    "$spool" "$spool/qmaster" "$spool/qmaster/job_scripts" "$spool/execd" "$spool/spooldb"
install --owner sgeadmin --group sgeadmin --mode 0644 /usr/share/gridengine/default-bootstrap \
    "$SGE_ROOT/$SGE_CELL/common/bootstrap"
runuser -u sgeadmin -- /usr/share/gridengine/scripts/init_cluster \
    "$SGE_ROOT" "$SGE_CELL" "$spool/spooldb" sgeadmin >/var/log/init_cluster.log
printf '%s\n' "$host" >"$SGE_ROOT/$SGE_CELL/common/act_qmaster"
chown sgeadmin "$SGE_ROOT/$SGE_CELL/common/act_qmaster"

wait_for() {
    local end=$((SECONDS + 30))
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || {
            echo "not within 30 seconds: $*" >&2
            "$@"
        }
        sleep 0.2
    done
}

sge_qmaster
wait_for qconf -sm
qconf -as "$host" >/dev/null

work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
nothing() {
    for key in "$@"; do echo "$key NONE"; done
}
{
    echo "hostname $host"
    nothing load_scaling complex_values user_lists xuser_lists projects xprojects usage_scaling report_variables
} >"$work/host"
qconf -Ae "$work/host" >/dev/null
printf 'group_name @allhosts\nhostlist %s\n' "$host" >"$work/group"
qconf -Ahgrp "$work/group" >/dev/null
# Its own default is to look every 15 seconds.
qconf -ssconf | sed -e 's/^schedule_interval .*/schedule_interval 0:0:1/' \
    -e 's/^flush_submit_sec .*/flush_submit_sec 1/' -e 's/^flush_finish_sec .*/flush_finish_sec 1/' >"$work/scheduler"
qconf -Msconf "$work/scheduler" >/dev/null
{
    printf '%s\n' "qname main.q" "hostlist @allhosts" "seq_no 0" "nsuspend 1" "suspend_interval 00:05:00" \
        "priority 0" "min_cpu_interval 00:05:00" "processors UNDEFINED" "qtype BATCH" "rerun FALSE" "slots 4" \
        "tmpdir /tmp" "shell /bin/bash" "shell_start_mode unix_behavior" "notify 00:00:60" "initial_state default"
    nothing load_thresholds suspend_thresholds ckpt_list pe_list prolog epilog starter_method suspend_method \
        resume_method terminate_method owner_list user_lists xuser_lists subordinate_list complex_values projects \
        xprojects calendar
    for limit in rt cpu fsize data stack core rss vmem; do
        printf 's_%s INFINITY\nh_%s INFINITY\n' "$limit" "$limit"
    done
} >"$work/queue"
qconf -Aq "$work/queue" >/dev/null
sge_execd
# A sixth column would be a state, such as an unknown load.
wait_for bash -c "qstat -f -q main.q | awk '/^main.q@/ { found = NF == 5 } END { exit !found }'"
