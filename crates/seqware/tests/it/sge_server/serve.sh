#!/bin/bash
# A Grid Engine of one machine in a folder of its own, for as long as standard input is open.
#
# Usage: serve.sh FOLDER QMASTER_PORT EXECD_PORT, as root, with Debian's packages installed.
#
# It shares nothing with an installation of the system but the programs: cell, spool folders, ports and
# the range of group ids by which jobs are tracked are its own. Prints `ready` once jobs can run. Then
# it obeys lines: `stop` kills the qmaster, `start` starts it again with a new execd; each is answered by `done`.
set -euo pipefail

folder=$1
installed=/usr/lib/gridengine
shared=/usr/share/gridengine
host=$(hostname)
export SGE_ROOT=$folder/root SGE_CELL=test SGE_QMASTER_PORT=$2 SGE_EXECD_PORT=$3 SGE_ARCH
SGE_ARCH=$(SGE_ROOT=$SGE_ROOT "$shared/util/arch")
common=$SGE_ROOT/$SGE_CELL/common
settings=$folder/settings
# Jobs inherit what the daemons have: no more than this. SGE_ND keeps daemons in the foreground.
daemon=(env -i SGE_ND=1 SGE_ROOT="$SGE_ROOT" SGE_CELL="$SGE_CELL" SGE_ARCH="$SGE_ARCH"
    SGE_QMASTER_PORT="$SGE_QMASTER_PORT" SGE_EXECD_PORT="$SGE_EXECD_PORT"
    PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8)
qmaster=
execd=

end() {
    trap '' EXIT HUP INT TERM
    # Daemons, shepherds and jobs all carry the folder in their environment. A second round finds what
    # was started during the first.
    for _ in 1 2; do
        for environment in /proc/[0-9]*/environ; do
            pid=${environment#/proc/}
            pid=${pid%/environ}
            if [ "$pid" != $$ ] && grep -qsxzF "SGE_ROOT=$SGE_ROOT" "$environment"; then
                kill -KILL "$pid" 2>/dev/null || true
            fi
        done
    done
    rm -rf "$folder" 2>/dev/null || rm -rf "$folder" || true
    exit 0
}
trap end EXIT HUP INT TERM

# await SECONDS COMMAND...: until the command succeeds.
await() {
    local tries=$(($1 * 20))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { echo "not in time: $*" >&2; return 1; }
        sleep 0.05
    done
}

# fields NAME VALUE...: a file of settings, one per line.
fields() {
    printf '%s %s\n' "$@"
}

# unlimited NAME...: fields that set no limit.
unlimited() {
    printf '%s INFINITY\n' "$@"
}

# none NAME...: fields without a value.
none() {
    printf '%s NONE\n' "$@"
}

lay_out() {
    mkdir -p "$common" "$settings" "$folder/spooldb" "$folder/execd" "$folder/qmaster/job_scripts"
    for part in bin utilbin lib; do
        mkdir -p "$SGE_ROOT/$part"
        ln -s "$installed" "$SGE_ROOT/$part/$SGE_ARCH"
    done
    ln -s "$shared/util" "$SGE_ROOT/util"
    echo "$host" >"$common/act_qmaster"
    # Where the host's name stands for 127.0.0.1, that address is called localhost on the way back.
    echo "$host localhost" >"$common/host_aliases"
    fields admin_user root default_domain none ignore_fqdn false security_mode none \
        spooling_method berkeleydb spooling_lib libspoolb spooling_params "$folder/spooldb" \
        binary_path "$SGE_ROOT/bin" qmaster_spool_dir "$folder/qmaster" \
        listener_threads 2 worker_threads 2 scheduler_threads 1 >"$common/bootstrap"
}

# The configuration of the package, with places of our own, root's jobs allowed, and records at once.
global() {
    local gids=$((1000000 + 100 * SGE_QMASTER_PORT))
    grep -vE '^(#|execd_spool_dir|gid_range|mailer|load_report_time|reporting_params|min_.id) *' \
        "$shared/default-configuration"
    fields execd_spool_dir "$folder/execd" gid_range "$gids-$((gids + 99))" mailer /bin/true \
        load_report_time 00:00:01 min_uid 0 min_gid 0
    fields reporting_params "accounting=true reporting=false flush_time=00:00:01 \
accounting_flush_time=00:00:00 joblog=false sharelog=00:00:00"
}

fill_database() {
    export LD_LIBRARY_PATH=$installed
    "$installed/spoolinit" berkeleydb libspoolb "$folder/spooldb" init
    global >"$settings/global"
    "$installed/spooldefaults.bin" configuration "$settings/global"
    "$installed/spooldefaults.bin" complexes "$shared/util/resources/centry"
    "$installed/spooldefaults.bin" usersets "$shared/util/resources/usersets"
    "$installed/spooldefaults.bin" managers root
    unset LD_LIBRARY_PATH
}

queue() {
    fields qname main.q hostlist @allhosts seq_no 0 nsuspend 1 suspend_interval 00:05:00 priority 0 \
        min_cpu_interval 00:05:00 processors UNDEFINED qtype BATCH pe_list serial rerun FALSE \
        slots 32 tmpdir /tmp shell /bin/bash shell_start_mode unix_behavior notify 00:00:60 \
        initial_state default
    none load_thresholds suspend_thresholds ckpt_list prolog epilog starter_method suspend_method \
        resume_method terminate_method owner_list user_lists xuser_lists subordinate_list \
        complex_values projects xprojects calendar
    unlimited {s,h}_{rt,cpu,fsize,data,stack,core,rss,vmem}
}

configure() {
    await 20 qconf -sm
    qconf -as "$host"
    { fields hostname "$host"; none load_scaling complex_values user_lists xuser_lists projects \
        xprojects usage_scaling report_variables; } >"$settings/host"
    qconf -Ae "$settings/host" || qconf -Me "$settings/host"
    fields group_name @allhosts hostlist "$host" >"$settings/group"
    qconf -Ahgrp "$settings/group"
    # shellcheck disable=SC2016 # the rule's name begins with a dollar sign
    { fields pe_name serial slots 999 allocation_rule '$pe_slots' control_slaves FALSE \
        job_is_first_task TRUE urgency_slots min accounting_summary FALSE; none user_lists \
        xuser_lists start_proc_args stop_proc_args qsort_args; } >"$settings/serial"
    qconf -Ap "$settings/serial"
    qconf -ssconf | sed -e 's/^schedule_interval .*/schedule_interval 0:0:1/' \
        -e 's/^\(flush_submit_sec\|flush_finish_sec\) .*/\1 1/' >"$settings/scheduler"
    qconf -Msconf "$settings/scheduler"
    queue >"$settings/queue"
    qconf -Aq "$settings/queue"
}

start_qmaster() {
    "${daemon[@]}" "$installed/sge_qmaster" >"$folder/qmaster.log" 2>&1 </dev/null &
    qmaster=$!
}

# An execd that lost its qmaster takes half a minute to find it again, a new one finds it at once; it
# takes over the jobs that run.
start_execd() {
    if [ -n "$execd" ]; then
        kill -KILL "$execd"
        wait "$execd" 2>/dev/null || true
    fi
    "${daemon[@]}" "$installed/sge_execd" >"$folder/execd.log" 2>&1 </dev/null &
    execd=$!
}

# A queue whose host is not heard of has a sixth column with its states.
is_ready() {
    qstat -f | awk '/^main.q@/ { ready = NF == 5 } END { exit !ready }'
}

PATH=$installed:$PATH
lay_out
fill_database >&2
start_qmaster
configure >&2
start_execd
await 25 is_ready
echo ready
while read -r line; do
    case $line in
        stop)
            kill -KILL "$qmaster"
            wait "$qmaster" 2>/dev/null || true
            ;;
        start)
            start_qmaster
            await 20 qconf -sm
            start_execd
            await 25 is_ready
            ;;
    esac
    echo 'done'
done
