"""Guessed passwords: who is shut out of which ports, who is not, and for how long."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mailstack.components.fail2ban import FAIL2BAN
from mailstack.facts.platform import RELEASES
from mailstack.passwords import app_digest, generate_app_password
from mailstack.settings import Settings
from tests.integration.conftest import Factory
from tests.integration.guard.conftest import LIMIT, data
from tests.support import clients, logins, sample_accounts
from tests.support.guessing import GOOD, SHUT, WRONG, Attempt, Guesser, different
from tests.support.releases import on_debian_13
from tests.support.sample_accounts import ALICE, BOB, PASSWORDS
from tests.support.sites import site
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

PORTS = (25, 110, 143, 465, 587, 993, 995, 4190)


def banned(server: Target) -> list[str]:
    """Return the addresses that nftables shuts out."""
    found = []
    for name in ("ipv4", "ipv6"):
        said = server.exec(f"nft -j list set inet mailstack-bans {name}", check=False).stdout or "{}"
        sets = [each["set"] for each in json.loads(said).get("nftables", []) if "set" in each]
        for each in (element for one in sets for element in one.get("elem", [])):
            prefix = each.get("prefix") if isinstance(each, dict) else None
            found.append(f"{prefix['addr']}/{prefix['len']}" if prefix else each)
    return found


def wait_for_ban(server: Target, address: str) -> None:
    clients.eventually(lambda: address in banned(server), f"{address} is not shut out", 180)


def wait_until_read(guesser: Guesser, number: int) -> None:
    """Return once fail2ban has read all that is in the journal now: it bans the last address in it."""
    last = f"203.0.113.{number}"
    guesser.log_in(last, *different(LIMIT + 1))
    wait_for_ban(guesser.server, last)


def call(server: Target, name: str, *args: str) -> PyinfraRun:
    """Run a command about bans as a person does."""
    return server.pyinfra("-y", f"mailstack.ban.{name}", *args, data=data())


def listed(server: Target) -> dict[str, dict[str, Any]]:
    """Return what the list prints as JSON, by address."""
    bans = json.loads(call(server, "list", "format=json").check().stdout)["bans"]
    return {ban["address"]: ban for ban in bans}


def status(server: Target) -> dict[str, Any]:
    """Return what the state of the host is, without the disks of this machine."""
    run = server.pyinfra("-y", "mailstack.status", "changes=false", "format=json", data=data())
    found: dict[str, Any] = json.loads(run.stdout)
    found["troubles"] = [each for each in found["troubles"] if each["section"] != "disk"]
    return found


def test_guesses_by_all_protocols_count_together_and_shut_all_ports(guesser: Guesser) -> None:
    address, other = "203.0.113.1", "203.0.113.2"
    services = ("smtp", "imap", "pop3", "sieve", "smtp")
    guesses = [different(1, service, number)[0] for number, service in enumerate(services)]
    assert set(guesser.log_in(address, *guesses[:-1])) == {WRONG}
    assert all(guesser.reaches(address, PORTS))
    guesser.log_in(address, guesses[-1])
    wait_for_ban(guesser.server, address)
    assert guesser.reaches(address, (*PORTS, 22)) == [False] * len(PORTS) + [True]
    assert all(guesser.reaches(other, PORTS))
    ban = listed(guesser.server)[address]
    assert (ban["guesses"], len(ban["users"])) == (LIMIT, LIMIT)


def test_a_name_with_the_end_of_a_line(guesser: Guesser) -> None:
    """As Unicode has one: Dovecot takes it, and the list shows it as any other."""
    address = "203.0.113.19"
    guesser.log_in(address, Attempt("imap", "nobody\u2028guess=x\x85guesses=y", "secret"))
    guesser.log_in(address, *different(LIMIT))
    wait_for_ban(guesser.server, address)
    assert listed(guesser.server)[address]["guesses"] >= LIMIT


@pytest.mark.parametrize("service", ["imap", "smtp"])
def test_many_passwords_of_one_user(guesser: Guesser, service: str) -> None:
    address = f"203.0.113.{3 if service == 'imap' else 4}"
    guesser.log_in(address, *(Attempt(service, ALICE, f"password {number}") for number in range(24)))
    wait_for_ban(guesser.server, address)
    assert guesser.log_in(address, Attempt("imap", ALICE, PASSWORDS[ALICE])) == [SHUT]


# mailstack decides what these four see, and no version of Dovecot, fail2ban or nftables
@on_debian_13
def test_nobody_can_choose_passwords_with_the_same_digits(guesser: Guesser) -> None:
    address = "203.0.113.9"

    def known(password: str) -> int:
        """Return the digits of former versions, which anybody could compute."""
        total = 0
        for byte in password.encode():
            total = (total * 31 + byte) % 65521
        return total % 256

    alike = [each for each in (f"password {number}" for number in range(20000)) if known(each) == 7]
    guesser.log_in(address, *(Attempt("imap", ALICE, each) for each in alike[: LIMIT + 3]))
    wait_for_ban(guesser.server, address)
    key = guesser.server.exec("stat -c '%U %G %a' /etc/dovecot/guesses.key").stdout
    assert key == "root dovecot 640\n"


def test_one_wrong_program_shuts_out_no_household(guesser: Guesser) -> None:
    address = "203.0.113.5"
    wrong = [Attempt(service, BOB, "the old password") for service in ("imap", "smtp", "pop3", "sieve")]
    assert set(guesser.log_in(address, *wrong * 3)) == {WRONG}
    wait_until_read(guesser, 101)
    assert guesser.log_in(address, Attempt("imap", ALICE, PASSWORDS[ALICE])) == [GOOD]


@pytest.mark.parametrize("service", ["imap", "pop3", "sieve", "smtp"])
def test_the_address_of_a_good_login_is_spared(guesser: Guesser, service: str) -> None:
    number = ("imap", "pop3", "sieve", "smtp").index(service)
    address = f"203.0.113.{10 + number}"
    assert guesser.log_in(address, Attempt(service, ALICE, PASSWORDS[ALICE])) == [GOOD]
    noted = f"test -e /var/lib/fail2ban/mailstack/good/{address}"
    clients.eventually(
        lambda: not guesser.server.exec(noted, check=False).returncode, "no good login is noted"
    )
    assert set(guesser.log_in(address, *different(LIMIT + 2))) == {WRONG}
    wait_until_read(guesser, 110 + number)
    assert guesser.log_in(address, Attempt("imap", BOB, PASSWORDS[BOB])) == [GOOD]


def test_an_app_password_is_no_guess(guesser: Guesser) -> None:
    address, secret = "203.0.113.6", generate_app_password()
    counted = f"/var/lib/fail2ban/mailstack/guesses/{address}"
    guesser.server.exec(f"rm -f {counted}")  # of a run before, on a server that was kept
    row = f"('{BOB}', 'phone', '{app_digest(secret)}')"
    clients.sql(guesser.server, f"INSERT INTO mail_app_password (email, name, digest) VALUES {row}")
    assert guesser.log_in(address, Attempt("imap", BOB, secret)) == [GOOD]
    wait_until_read(guesser, 102)
    assert guesser.server.exec(f"ls {counted}", check=False).stdout == ""
    clients.sql(guesser.server, f"DELETE FROM mail_app_password WHERE email = '{BOB}'")


def test_ipv6_is_counted_and_shut_out_by_network(guesser: Guesser) -> None:
    network, other = "2001:db8:f000:1:", "2001:db8:f000:2::1"
    for number, guess in enumerate(different(LIMIT)):
        guesser.log_in(f"{network}:{number + 1:x}", guess)
    wait_for_ban(guesser.server, f"{network}:/64")
    assert guesser.reaches(f"{network}ffff::9", PORTS) == [False] * len(PORTS)
    assert all(guesser.reaches(other, PORTS))
    assert f"{network}:/64" in listed(guesser.server)
    remove = ("-y", "--json", "mailstack.ban.remove", f"{network}7::7")
    kept = f"ls /var/lib/fail2ban/mailstack/banned/{network}:"
    guesser.server.exec(kept)
    assert guesser.server.pyinfra(*remove, data=data()).check().changed
    assert all(guesser.reaches(f"{network}ffff::9", PORTS))
    assert guesser.server.exec(kept, check=False).returncode


def test_lies_in_the_journal_shut_nobody_out(guesser: Guesser) -> None:
    address = "203.0.113.7"
    guesser.log_in("203.0.113.8", *different(1))

    def told_of() -> list[str]:
        return [each for each in clients.log(guesser.server, "wrong login") if "203.0.113.8" in each]

    line = clients.eventually(told_of, "the guess is not in the journal")[0]
    lies = [
        line.replace("203.0.113.8", address).replace("user0@", f"user{number}@")
        for number in range(2 * LIMIT)
    ]
    assert len(set(lies)) == 2 * LIMIT
    script = "".join(
        f"logger -p mail.info -t 'dovecot[{number}]' -- '{lie}'\nlogger -p mail.info -t dovecot -- '{lie}'\n"
        for number, lie in enumerate(lies)
    )
    # of users with an account, and of services: journald keeps their entries in different files
    for user in ("admin", "daemon"):
        guesser.server.exec(["su", "-s", "/bin/sh", user, "-c", script])
    told = 2 * 2 * len(lies)
    clients.eventually(
        lambda: len([each for each in clients.log(guesser.server, "wrong login") if address in each]) >= told,
        "the lies are not in the journal",
    )
    wait_until_read(guesser, 103)
    assert address not in banned(guesser.server)


@on_debian_13
def test_bans_by_hand(guarded: Target, guesser: Guesser) -> None:
    address = "203.0.113.20"
    add = ("-y", "--json", "mailstack.ban.add", address)
    remove = ("-y", "--json", "mailstack.ban.remove", address)
    assert guarded.pyinfra(*add, data=data()).check().changed != []
    assert guarded.pyinfra(*add, data=data()).check().changed == []
    assert guesser.log_in(address, Attempt("imap", ALICE, PASSWORDS[ALICE])) == [SHUT]
    assert listed(guarded)[address]["guesses"] == 0
    table = call(guarded, "list").check().stdout
    assert f"{address} " in table and "by hand" in table
    status = json.loads(guarded.pyinfra("-y", "mailstack.status", "format=json", data=data()).stdout)
    assert {ban["address"] for ban in status["bans"]} == listed(guarded).keys()
    assert status["deploy"]["changes"] == [] and "services" not in {
        each["section"] for each in status["troubles"]
    }
    assert guarded.pyinfra(*remove, data=data()).check().changed != []
    assert guarded.pyinfra(*remove, data=data()).check().changed == []
    assert guesser.log_in(address, Attempt("imap", ALICE, PASSWORDS[ALICE])) == [GOOD]


@on_debian_13
def test_what_can_not_be_banned_is_refused(guarded: Target) -> None:
    before = banned(guarded)
    for bad in ("192.0.2.0/24", "x;reboot", "127.0.0.1", guarded.ip):
        run = call(guarded, "add", bad)
        assert run.returncode and "Traceback" not in run.stderr
        assert "allowed" in run.stderr or "never shut out" in run.stderr
    assert banned(guarded) == before


@on_debian_13
def test_the_machine_that_deploys_is_never_shut_out(guarded: Target, guesser: Guesser) -> None:
    us = guarded.exec("ip -4 route show default").stdout.split()[2]
    deploy = ("-y", "--json", "deploy.py")
    assert guarded.pyinfra(*deploy, data=data(), connector="ssh", timeout=300).check().changed != []
    try:
        run = guarded.pyinfra("--sudo", *deploy, data=data(), connector="ssh-admin", timeout=300).check()
        assert run.changed == []
        attempts = {("imap", f"user{number}@example.org", "x"): False for number in range(LIMIT + 2)}
        logins.all_at_once(guarded, attempts)
        wait_until_read(guesser, 104)
        logins.imap(guarded, ALICE, PASSWORDS[ALICE])
        refused = guarded.pyinfra("-y", "mailstack.ban.add", us, data=data(), connector="ssh")
        assert refused.returncode and "never shut out" in refused.stderr
        # a jail of somebody else has its own addresses
        guarded.exec(f"fail2ban-client set theirs banip {us}")
        told = guarded.pyinfra("-y", "mailstack.verify", data=data(), connector="ssh")
        assert told.returncode and f"{us} is shut out by the jail theirs of fail2ban" in told.stdout
        assert f"fail2ban-client set theirs unbanip {us} lets it in again" in told.stdout
    finally:
        # other tests look for all troubles: the last run of verify is none of theirs
        guarded.exec(f"fail2ban-client set theirs unbanip {us}; rm -f /var/lib/mailstack/verify.json")
        guarded.pyinfra(*deploy, data=data(), timeout=300).check()


def test_jails_and_rules_of_others_go_on(guarded: Target) -> None:
    assert "theirs" in guarded.exec("fail2ban-client status").stdout
    guarded.exec("echo \"$(date '+%F %T') they shut out 192.0.2.99\" >> /srv/theirs")
    clients.eventually(
        lambda: "192.0.2.99" in guarded.exec("fail2ban-client status theirs").stdout, "their jail is away"
    )
    assert "dport 8080" in guarded.exec("nft list table inet theirs").stdout


def test_bans_outlive_a_flush_of_all_rules_and_a_reboot(guarded: Target, guesser: Guesser) -> None:
    address = "203.0.113.30"
    guesser.log_in(address, *different(LIMIT))
    wait_for_ban(guarded, address)
    # each time it flushes all rules, also those by which Docker's DNS answers, until the reboot
    for verb in ("start", "reload", "stop"):
        guarded.exec(f"systemctl {verb} nftables")
        wait_for_ban(guarded, address)
    guarded.stop()
    guarded.start()
    guesser.connect()
    wait_for_ban(guarded, address)
    assert guesser.reaches(address, PORTS) == [False] * len(PORTS)
    assert guarded.exec("systemctl --failed --no-legend --plain").stdout == ""
    assert guarded.pyinfra("-y", "--json", "deploy.py", data=data(), timeout=300).check().changed == []


def test_bans_that_a_flush_has_taken_away_are_told_and_come_back(guarded: Target, guesser: Guesser) -> None:
    first, second, third = "203.0.113.31", "203.0.113.32", "2001:db8:f000:31::1"
    for address in (first, third):
        call(guarded, "add", address).check()
    wait_for_ban(guarded, first)
    before = {*banned(guarded)}
    guarded.exec("nft flush ruleset")
    guesser.connect()
    clients.eventually(
        lambda: not any(ban["in_force"] for ban in listed(guarded).values()), "the list does not tell", 60
    )
    told = [each["text"] for each in status(guarded)["troubles"] if each["section"] == "bans"]
    assert len(told) == 1 and "the rules of nftables do not have" in told[0]  # those of other tests too
    assert "in the rules of nftables" in call(guarded, "list").check().stdout
    # the next ban brings all of them back
    guesser.log_in(second, *different(LIMIT))
    for address in (first, second, "2001:db8:f000:31::/64"):
        wait_for_ban(guarded, address)
    clients.eventually(lambda: before < {*banned(guarded)}, "a ban is away", 60)
    assert guesser.reaches(first, PORTS) == [False] * len(PORTS)
    # and so does one by hand, of an address that is banned already
    guarded.exec("nft flush set inet mailstack-bans ipv4")
    clients.eventually(lambda: not listed(guarded)[first]["in_force"], "the list does not tell", 60)
    assert status(guarded)["troubles"]
    call(guarded, "add", first).check()
    wait_for_ban(guarded, second)
    assert [each for each in status(guarded)["troubles"] if each["section"] == "bans"] == []
    for address in (first, second, third):
        call(guarded, "remove", address).check()
    assert not {first, second, "2001:db8:f000:31::/64"} & {*banned(guarded)}


@pytest.mark.parametrize("flush", ["nft flush ruleset", "nft flush set inet mailstack-bans ipv4"])
def test_a_deploy_sees_flushed_rules_and_brings_the_bans_back(
    guarded: Target, guesser: Guesser, flush: str
) -> None:
    address, deploy = "203.0.113.34", ("-y", "--json", "deploy.py")
    guarded.exec("fail2ban-client unban --all")
    call(guarded, "add", address).check()
    assert banned(guarded) == [address]  # the command ends once the rules have it
    guarded.exec(f": > /var/log/fail2ban.log; {flush}")
    run = guarded.pyinfra(*deploy, data=data(), timeout=300).check()
    assert run.changed == ["Mail server | Run services"] and address in banned(guarded)
    assert guarded.pyinfra(*deploy, data=data(), timeout=300).check().changed == []
    guesser.connect()
    assert guesser.reaches(address, PORTS) == [False] * len(PORTS)
    # fail2ban ends its rules when it stops, also if there are none; the other jail has rules of its own
    assert not re.findall(r"ERROR .*jail 'mailstack'.*", guarded.read("/var/log/fail2ban.log").decode())
    call(guarded, "remove", address).check()


def test_the_probe_compares_bans_and_rules(guarded: Target, debian: int) -> None:
    (probe,) = FAIL2BAN.probes(site(Settings.from_data(data())), RELEASES[debian - 12])
    four, six = "203.0.113.33", "2001:db8:f000:33::7"
    guarded.exec(f"fail2ban-client set mailstack banip {four} {six}")
    wait_for_ban(guarded, four)
    wait_for_ban(guarded, "2001:db8:f000:33::/64")
    guarded.exec(probe.script)

    def passes() -> bool:
        return not guarded.exec(probe.script, check=False).returncode

    for name in ("ipv4", "ipv6"):
        guarded.exec(f"nft flush set inet mailstack-bans {name}")
        said = guarded.exec(probe.script, check=False)
        assert said.returncode and "are not in its rules" in said.stderr
        guarded.exec("systemctl restart fail2ban")
        wait_for_ban(guarded, four)
        clients.eventually(passes, "some are not back")  # it brings one address after the other back
    guarded.exec(f"fail2ban-client set mailstack unbanip {four} {six}")


def test_a_jail_that_another_file_switches_off_is_told(guarded: Target, debian: int) -> None:
    (probe,) = FAIL2BAN.probes(site(Settings.from_data(data())), RELEASES[debian - 12])
    other = "/etc/fail2ban/jail.d/zz-other.conf"
    guarded.exec(f"printf '[mailstack]\nenabled = false\n' > {other}; fail2ban-client reload")
    try:
        told = [each["text"] for each in status(guarded)["troubles"]]
        assert told == ["fail2ban does not watch the mail server, so nobody is shut out"]
        said = guarded.exec(probe.script, check=False)
        assert said.returncode and "jail.d/zz-other.conf" in said.stderr
    finally:
        guarded.exec(f"rm {other}; fail2ban-client reload")
    guarded.exec(probe.script)


def test_mail_goes_on_without_fail2ban(guarded: Target, guesser: Guesser, debian: int) -> None:
    address = "203.0.113.40"
    (probe,) = FAIL2BAN.probes(site(Settings.from_data(data())), RELEASES[debian - 12])
    assert guarded.exec(probe.script, check=False).returncode == 0
    started = "systemctl show -p MainPID --value fail2ban"
    before = guarded.exec(started).stdout
    guarded.exec("kill -9 $(systemctl show -p MainPID --value fail2ban)")
    assert guesser.log_in(address, Attempt("imap", ALICE, PASSWORDS[ALICE])) == [GOOD]
    clients.eventually(lambda: guarded.exec(started).stdout not in (before, "0\n"), "it is not started again")
    assert guarded.exec(probe.script, check=False).returncode == 0
    guarded.exec("systemctl stop fail2ban")
    assert guarded.exec(probe.script, check=False).returncode
    assert guesser.log_in(address, Attempt("smtp", ALICE, PASSWORDS[ALICE])) == [GOOD]
    assert "does not watch" in call(guarded, "list").stderr
    run = guarded.pyinfra("-y", "--json", "deploy.py", data=data(), timeout=300).check()
    assert run.changed == ["Mail server | Run services"]
    assert guarded.exec(probe.script, check=False).returncode == 0


def test_switched_off_its_jail_ends_and_others_go_on(guarded: Target) -> None:
    deploy, off = ("-y", "--json", "deploy.py"), sample_accounts.data(mail_pop3=True)
    guarded.pyinfra(*deploy, data=off, timeout=300).check()
    try:
        jails = guarded.exec("fail2ban-client status").stdout
        assert "theirs" in jails and "sshd" in jails and "mailstack" not in jails
        assert "mailstack-bans" not in guarded.exec("nft list tables").stdout
        assert guarded.pyinfra(*deploy, data=off, timeout=300).check().changed == []
    finally:
        guarded.pyinfra(*deploy, data=data(), timeout=300).check()
    assert "mailstack" in guarded.exec("fail2ban-client status").stdout


def test_where_nftables_does_not_work_the_deploy_goes_on(clone: Factory) -> None:
    target = clone("nonft", nftables=False)
    run = target.pyinfra(
        "-y", "--json", "deploy.py", data=sample_accounts.data(mail_fail2ban=True), timeout=300
    ).check()
    assert "nobody who guesses passwords is shut out" in run.stderr
    assert target.exec("command -v fail2ban-client", check=False).stdout == ""
    assert (
        target.pyinfra("-y", "--json", "deploy.py", data=sample_accounts.data(mail_fail2ban=True))
        .check()
        .changed
        == []
    )
