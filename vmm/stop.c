// SPDX-License-Identifier: GPL-2.0-only
/* The end of a guest, or of the kernel below it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "qmp.h"

#define LOOK_MS 50
/* systemd says the number of the job, and nothing if there is none. */
#define KEXEC_JOB "systemctl show --property=Job --value kexec.target"

static bool kexec_is_due(void)
{
	FILE *said = popen(KEXEC_JOB, "re");
	long job = 0;

	if (!said)
		return false;
	if (fscanf(said, "%ld", &job) != 1)
		job = 0;
	pclose(said);
	return job > 0;
}

/* As the button does it; by force when the guest does not mind it. */
static int power_down(struct qmp *qmp, const struct request *req,
		      struct why *why)
{
	struct pollfd process = { .fd = pidfd_open(qmp->pid, 0),
				  .events = POLLIN };
	int rc;

	if (process.fd < 0)
		return because(why, -errno, "process %d: %m", (int)qmp->pid);
	rc = qmp_do(qmp, "system_powerdown", NULL, why);
	if (!rc && poll(&process, 1, req->timeout_ms) != 1) {
		complain("'%s' did not shut down, and is ended.", req->name);
		rc = qmp_do(qmp, "quit", NULL, why);
	}
	close(process.fd);
	return rc;
}

/* QEMU was given back its guest, and makes its monitor anew. */
static int open_again(struct qmp *qmp, const struct request *req, pid_t pid,
		      struct why *why)
{
	int rc;

	for (int left = req->timeout_ms; left > 0; left -= LOOK_MS) {
		rc = qmp_open(qmp, req, why);
		if ((rc != -ENOENT && rc != -ECONNREFUSED) || kill(pid, 0))
			return rc;
		usleep(LOOK_MS * 1000);
	}
	return qmp_open(qmp, req, why);
}

int verb_stop(const struct request *req)
{
	struct why why = { "" };
	struct qmp qmp;
	int rc = qmp_open(&qmp, req, &why);

	/* A service manager asks for it also when the guest has ended by itself. */
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return EXIT_DONE;
	if (!rc && kexec_is_due()) {
		qmp_close(&qmp);
		rc = verb_save(req);
		if (rc != EXIT_REFUSED)
			return rc;
		/* The host goes down all the same. */
		complain("'%s' is shut down.", req->name);
		rc = open_again(&qmp, req, qmp.pid, &why);
	}
	if (!rc) {
		rc = power_down(&qmp, req, &why);
		qmp_close(&qmp);
	}
	if (rc)
		complain("%s.", why.text);
	return rc ? EXIT_REFUSED : EXIT_DONE;
}
