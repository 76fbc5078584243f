// SPDX-License-Identifier: GPL-2.0-only
/*
 * pid 1 of the machines the rig starts. It mounts, opens the wire, runs one
 * stage of one scenario in a child (the owner), says how that ended and powers
 * off. The stage is given on the command line. Run by hand, "--list" prints the
 * table of scenarios.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leaks.h"
#include "meter.h"
#include "module.h"
#include "pci.h"
#include "report.h"
#include "scenario.h"
#include "wire.h"
#include "words.h"

static void mount_at(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL) && errno != EBUSY)
		fprintf(stderr, "init: mount %s: %s\n", where,
			strerror(errno));
}

static const struct scenario *scenario_find(const char *name)
{
	const struct scenario *const *s;

	for (s = __start_scenarios; s < __stop_scenarios; s++)
		if (!strcmp((*s)->name, name))
			return *s;
	return NULL;
}

static int scenario_list(void)
{
	const struct scenario *const *s;

	for (s = __start_scenarios; s < __stop_scenarios; s++)
		printf("%s\t%s\n", (*s)->name, (*s)->description);
	return 0;
}

static int owner(const struct scenario *s, unsigned int stage)
{
	unsigned int last = 0, failed;
	int rc;

	event("owner-%u", stage);
	while (last + 1 < STAGES_MAX && s->stages[last + 1])
		last++;
	rc = s->stages[stage - 1 < last ? stage - 1 : last](stage);

	failed = report_failed();
	if (rc)
		verdict(false, "stage %u stopped early", stage);
	else if (failed)
		verdict(false, "%u checks failed", failed);
	else if (!report_checks())
		verdict(false, "nothing was checked");
	else
		verdict(true, "%s", s->name);
	return 0;
}

/* Also reaps what the owner left behind. */
static void wait_for(pid_t owner_pid)
{
	int status = 0;
	pid_t pid;

	do {
		pid = wait(&status);
	} while (pid != owner_pid && (pid > 0 || errno == EINTR));

	if (WIFEXITED(status) && WEXITSTATUS(status) == SCENARIO_EXIT_PANIC)
		_exit(1);
	if (report_ended())
		return;
	if (WIFSIGNALED(status))
		verdict(false, "owner killed by signal %d", WTERMSIG(status));
	else
		verdict(false, "owner left without a verdict, status %d",
			WEXITSTATUS(status));
}

static void power_off(void)
{
	wire_drain();
	sync();
	/* A machine without PCI has no IOMMU either */
	pci_trace_mark(MARK_POWER_OFF);
	/* Without ACPI a machine can only start anew, which ends QEMU as well. */
	reboot(access("/sys/firmware/acpi", F_OK) ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause();
}

/* Scenarios that want to do it themselves say so. */
static void load_modules(void)
{
	const char *when = word("lu.modules");

	if (!when || strcmp(when, "late"))
		module_load(NULL);
}

/* Of the function that lu.vfs=COUNT@BDF names; later kernels have to find them. */
static void make_vfs(void)
{
	const char *what = word("lu.vfs");
	char count[8];
	int rc;

	if (!what)
		return;
	snprintf(count, sizeof(count), "%.*s", (int)strcspn(what, "@"), what);
	rc = pci_write_file(what + strcspn(what, "@") + 1, "sriov_numvfs",
			    count);
	if (rc)
		fprintf(stderr, "init: %s virtual functions: %s\n", count,
			strerror(-rc));
}

static void say_kernel(unsigned int stage)
{
	struct utsname name;

	if (uname(&name))
		return;
	value_text(stage == 1 ? "kernel_old" : "kernel_new", "%s %s",
		   name.release, name.version);
}

static void start(unsigned int stage)
{
	const struct scenario *s;
	const char *name;
	pid_t pid;

	name = word("lu.scenario");
	s = name ? scenario_find(name) : NULL;
	if (!s) {
		verdict(false, "no scenario named %s", name ? name : "(none)");
		return;
	}
	pid = fork();
	if (!pid)
		_exit(owner(s, stage));
	if (pid < 0) {
		verdict(false, "fork: %s", strerror(errno));
		return;
	}
	say_kernel(stage);
	wait_for(pid);
}

int main(int argc, char **argv)
{
	const char *nonce;
	unsigned int stage;
	int rc;

	meter_start();
	if (getpid() != 1) {
		if (argc == 2 && !strcmp(argv[1], "--list"))
			return scenario_list();
		fprintf(stderr, "usage: init --list\n");
		return 2;
	}

	mount_at("proc", "/proc");
	mount_at("devtmpfs", "/dev");
	words_read();
	nonce = word("lu.nonce");
	rc = wire_open("/dev/ttyS1", nonce ? nonce : "none");
	stage = word_number("lu.stage", 1);
	report_setup(word_number("lu.failed", 0));
	event("stage-%u", stage);
	if (rc)
		fprintf(stderr, "init: no wire: %s\n", strerror(-rc));

	mount_at("sysfs", "/sys");
	mount_at("debugfs", "/sys/kernel/debug");
	load_modules();
	if (stage <= 1)
		make_vfs();
	start(stage ? stage : 1);
	/* The host reads the console, where the kernel itself says what it found. */
	if (word_number("lu.leaks", 0) && leaks_look() < 0)
		fprintf(stderr, "init: kmemleak: no new suspected leak could be looked for\n");
	power_off();
}
