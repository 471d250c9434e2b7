/* Adds seconds to the time of day of every program that starts with this library: /etc/ld.so.preload names it. The
 * file OFFSET has them, a long; a program keeps it mapped, so that a change reaches all at once, in a chroot, too. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const long none = 0;
static const volatile long *offset = &none;

__attribute__((constructor)) static void map(void)
{
    int file;
    void *page;

    /* the kernel's timers, which systemd waits for, go by the true time */
    if (getpid() == 1 || (file = open(OFFSET, O_RDONLY | O_CLOEXEC)) < 0)
        return;
    page = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED)
        offset = page;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = syscall(SYS_clock_gettime, clock, now);

    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *offset;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int failed = syscall(SYS_gettimeofday, now, zone);

    if (!failed)
        now->tv_sec += *offset;
    return failed;
}

time_t time(time_t *now)
{
    struct timespec found;

    clock_gettime(CLOCK_REALTIME, &found);
    if (now)
        *now = found.tv_sec;
    return found.tv_sec;
}
