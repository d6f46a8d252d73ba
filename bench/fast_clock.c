/* Shows a program that preloads it clocks that run FAST_CLOCK_SPEED times as fast, and shortens its waits to match.

   All programs with the same FAST_CLOCK_REALTIME and FAST_CLOCK_MONOTONIC, in nanoseconds, see the same time: both
   clocks were right then. Processor clocks and the times of files stay as they are. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int64_t origin_of_wall, origin_of_uptime;
static double speed = 1;

__attribute__((constructor)) static void read_environment(void) {
    const char *given = getenv("FAST_CLOCK_SPEED");
    if (!given) return;
    origin_of_wall = atoll(getenv("FAST_CLOCK_REALTIME"));
    origin_of_uptime = atoll(getenv("FAST_CLOCK_MONOTONIC"));
    speed = atof(given);
}

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

static int is_uptime(clockid_t clock) {
    return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_MONOTONIC_RAW ||
           clock == CLOCK_BOOTTIME;
}

static struct timespec in_parts(int64_t ns) {
    if (ns < 0) ns = 0;
    return (struct timespec){.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
}

static int64_t in_ns(const struct timespec *time) { return time->tv_sec * SECOND + time->tv_nsec; }

/* The right time at which the fast clock shows `shown`. */
static struct timespec right_time(clockid_t clock, const struct timespec *shown) {
    int64_t origin = is_wall(clock) ? origin_of_wall : origin_of_uptime;
    return in_parts(origin + (int64_t)((in_ns(shown) - origin) / speed));
}

static struct timespec shortened(const struct timespec *span) { return in_parts((int64_t)(in_ns(span) / speed)); }

static int shortened_ms(int ms) { return ms > 0 ? (int)(ms / speed) + 1 : ms; }

int clock_gettime(clockid_t clock, struct timespec *out) {
    int failed = syscall(SYS_clock_gettime, clock, out);
    if (failed || speed == 1 || !(is_wall(clock) || is_uptime(clock))) return failed;
    int64_t origin = is_wall(clock) ? origin_of_wall : origin_of_uptime;
    *out = in_parts(origin + (int64_t)((in_ns(out) - origin) * speed));
    return 0;
}

int gettimeofday(struct timeval *out, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    struct timespec waited = flags & TIMER_ABSTIME ? right_time(clock, until) : shortened(until);
    int failed = syscall(SYS_clock_nanosleep, clock, flags, &waited, left) ? errno : 0;
    if (failed && left) *left = in_parts((int64_t)(in_ns(left) * speed));
    return failed;
}

int nanosleep(const struct timespec *span, struct timespec *left) {
    errno = clock_nanosleep(CLOCK_MONOTONIC, 0, span, left);
    return errno ? -1 : 0;
}

int usleep(useconds_t microseconds) {
    struct timespec span = in_parts(microseconds * 1000LL);
    return nanosleep(&span, NULL);
}

int select(int count, fd_set *reads, fd_set *writes, fd_set *odd, struct timeval *most) {
    if (!most) return REAL(select)(count, reads, writes, odd, NULL);
    int64_t us = (int64_t)((most->tv_sec * 1000000LL + most->tv_usec) / speed);
    struct timeval waited = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    return REAL(select)(count, reads, writes, odd, &waited);
}

int poll(struct pollfd *files, nfds_t count, int ms) { return REAL(poll)(files, count, shortened_ms(ms)); }

int ppoll(struct pollfd *files, nfds_t count, const struct timespec *most, const sigset_t *signals) {
    struct timespec waited = most ? shortened(most) : in_parts(0);
    return REAL(ppoll)(files, count, most ? &waited : NULL, signals);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int ms) {
    return REAL(epoll_wait)(epoll, events, count, shortened_ms(ms));
}

int epoll_pwait(int epoll, struct epoll_event *events, int count, int ms, const sigset_t *signals) {
    return REAL(epoll_pwait)(epoll, events, count, shortened_ms(ms), signals);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    struct timespec right = right_time(CLOCK_REALTIME, until);
    return REAL(sem_timedwait)(semaphore, &right);
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until) {
    struct timespec right = right_time(clock, until);
    return REAL(sem_clockwait)(semaphore, clock, &right);
}

/* The condition knows its clock and does not tell; the time since the machine started is far below that since 1970. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    struct timespec right = right_time(until->tv_sec > 1000000000 ? CLOCK_REALTIME : CLOCK_MONOTONIC, until);
    return REAL(pthread_cond_timedwait)(condition, mutex, &right);
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *until) {
    struct timespec right = right_time(clock, until);
    return REAL(pthread_cond_clockwait)(condition, mutex, clock, &right);
}
