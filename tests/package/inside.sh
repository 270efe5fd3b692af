#!/bin/bash
# Runs inside a Debian that was booted for it: installs the package, configures, sends, restarts, breaks, upgrades, removes, purges.
# Prints "ok: …" for what was seen, and "FAILED: …" for what was not; ends with "finished".
set -u
cd /trial

ok() { echo "ok: $1"; }
failed() { echo "FAILED: $1"; journalctl -u tallyhook.service -u tallyhook-https.socket --no-pager | grep -v 'status="accepted"' | tail -8 | sed 's/^/    /'; }
check() { local what=$1; shift; if "$@"; then ok "$what"; else failed "$what"; fi; }
patiently() { for _ in $(seq 1 150); do if "$@" >/dev/null 2>&1; then return 0; fi; sleep 0.2; done; return 1; }
active() { systemctl is-active --quiet "$1"; }
inactive() { ! active "$1"; }
events() { tallyhook status --json | sed 's/.*"events":\([0-9]*\).*/\1/'; }
pid() { systemctl show -p MainPID --value tallyhook.service; }
answers() { tallyhook send stripe --live; }

old=$(ls old/*.deb) new=$(ls new/*.deb)

# Installing starts nothing, asks nothing, and says what is next.
said=$(DEBIAN_FRONTEND=noninteractive dpkg -i "$old" 2>&1 </dev/null) || failed "install: $said"
check "the installation says the next command" grep -q 'Next: tallyhook setup' <<<"$said"
check "nothing is started before it is configured" inactive tallyhook.service
check "the user is there" getent passwd tallyhook
check "the credentials' folder is root's alone" test "$(stat -c '%U %a' /etc/tallyhook/credentials)" = 'root 700'

# A sample for those who write the configuration themselves.
check "init writes a sample" tallyhook init
check "which the service can read" test "$(stat -c '%U %G %a' /etc/tallyhook/tallyhook.toml)" = 'root tallyhook 640'
rm /etc/tallyhook/tallyhook.toml

# Set up as a new user would, with nobody to ask. There is no net here, so that no certificate comes.
said=$(printf 'whsec_package_test' | timeout 100 tallyhook setup --batch --domain hooks.example.com --email me@example.com \
    --stripe-secret-file - --highlevel-webhooks --highlevel-location ve9EPM428h8vShlRW1KT --start 2>&1) || failed "setup: $said"
check "setup prints the address for Stripe" grep -q 'https://hooks.example.com/api/webhooks/stripe' <<<"$said"
check "and the one for HighLevel" grep -q 'https://hooks.example.com/api/webhooks/highlevel/' <<<"$said"
check "setup examines what it did" grep -q 'permissions.configuration' <<<"$said"
check "it is up, without a certificate as well" active tallyhook.service
check "the port is held by its socket" active tallyhook-https.socket
check "both come with every boot" systemctl is-enabled --quiet tallyhook-https.socket tallyhook.service
check "the configuration is closed to others" test "$(stat -c '%U %G %a' /etc/tallyhook/tallyhook.toml)" = 'root tallyhook 640'
check "the secret is root's alone" test "$(stat -c '%U %a' /etc/tallyhook/credentials/stripe)" = 'root 600'
check "root can check the configuration outside the service" tallyhook check

# From here on without TLS, for which somebody outside would have to vouch.
sed -i 's/^tls = .*/tls = { mode = "off" }\nlisten = "0.0.0.0:443"/' /etc/tallyhook/tallyhook.toml
systemctl restart tallyhook.service
check "it is up" patiently active tallyhook.service
check "a signed event is taken" answers
check "it is counted" test "$(events)" = 1
check "the state is its own" test "$(stat -c '%U %a' /var/lib/tallyhook)" = 'tallyhook 700'
check "no capability is held" grep -q '^CapEff:\s*0000000000000000$' "/proc/$(pid)/status"
exposure=$(systemd-analyze security tallyhook.service --no-pager | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
echo "exposure $exposure"
check "the exposure is at most 1.2" awk "BEGIN{exit !($exposure <= 1.2)}"

# Restarts under load: whoever sends meanwhile is answered, and what was answered is there.
before=$(events)
touch running
for client in 1 2 3; do
    (
        sent=0 refused=0
        while [ -e running ]; do
            # Samples of the same millisecond have the same id: such a repeat is answered, and counts as nothing.
            if said=$(answers 2>&1); then
                grep -q accepted <<<"$said" && sent=$((sent + 1))
            else
                refused=$((refused + 1))
                echo "$said" >> refusals
            fi
        done
        echo "$sent $refused" > "client.$client"
    ) &
done
for _ in 1 2 3 4; do sleep 1; systemctl restart tallyhook.service; done
sleep 1
rm running
wait
sent=$(awk '{s+=$1} END{print s}' client.*) refused=$(awk '{s+=$2} END{print s}' client.*)
echo "sent $sent, refused $refused during four restarts"
[ -e refusals ] && sort refusals | uniq -c | head -5
check "no request was refused during four restarts" test "$refused" = 0
check "every one that was answered is there" test "$(events)" = $((before + sent))

# A file that the service's user can't read is found by check and doctor, though root can read it.
chgrp root /etc/tallyhook/tallyhook.toml
said=$(tallyhook check 2>&1) && failed "check is content with a file that the service can't read"
check "check names the file and the command" grep -q 'chown root:tallyhook /etc/tallyhook/tallyhook.toml' <<<"$said"
check "doctor does, too" sh -c 'tallyhook doctor --json | grep -q permissions.service'
chgrp tallyhook /etc/tallyhook/tallyhook.toml

# A reload takes another secret.
printf 'whsec_another_secret' > /etc/tallyhook/credentials/stripe
systemctl reload tallyhook.service || failed "reload"
check "a reload takes another secret" patiently answers
check "which only root can change, and only the service can read" \
    test "$(stat -c '%U %G %a' /run/tallyhook-credentials /run/tallyhook-credentials/stripe | tr '\n' ,)" = 'root tallyhook 750,root tallyhook 640,'
systemctl restart tallyhook.service
check "a restart leaves no copies of it" test ! -e /run/tallyhook-credentials
check "and takes it as well" patiently answers

# A broken configuration keeps the old one.
cp -p /etc/tallyhook/tallyhook.toml /etc/tallyhook/good.toml
echo 'nonsense = 1' >> /etc/tallyhook/tallyhook.toml
systemctl reload tallyhook.service
check "a broken configuration is refused in the journal" patiently sh -c 'journalctl -u tallyhook --no-pager | grep -q "the old configuration stays in force"'
check "and the old one works on" tallyhook send stripe --live --config /etc/tallyhook/good.toml

# Restarted with it, while a sender knocks: it is tried again at a bearable pace, and the mended one is taken up by itself.
printf 'POST / HTTP/1.1\r\nHost: x\r\n\r\n' > knock
touch running
( while [ -e running ]; do timeout 1 bash -c 'cat knock >/dev/tcp/127.0.0.1/443; sleep 0.1' 2>/dev/null; done ) &
starts() { systemctl show -p NRestarts --value tallyhook.service; }
systemctl restart tallyhook.service 2>/dev/null
before=$(starts)
sleep 7
tried=$(($(starts) - before))
echo "started $tried times in 7 s with a broken configuration"
check "a broken configuration is tried again" test "$tried" -ge 1
check "at a bearable pace" test "$tried" -le 5
check "the socket is there meanwhile" active tallyhook-https.socket
cat /etc/tallyhook/good.toml > /etc/tallyhook/tallyhook.toml
check "the mended configuration is taken up by itself" patiently answers
rm running
wait
check "the socket lives" active tallyhook-https.socket

# Another port, as the README says it; and a service that was stopped by itself brings its socket.
mkdir -p /run/systemd/system/tallyhook-https.socket.d
printf '[Socket]\nListenStream=\nListenStream=8443\nListenStream=80\n' > /run/systemd/system/tallyhook-https.socket.d/test.conf
sed -i 's/0.0.0.0:443/0.0.0.0:8443/' /etc/tallyhook/tallyhook.toml
systemctl daemon-reload
systemctl stop tallyhook-https.socket tallyhook.service && systemctl start tallyhook.service
check "another port is taken as the README says" patiently answers
check "the socket came with the service" active tallyhook-https.socket
rm -r /run/systemd/system/tallyhook-https.socket.d
systemctl daemon-reload
systemctl stop tallyhook-https.socket tallyhook.service
cat /etc/tallyhook/good.toml > /etc/tallyhook/tallyhook.toml
systemctl start tallyhook.service
check "and the old port again" patiently answers

# Killed: started again, nothing lost.
before=$(events) was=$(pid)
kill -9 "$was"
check "after kill -9 it comes back" patiently sh -c "systemctl is-active --quiet tallyhook && [ \$(systemctl show -p MainPID --value tallyhook) != $was ]"
check "with everything" test "$(events)" = "$before"

# Frozen: the watchdog ends it (a shorter one for the test).
mkdir -p /run/systemd/system/tallyhook.service.d
printf '[Service]\nWatchdogSec=4s\n' > /run/systemd/system/tallyhook.service.d/test.conf
systemctl daemon-reload
systemctl restart tallyhook.service
patiently active tallyhook.service
was=$(pid)
sleep 6
check "the watchdog lets a healthy program be" test "$(pid)" = "$was"
kill -STOP "$was"
check "a frozen program is started again by the watchdog" patiently sh -c "[ \$(systemctl show -p MainPID --value tallyhook) != $was ] && systemctl is-active --quiet tallyhook"
check "the journal says why" sh -c 'journalctl -u tallyhook --no-pager | grep -qi watchdog'
rm -r /run/systemd/system/tallyhook.service.d
systemctl daemon-reload

# A backup while events come in, by hand and by the nightly unit; restored, nothing is missing and nothing is there twice.
check "the nightly backup is there and not enabled" test "$(systemctl is-enabled tallyhook-backup.timer 2>/dev/null)" = disabled
systemctl enable --now tallyhook-backup.timer 2>/dev/null
check "it can be enabled" active tallyhook-backup.timer
exposure=$(systemd-analyze security tallyhook-backup.service --no-pager | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
echo "exposure of the backup $exposure"
check "its exposure is at most 1.2" awk "BEGIN{exit !($exposure <= 1.2)}"
touch running
( refused=0; while [ -e running ]; do answers >/dev/null 2>>backup.errors || refused=$((refused + 1)); done; echo "$refused" > backup.refused ) &
sleep 1
check "the nightly backup works under load" systemctl start tallyhook-backup.service
check "it is its owner's alone" test "$(stat -c '%U %a' /var/lib/tallyhook/backups/tallyhook-*.backup)" = 'tallyhook 600'
check "a backup by hand works under load" tallyhook backup /root/early.backup
rm running
wait
check "no request was refused for it" test "$(cat backup.refused)" = 0
check "a backup is whole" tallyhook backup --verify /root/early.backup
before=$(events)
check "a last backup" tallyhook backup /root/last.backup
said=$(tallyhook restore /root/last.backup 2>&1) && failed "a restore beside the running program was let through"
check "a restore is refused while it runs" grep -q 'stop it first' <<<"$said"
systemctl stop tallyhook.service 2>/dev/null
said=$(tallyhook restore /root/last.backup 2>&1) && failed "a restore that the next sender would disturb was let through"
check "a restore is refused while the socket waits for senders" grep -q 'tallyhook-https.socket is active' <<<"$said"
systemctl stop tallyhook-https.socket tallyhook.service
said=$(tallyhook restore /root/last.backup 2>&1) && failed "a restore over a store was let through"
check "a restore is refused over a store" grep -q 'move it away first' <<<"$said"
mv /var/lib/tallyhook/tallyhook.redb /root/old.redb
check "restored" tallyhook restore /root/last.backup
check "the restored store is the service's alone" test "$(stat -c '%U %G %a' /var/lib/tallyhook/tallyhook.redb)" = 'tallyhook tallyhook 600'
check "nothing else is left there" test -z "$(ls -A /var/lib/tallyhook | grep part)"
systemctl start tallyhook-https.socket tallyhook.service
check "it runs on the restored store" patiently active tallyhook.service
check "with every event, once" test "$(events)" = "$before"
check "and takes more" answers
check "the nightly backup works without the program, too" sh -c 'systemctl stop tallyhook-https.socket tallyhook.service && systemctl start tallyhook-backup.service && systemctl start tallyhook-https.socket tallyhook.service'
check "which leaves the store to the service" test "$(stat -c '%U %a' /var/lib/tallyhook/tallyhook.redb)" = 'tallyhook 600'

# The upgrade keeps the changed configuration and the books, and refuses nobody.
echo '# changed by hand' >> /etc/tallyhook/tallyhook.toml
before=$(events)
touch running
( refused=0; while [ -e running ]; do answers >/dev/null 2>>upgrade.errors || refused=$((refused + 1)); done; echo "$refused" > upgrade.refused ) &
said=$(DEBIAN_FRONTEND=noninteractive dpkg -i "$new" 2>&1 </dev/null) || failed "upgrade: $said"
sleep 1
rm running
wait
check "the upgrade refuses no request" test "$(cat upgrade.refused)" = 0
check "the upgraded program runs" patiently active tallyhook.service
check "the new version runs" test "$(tallyhook --version)" = "tallyhook $(dpkg-query -W -f '${Version}' tallyhook)"
check "the changed configuration is kept" grep -q 'changed by hand' /etc/tallyhook/tallyhook.toml
check "the books are kept" test "$(events)" -ge "$before"
said=$(dpkg -i "$old" 2>&1 </dev/null) && failed "a downgrade was let through"
check "a downgrade is refused with a sentence" grep -q 'an older version may not understand' <<<"$said"
check "it names the way back" grep -q 'tallyhook restore' <<<"$said"
check "and the new one still runs" patiently active tallyhook.service

# Removing keeps the data, purging leaves nothing.
dpkg -r tallyhook >/dev/null 2>&1 || failed "remove"
check "removing stops it" inactive tallyhook.service
check "and the nightly backup" inactive tallyhook-backup.timer
check "removing keeps the books" test -s /var/lib/tallyhook/tallyhook.redb
check "removing keeps the configuration" test -s /etc/tallyhook/tallyhook.toml
dpkg -i "$new" >/dev/null 2>&1 </dev/null || failed "installing again"
systemctl start tallyhook-https.socket tallyhook.service
check "installed again it goes on with the same books" test "$(events)" -ge "$before"
dpkg -P tallyhook >/dev/null 2>&1 || failed "purge"
check "purging leaves no state" test ! -e /var/lib/tallyhook
check "purging leaves no configuration" test ! -e /etc/tallyhook
check "purging leaves no user" sh -c '! getent passwd tallyhook'
check "purging leaves no units" sh -c '! ls /etc/systemd/system/*/tallyhook* 2>/dev/null'
echo finished
