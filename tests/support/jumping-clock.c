/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * jumping-clock: to be preloaded: a machine whose wall clock is set again and again, a month back
 * and forth. The clocks that count from boot go on as they do; nothing that waits or times out may
 * look at the other one.
 */
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

#define MONTH (30 * 24 * 3600)

static time_t
jump(void)
{
	static unsigned n;

	return __atomic_add_fetch(&n, 1, __ATOMIC_RELAXED) % 2 ? MONTH : -MONTH;
}

int __attribute__((visibility("default"))) clock_gettime(clockid_t clock, struct timespec *ret)
{
	int (*real)(clockid_t, struct timespec *) =
		(int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
	int status = real(clock, ret);

	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		ret->tv_sec += jump();
	return status;
}

int __attribute__((visibility("default"))) gettimeofday(struct timeval *ret, void *zone)
{
	struct timespec time;
	int status = clock_gettime(CLOCK_REALTIME, &time);

	ret->tv_sec = time.tv_sec;
	ret->tv_usec = time.tv_nsec / 1000;
	return status;
}

time_t __attribute__((visibility("default"))) time(time_t *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}
