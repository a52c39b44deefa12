#!/usr/bin/env bash
# The first process of a host: gives it a name and folders of its own, then waits for the end of its
# standard input. Arguments: the short name, the folder that holds its folders, the lines of /etc/hosts.
set -euo pipefail
name=$1
own=$2
hosts=$3

# A copy of /etc without the people of this machine; everything else begins empty.
mkdir -p "$own"
cp --archive /etc "$own/etc"
for file in passwd group; do
    awk -F: '$3 < 1000 || $3 >= 60000' "/etc/$file" > "$own/etc/$file"
done
for pair in passwd:shadow group:gshadow; do
    awk -F: 'NR == FNR { known[$1]; next } $1 in known' \
        "$own/etc/${pair%:*}" "/etc/${pair#*:}" > "$own/etc/${pair#*:}"
done
rm -rf "$own/etc/niassa" "$own/etc/slurm" "$own/etc/cron.d" "$own/etc/resolv.conf"
mkdir "$own/etc/niassa" "$own/etc/slurm" "$own/etc/cron.d"
: > "$own/etc/crontab"
: > "$own/etc/resolv.conf"
printf '127.0.0.1 localhost\n%s\n' "$hosts" > "$own/etc/hosts"
printf '%s\n' "$name" > "$own/etc/hostname"
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n' > "$own/etc/nsswitch.conf"
mount --bind "$own/etc" /etc
for folder in home root run srv tmp var/log var/mail var/spool var/tmp; do
    mkdir -p "$own/$folder"
    mount --bind "$own/$folder" "/$folder"
done
chmod 1777 /tmp /var/tmp
chmod 0700 /root
install --directory --owner root --group crontab --mode 1730 /var/spool/cron/crontabs
hostname "$name"
echo ready
read -r _ || true
