// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "closer.h"

struct job {
	struct job *next;
	void *whose;
	unsigned int count;
	int fds[];
};

/* Addresses of what was closed, one a message */
static int ends[2] = { -1, -1 };
/* How many are given and not reported; only the thread of the server has it */
static unsigned int open_jobs;
static struct job *waiting;

int closer_open(void)
{
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return ends[0];
}

static void report(void *whose)
{
	while (write(ends[1], &whose, sizeof(whose)) < 0 && errno == EINTR)
		;
}

static void *work(void *arg)
{
	struct job *job = arg;
	void *whose = job->whose;

	for (unsigned int i = 0; i < job->count; i++)
		close(job->fds[i]);
	free(job);
	report(whose);
	return NULL;
}

static bool begin(struct job *job)
{
	size_t stack = PTHREAD_STACK_MIN + 32768;
	sigset_t all, was;
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, stack);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	rc = pthread_create(&thread, &attr, work, job);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	pthread_attr_destroy(&attr);
	return !rc;
}

void closer_give(const int *fds, unsigned int count, void *whose)
{
	struct job *job = malloc(sizeof(*job) + count * sizeof(*fds));

	open_jobs++;
	if (!job) {
		/* Nothing better can be done than to close them here. */
		for (unsigned int i = 0; i < count; i++)
			close(fds[i]);
		report(whose);
		return;
	}
	job->whose = whose;
	job->count = count;
	memcpy(job->fds, fds, count * sizeof(*fds));
	if (!waiting && begin(job))
		return;
	job->next = waiting;
	waiting = job;
}

bool closer_retry(void)
{
	while (waiting) {
		struct job *job = waiting, *next = job->next;

		if (!begin(job))
			return true;
		waiting = next;
	}
	return false;
}

bool closer_done(void **ret_whose)
{
	if (read(ends[0], ret_whose, sizeof(*ret_whose)) != sizeof(*ret_whose))
		return false;
	open_jobs--;
	return true;
}

void closer_end(void)
{
	void *whose;

	fcntl(ends[0], F_SETFL, 0);
	while (open_jobs) {
		if (closer_retry())
			usleep(1000);
		else if (!closer_done(&whose))
			break;
	}
	close(ends[0]);
	close(ends[1]);
}
