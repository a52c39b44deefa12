#!/usr/bin/env bash
# Mails the end of a run to the account it belongs to: SW_ON_CHANGE=/path/to/mail.sh
#
# It reads one status change as a line of JSON. NIASSA_MAIL_TO sends everything to one address instead.
# Needs jq, and `mail` or a sendmail; whatever fails is told by the tick that called it.
set -euo pipefail

event=$(cat)
field() { jq --raw-output --arg name "$1" '.[$name] // ""' <<<"$event"; }

to=$(field to)
case $to in
completed | failed | cancelled) ;;
*) exit 0 ;;
esac

run=$(field workflow_run_swid)
address=${NIASSA_MAIL_TO:-$(field account)}
# An address that a program could take for an option is none.
[[ $address == ?*@?* && $address != -* ]] || {
    echo "no address in the event: $address" >&2
    exit 1
}
subject="Niassa: run $run of $(field workflow_name | tr --delete '[:cntrl:]') is $to"
body="Run $run of $(field workflow_name) $(field workflow_version) is $to since $(field at).

$(field why)
Host: $(field host)
Files: $(field directory)

More: seqware workflow-run explain --accession $run"

if command -v mail >/dev/null; then
    mail -s "$subject" "$address" <<<"$body"
else
    sendmail=$(command -v sendmail || echo /usr/sbin/sendmail)
    printf 'To: %s\nSubject: %s\nContent-Type: text/plain; charset=utf-8\n\n%s\n' \
        "$address" "$subject" "$body" | "$sendmail" -t
fi
