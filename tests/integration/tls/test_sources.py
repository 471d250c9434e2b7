"""Where the certificate comes from: a program on the host that keeps it, or the host itself."""

from __future__ import annotations

import contextlib
import ssl

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

HOSTNAME = sample_accounts.HOSTNAME
PLACE = f"/etc/letsencrypt/live/{HOSTNAME}"
ON_HOST = {
    "mail_tls_certificate": f"host:{PLACE}/fullchain.pem",
    "mail_tls_key": f"host:{PLACE}/privkey.pem",
}
CERT, KEY, NEXT = (f"/etc/ssl/mailstack/{name}.pem" for name in ("cert", "key", "next"))

#: As a client of ACME does: files of a new number, and then other symbolic links. The CA is one of the test.
RENEW = f"""set -e; n=$1; name=$2; archive=/etc/letsencrypt/archive/{HOSTNAME}
mkdir -p $archive {PLACE}; cd $archive
new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc"
[ -e ca.key ] || $new -days 99 -subj /CN=CA -addext basicConstraints=critical,CA:TRUE \
  -keyout ca.key -out ca.pem
$new -days 20 -subj / \
  -addext subjectAltName=critical,DNS:$name -CA ca.pem -CAkey ca.key -keyout privkey$n.pem -out cert$n.pem
cat cert$n.pem ca.pem > fullchain$n.pem
for file in privkey fullchain; do
  ln -s ../../archive/{HOSTNAME}/$file$n.pem {PLACE}/new; mv -T {PLACE}/new {PLACE}/$file.pem
done"""


def renew(target: Target, number: int, name: str = HOSTNAME) -> str:
    """Write a new certificate and key as that program does, and return the certificate."""
    target.exec(["sh", "-c", RENEW, "renew", str(number), name])
    return target.read(f"/etc/letsencrypt/archive/{HOSTNAME}/cert{number}.pem").decode()


def shown(target: Target, port: int) -> str:
    """Return the certificate that a client sees."""
    return ssl.get_server_certificate((target.ip, port), timeout=clients.TIMEOUT).strip()


def wait_until_shown(target: Target, pem: str) -> None:
    """Return once both daemons show the certificate."""

    def both_show_it() -> bool:
        with contextlib.suppress(OSError):  # of a handshake while key and certificate are not those of one
            return {shown(target, port) for port in (465, 993)} == {pem.strip()}
        return False

    clients.eventually(both_show_it, "an old certificate", 60)


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a server whose certificate may be changed."""
    return module_clone("sources")


def test_roll_uses_the_next_key(host: Target) -> None:
    following = host.read(NEXT)
    roll = ("-y", "--json", "mailstack.certificates.roll")
    data = sample_accounts.data()
    assert host.pyinfra(*roll, data=data).check().changed == [], "the next key is younger than a day"
    assert host.pyinfra(*roll, "now=True", data=data).check().changed != []
    assert host.read(KEY) == following
    assert host.read(NEXT) != following
    wait_until_shown(host, host.read(CERT).decode())
    run = host.pyinfra("-y", "--json", "deploy.py", data=data).check()
    assert run.changed == []


def test_a_new_certificate_has_the_old_key(host: Target) -> None:
    key = host.read(KEY)
    host.exec(f"rm {CERT}")
    host.pyinfra("-y", "deploy.py", data=sample_accounts.data()).check()
    wait_until_shown(host, host.read(CERT).decode())
    assert host.read(KEY) == key


def test_a_missing_file_ends_the_run_before_any_change(host: Target) -> None:
    before = host.read(CERT)
    run = host.pyinfra("-y", "deploy.py", data=sample_accounts.data(**ON_HOST, mail_pop3=True))
    assert run.returncode
    assert f"mail_tls_certificate: this host has no file {PLACE}/fullchain.pem" in run.stderr
    assert host.read(CERT) == before
    assert "pop3" not in host.read("/etc/dovecot/dovecot.conf").decode()


def test_a_certificate_for_another_name_ends_the_run_too(host: Target) -> None:
    renew(host, 1, "other.example.org")
    run = host.pyinfra("-y", "deploy.py", data=sample_accounts.data(**ON_HOST))
    assert run.returncode
    assert "does not cover mail_hostname" in run.stderr


def test_each_new_version_of_a_certificate_on_the_host_is_used(host: Target) -> None:
    host.exec("rm -rf /etc/letsencrypt")
    first = renew(host, 1)
    data = sample_accounts.data(**ON_HOST)
    host.pyinfra("-y", "deploy.py", data=data).check()
    wait_until_shown(host, first)
    assert host.exec(f"stat -c %a {KEY}").stdout == "600\n"
    assert host.pyinfra("-y", "--json", "deploy.py", data=data).check().changed == []
    for number in (2, 3):
        wait_until_shown(host, renew(host, number))
    # only one of both
    host.exec(f"ln -sf ../../archive/{HOSTNAME}/privkey1.pem {PLACE}/privkey.pem")
    clients.eventually(
        lambda: "is not the key" in host.exec("journalctl -u mailstack-certificate").stdout,
        "no word of it",
        60,
    )
    assert shown(host, 993) == host.read(CERT).decode().partition("-----END CERTIFICATE-----")[0].strip() + (
        "\n-----END CERTIFICATE-----"
    )


#: Two files are not replaced at once: what may happen between. systemd looks here for a program first.
BETWEEN = f"""#!/bin/sh
/usr/bin/mv "$@" || exit
case $* in *" {KEY}")
  systemctl reload dovecot postfix
  exec >/tmp/between 2>&1 </dev/null
  for port in 465 993; do timeout 20 openssl s_client -connect localhost:$port; done
esac
exit 0
"""


def test_what_a_daemon_reads_between_key_and_certificate_is_made_good(host: Target) -> None:
    host.write("/usr/local/bin/mv", BETWEEN.encode())
    host.exec("chmod 755 /usr/local/bin/mv")
    try:
        wait_until_shown(host, renew(host, 4))
    finally:
        host.exec("rm /usr/local/bin/mv")
    assert host.read("/tmp/between").decode().count("no peer certificate available") == 2


def test_without_the_settings_the_certificate_of_a_ca_stays(host: Target) -> None:
    host.exec("rm -rf /etc/letsencrypt")
    renew(host, 1)
    host.pyinfra("-y", "deploy.py", data=sample_accounts.data(**ON_HOST)).check()
    before = host.read(CERT)
    run = host.pyinfra("-y", "--json", "deploy.py", data=sample_accounts.data()).check()
    assert host.read(CERT) == before
    assert f"the certificate of {HOSTNAME} is of a CA, and stays until it expires" in run.stderr + run.stdout
    shown = host.exec("systemctl show -P ActiveState mailstack-certificate.path").stdout
    assert shown == "inactive\n"
    renew(host, 2)
    again = host.pyinfra("-y", "--json", "deploy.py", data=sample_accounts.data()).check()
    assert (again.changed, host.read(CERT)) == ([], before)
