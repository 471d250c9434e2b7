"""Watch a run: command lines, and files readable by all, every few milliseconds."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.targets.containers import Target

#: For Python: prints every command line of this machine once, and so those in its containers.
_COMMANDS = r"""
import os, sys, time
seen = set()
while not os.path.exists(sys.argv[1]):
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            continue
        if line not in seen:
            seen.add(line)
            print(line.replace(b"\0", b" ").decode(errors="replace"), flush=True)
    time.sleep(0.01)
"""
#: For Perl, which every Debian has. Of the files that a deploy touches and all users can read, it prints the
#: path of each that contains a line of the input.
_FILES = r"""
$| = 1;
chomp(my @secrets = <STDIN>);
my $any = join "|", map quotemeta, @secrets;
until (-e $ARGV[0]) {
  for my $path (glob "/etc/{postfix,dovecot,rspamd,ssl/mailstack,postgresql/*/main}/{*,*/*} /etc/aliases*
      /var/lib/mailstack/{*,*/*,*/*/*} /tmp/{.*,*,*/*} /var/tmp/* /dev/shm/* /run/*") {
    next unless -f $path && open(my $file, "<", $path);
    local $/;
    my $text = <$file>;
    print "$path\n" if defined $text && $text =~ /$any/ && !$seen{$path}++;
  }
  select undef, undef, undef, 0.01;
}
"""


@dataclass
class Seen:
    """The observations, complete once the watch has ended."""

    commands: set[str] = field(default_factory=set)
    files: list[str] = field(default_factory=list)


@contextmanager
def watched(target: Target, secrets: Sequence[str]) -> Iterator[Seen]:
    """Watch this machine and the target; on the target search files for `secrets`, as `nobody`."""
    seen = Seen()
    over = "/run/mailstack-watched"
    target.exec(["rm", "-f", over])
    with ExitStack() as stack:
        over_here = Path(stack.enter_context(tempfile.TemporaryDirectory()), "watched")
        commands, files = (stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2))
        on_target = ["docker", "exec", "-i", target.name, "runuser", "-u", "nobody", "--"]
        watchers = [
            _watch([sys.executable, "-c", _COMMANDS, str(over_here)], "", commands),
            _watch([*on_target, "perl", "-e", _FILES, over], "\n".join(secrets), files),
        ]
        try:
            yield seen
        finally:
            over_here.touch()
            target.exec(["touch", over])
            for watcher in watchers:
                assert watcher.wait(timeout=30) == 0
            for output in (commands, files):
                output.seek(0)
            seen.commands.update(commands.read().splitlines())
            seen.files.extend(files.read().splitlines())


def _watch(argv: Sequence[str], given: str, output: IO[str]) -> subprocess.Popen[str]:
    watcher = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=output, text=True)
    assert watcher.stdin is not None
    watcher.stdin.write(given)
    watcher.stdin.close()
    return watcher
