# Which kind of value each parameter of Postfix takes, in its own words: perl postfix_kinds.pl < NAMES
#
# Every parameter named on standard input gets a value that is none of any kind. A program of Postfix ends at the first
# that it reads, and says why; that one is left out from then on, until the program finds nothing more to say.
# What programs say goes to /dev/log; run this where that is nobody else's. Prints lines `NAME<tab>MESSAGE`.
use strict;
use warnings;
use POSIX 'WNOHANG';
use Socket;

my %bad = map { chomp; $_ => 1 } <STDIN>;
my $directory = '/tmp/postfix_kinds';
system("rm -rf $directory; mkdir -p $directory/queue/pid $directory/data") == 0 or die;
$ENV{MAIL_CONFIG} = $directory;
$ENV{MAIL_LOGTAG} = 'kinds';

my $log = '/tmp/postfix_kinds.log';
unlink $log;
socket(my $listener, AF_UNIX, SOCK_DGRAM, 0) or die;
bind($listener, sockaddr_un($log)) or die "bind: $!";
chmod 0666, $log;
system("mount --bind $log \$(readlink -f /dev/log)") == 0 or die;

sub asleep {    # whether a process waits for something
    my ($pid) = @_;
    open(my $stat, '<', "/proc/$pid/stat") or return 0;
    return <$stat> =~ /\) S /;
}

sub fatal {    # what the program says before it ends, or nothing once it is idle
    my ($program) = @_;
    open(my $main, '>', "$directory/main.cf") or die;
    print $main "compatibility_level = 3.6\nqueue_directory = $directory/queue\ndata_directory = $directory/data\n";
    print $main "$_ = none-such\n" for sort keys %bad;
    close $main;
    utime(time - 9, time - 9, "$directory/main.cf");    # or each program waits until it is two seconds old
    system("cp /etc/postfix/master.cf $directory/");
    my $pid = fork();
    if (!$pid) {
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>', '/dev/null');
        open(STDERR, '>', '/dev/null');
        exec($program, '-S') or exit 1;
    }
    my ($said, $ended, $idle, $end) = ('', 0, 0, time + 60);
    while ($idle < 5 && time < $end) {
        $ended = waitpid($pid, WNOHANG);
        vec(my $ready = '', fileno($listener), 1) = 1;
        if (select($ready, undef, undef, $ended ? 0 : 0.1)) {
            recv($listener, my $line, 65536, 0);
            if ($line =~ /\[$pid\]: (?:fatal|panic): (.*)/) { $said = $1; last }
        }
        elsif ($ended) { last }
        else { $idle = asleep($pid) ? $idle + 1 : 0 }
    }
    return $said if $ended;
    kill 'KILL', $pid;    # else it would sleep for a second
    waitpid($pid, 0);
    return $said;
}

for my $program (glob('/usr/lib/postfix/sbin/*'), '/usr/sbin/sendmail', glob('/usr/sbin/post*')) {
    next if $program =~ /master$|post-install|-script|-wrapper|post(fix|conf|multi)$/;
    while (my $said = fatal($program)) {
        my ($name) = $said =~ /^(?:bad \w+ configuration: |parameter )(\w+)/;
        last unless defined $name && delete $bad{$name};
        print "$name\t$said\n";
    }
}
