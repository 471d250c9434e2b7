"""Looking over a run's shoulder: command lines, and files that anybody can read, every few milliseconds."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.targets.containers import Target

_STOP = "/run/mailstack-watched"
#: Prints every command line of a host once.
_COMMANDS = r"""
$| = 1;
until (-e "STOP") {
  for my $path (glob "/proc/[0-9]*/cmdline") {
    open(my $file, "<", $path) or next;
    local $/;
    my $line = <$file>;
    next if !defined $line || $seen{$line}++;
    $line =~ tr/\0/ /;
    print "$line\n";
  }
  select undef, undef, undef, 0.01;
}
"""
#: Prints the path of every file, among those that a deploy touches, that has a line of its input in it.
_FILES = r"""
$| = 1;
chomp(my @secrets = <STDIN>);
my $any = join "|", map quotemeta, @secrets;
until (-e "STOP") {
  for my $path (glob "/etc/{postfix,dovecot,ssl/mailstack,postgresql/*/main}/{*,*/*} /etc/aliases*
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
    """What was seen, once the watching is over."""

    commands: set[str] = field(default_factory=set)
    files: list[str] = field(default_factory=list)


@contextmanager
def watched(target: Target, secrets: Sequence[str]) -> Iterator[Seen]:
    """Watch the target and this machine; on the target look, as `nobody`, into files for `secrets`."""
    seen = Seen()
    target.exec(["rm", "-f", _STOP])
    over = threading.Event()
    here = threading.Thread(target=_watch_here, args=(seen.commands, over))
    with tempfile.TemporaryFile("w+") as commands, tempfile.TemporaryFile("w+") as files:
        watchers = [
            _perl(target, "root", _COMMANDS, "", commands.fileno()),
            _perl(target, "nobody", _FILES, "\n".join(secrets), files.fileno()),
        ]
        here.start()
        try:
            yield seen
        finally:
            over.set()
            target.exec(["touch", _STOP])
            for watcher in watchers:
                watcher.wait(timeout=30)
            here.join()
            for output in (commands, files):
                output.seek(0)
            seen.commands.update(commands.read().splitlines())
            seen.files.extend(files.read().splitlines())


def _perl(target: Target, user: str, code: str, given: str, output: int) -> subprocess.Popen[str]:
    """Every Debian has perl."""
    run = ["runuser", "-u", user, "--", "perl", "-e", code.replace("STOP", _STOP)]
    argv = ["docker", "exec", "-i", target.name, *run]
    watcher = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=output, text=True)
    assert watcher.stdin is not None
    watcher.stdin.write(given)
    watcher.stdin.close()
    return watcher


def _watch_here(commands: set[str], over: threading.Event) -> None:
    while not over.wait(0.01):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                commands.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
