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

#: For Python: prints every command line of this machine once, and so those in its containers. It looks at
#: young processes all the time, and at all of them now and then: each look takes time of a processor.
_COMMANDS = r"""
import os, sys, time

def newest():
    with open("/proc/loadavg") as file:
        return int(file.read().split()[-1])

def look(process):
    try:
        file = os.open(f"/proc/{process}/cmdline", os.O_RDONLY)
    except OSError:
        return
    try:
        while more := os.read(file, 65536):
            lines.append(more)
    except OSError:
        pass
    os.close(file)
    line = b"".join(lines)
    lines.clear()
    if line not in seen:
        seen.add(line)
        print(line.replace(b"\0", b" ").decode(errors="replace"), flush=True)

lines, seen, young = [], set(), {}
last, all_seen = newest(), 0
while not os.path.exists(sys.argv[1]):
    now, next = time.monotonic(), newest()
    if now > all_seen + 0.3 or next < last:
        all_seen = now
        for process in filter(str.isdigit, os.listdir("/proc")):
            look(process)
    young.update(dict.fromkeys(range(last + 1, next + 1), now))
    last = next
    for process, born in list(young.items()):
        if now > born + 1:
            del young[process]
        look(process)
    time.sleep(0.01)
"""
#: For Perl, which every Debian has. Of the files that a deploy touches and all users can read, it prints the
#: path of each that contains a line of the input. What it has read a second after the last change, it knows.
_FILES = r"""
$| = 1;
chomp(my @secrets = <STDIN>);
my $any = join "|", map quotemeta, @secrets;
until (-e $ARGV[0]) {
  for my $path (glob "/etc/{mailstack,postfix,dovecot,rspamd,ssl/mailstack,postgresql/*/main}/{*,*/*}
      /etc/aliases*
      /var/lib/mailstack/{*,*/*,*/*/*} /tmp/{.*,*,*/*} /var/tmp/* /dev/shm/* /run/*") {
    my ($device, $inode, undef, undef, undef, undef, undef, $size, undef, $mtime, $ctime) = stat $path;
    next unless -f _;
    my $state = "$path $device $inode $size $mtime $ctime";
    next if ($read{$state} // 0) > $ctime + 1;
    my $now = time;
    next unless open(my $file, "<", $path);
    local $/;
    my $text = <$file>;
    next unless defined $text;
    $read{$state} = $now;
    print "$path\n" if $text =~ /$any/ && !$seen{$path}++;
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
                assert watcher.wait(timeout=180) == 0
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
