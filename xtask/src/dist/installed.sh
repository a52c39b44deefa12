#!/usr/bin/env bash
# Installs the package, starts and uses what it brought, removes and purges it, and looks for what is left.
# Runs as root in namespaces of its own, with a file system that is laid over this machine's and thrown
# away. Arguments: the package, a folder for the layers. systemd does not run in here; a script plays
# `systemctl` and notes what it is asked, the service is started by what its unit says.
set -euo pipefail
package=$(realpath "$1")
layers=$2

if [ "${3-}" != inside ]; then
    mount -t tmpfs -o mode=755 niassa-dist "$layers"
    mkdir "$layers/upper" "$layers/work" "$layers/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$layers/root"
    cp "$package" "$layers/root/niassa.deb"
    cp "$0" "$layers/root/installed.sh"
    mount -t proc proc "$layers/root/proc"
    mount --rbind /dev "$layers/root/dev"
    for folder in run tmp var/tmp; do
        mount -t tmpfs -o mode=1777 tmpfs "$layers/root/$folder"
    done
    ip link set lo up
    exec chroot "$layers/root" /bin/bash /installed.sh /niassa.deb / inside
fi

export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
say() { printf '  %s\n' "$*"; }
fail() {
    printf 'installed: %s\n' "$*" >&2
    exit 1
}
# Where nothing of a package may be left; dpkg's own notes, logs and caches aside.
listing() {
    find / -xdev \( -path /proc -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /work \
        -o -path /root -o -path /home \) -prune -o -print | sort
}

# Notes what is asked of systemd; to stop the service is to end it, as systemd does.
mkdir -p /run/systemd/system /usr/local/sbin
cat >/usr/local/sbin/systemctl <<'SYSTEMCTL'
#!/bin/sh
echo "$*" >>/run/systemctl
case "$*" in
"stop niassa.service"*) if kill "$(cat /run/niassa.pid)" 2>/dev/null; then tail --pid="$(cat /run/niassa.pid)" -f /dev/null; fi ;;
esac
SYSTEMCTL
chmod 755 /usr/local/sbin/systemctl
if getent passwd niassa >/dev/null; then fail 'this machine has a user niassa already'; fi
listing >/run/before

DEBIAN_FRONTEND=noninteractive dpkg --install "$package" >/run/dpkg.log 2>&1 || { cat /run/dpkg.log; fail 'dpkg --install'; }
say "installed: $(dpkg-query --show niassa | tr '\t' ' ')"
seqware --version
if command -v systemd-analyze >/dev/null; then
    systemd-analyze verify --man=no /lib/systemd/system/niassa.service >/run/verify.log 2>&1 ||
        { cat /run/verify.log; fail 'systemd does not understand the unit'; }
    say 'systemd understands the unit'
fi
zcat /usr/share/man/man1/seqware.1.gz | grep -q '^\.TH' || fail 'no manual page'
zcat /usr/share/man/man1/seqware-agent.1.gz >/dev/null || fail 'the unit names a manual page that is not there'
bash -n /usr/share/bash-completion/completions/seqware || fail 'the completions of bash'
for file in settings service.toml; do
    dpkg-query --show --showformat '${Conffiles}\n' niassa | grep -q "/etc/niassa/$file " ||
        fail "$file is no conffile"
done

runuser -u niassa -- seqware metadb init --metadb /var/lib/niassa/niassa.db --admin admin@localhost <<<'a long password'
unit=/lib/systemd/system/niassa.service
user=$(sed -n 's/^User=//p' "$unit")
start=$(sed -n 's/^ExecStart=//p' "$unit")
# shellcheck disable=SC2086 # the words of the unit's line
setpriv --reuid="$user" --regid="$user" --clear-groups env HOME=/var/lib/niassa $start >/run/serve.log 2>&1 &
echo $! >/run/niassa.pid
for _ in $(seq 150); do
    if curl --silent --fail http://127.0.0.1:8080/livez >/dev/null; then break; fi
    sleep 0.2
done
curl --silent --fail http://127.0.0.1:8080/livez >/dev/null || { cat /run/serve.log; fail 'the service does not answer'; }
say "the service answers, as $user, started by: $start"

useradd --create-home --home-dir /tmp/bob --shell /bin/bash bob-of-the-test
runuser -u bob-of-the-test -- env HOME=/tmp/bob bash -euo pipefail <<'BOB'
cd /tmp/bob
seqware init --url http://127.0.0.1:8080 --user admin@localhost <<<'a long password'
export SW_HOST=here
seqware bundle install --dir /usr/share/niassa/bundles/hello-world
seqware workflow schedule --accession 1 --host here
seqware workflow-run launch-scheduled --host here
seqware workflow-run propagate-statuses --until-done
seqware workflow-run report --accession 2 | grep completed
seqware check >/tmp/bob/check || { cat /tmp/bob/check; exit 1; }
BOB
say 'a run of hello-world completed, and seqware check finds nothing to mend'
# Its supervisor would wait a while for more; in here there are no processes but ours.
pkill --uid bob-of-the-test || true
for _ in $(seq 150); do
    if ! pgrep --uid bob-of-the-test >/dev/null; then break; fi
    sleep 0.2
done
userdel --remove bob-of-the-test 2>/dev/null

dpkg --remove niassa >>/run/dpkg.log 2>&1 || { cat /run/dpkg.log; fail 'dpkg --remove'; }
grep -q '^stop niassa.service' /run/systemctl || fail 'removing did not stop the service'
if kill -0 "$(cat /run/niassa.pid)" 2>/dev/null; then fail 'the service still runs'; fi
[ ! -e /usr/bin/seqware ] || fail 'the executable is left'
[ -e /etc/niassa/service.toml ] || fail 'removing took the configuration'
[ -e /var/lib/niassa/niassa.db ] || fail 'removing took the MetaDB'
say 'removed: stopped, the program gone, configuration and data kept'

dpkg --purge niassa >>/run/dpkg.log 2>&1 || { cat /run/dpkg.log; fail 'dpkg --purge'; }
[ -e /var/lib/niassa/niassa.db ] || fail 'purging took the MetaDB, and nobody had said so'
[ "$(stat --format %U /var/lib/niassa/niassa.db)" = niassa ] || fail 'the MetaDB has no owner any more'
grep -q 'the MetaDB and the archives in /var/lib/niassa are kept' /run/dpkg.log || fail 'purging does not say what it left'
[ ! -e /etc/niassa ] || fail 'purging left the configuration'
say 'purged: the MetaDB and its user are kept, and that is said'

dpkg --install "$package" >>/run/dpkg.log 2>&1 || { cat /run/dpkg.log; fail 'dpkg --install, once more'; }
grep -q 'the MetaDB that was kept' /run/dpkg.log || fail 'installing once more does not say that there is a MetaDB'
runuser -u niassa -- seqware metadb check --metadb /var/lib/niassa/niassa.db >/run/check.log || [ $? = 9 ] ||
    { cat /run/check.log; fail 'what was kept is no MetaDB'; }
touch /var/lib/niassa/remove-on-purge
dpkg --purge niassa >>/run/dpkg.log 2>&1 || { cat /run/dpkg.log; fail 'dpkg --purge, with leave'; }
listing >/run/after
left=$(comm -13 /run/before /run/after)
[ -z "$left" ] || fail "purging left: $left"
if getent passwd niassa >/dev/null || getent group niassa >/dev/null; then fail 'the user is left'; fi
say 'purged with leave: nothing is left'
