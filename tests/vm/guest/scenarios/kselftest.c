// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs programs of the kernel's own selftests, /selftests/NAME, as they are, and
 * passes on what they say: one check for each of their tests.
 * lu.args=run:NAME+NAME names them, device:1 gives them the first kept device,
 * bound to vfio-pci.
 *
 * What lives on both sides of a kexec is kselftest-kexec: NAME -s 1, a kexec,
 * NAME -s 2. That one also looks at the tests that are built into the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm.h"
#include "kexec.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "textfile.h"
#include "words.h"

#define HUGE_PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define HUGE_PAGES_WANTED "64\n"
#define EXIT_SKIPPED 4
/* Of the system call syslog, SYSLOG_ACTION_READ_ALL. */
#define KLOG_READ_ALL 3

static unsigned int planned, told;

/* "ok 3 name # SKIP why". What is indented belongs to a test that follows. */
static void one_result(char *line, bool ok)
{
	char name[120], *rest;

	line += strspn(line, "0123456789");
	line += strspn(line, " -");
	rest = strstr(line, " #");
	if (rest) {
		*rest = 0;
		rest += 2 + strspn(rest + 2, " ");
	}
	for (char *p = line; *p; p++)
		if (*p == ' ')
			*p = '_';
	snprintf(name, sizeof(name), "%.110s", line);
	told++;
	if (rest && !strncasecmp(rest, "SKIP", 4))
		skip(name, "%s", rest);
	else
		check(name, ok, "%s", rest ? rest : "");
}

static void one_line(char *line)
{
	line[strcspn(line, "\n")] = 0;
	if (!strncmp(line, "ok ", 3))
		one_result(line + 3, true);
	else if (!strncmp(line, "not ok ", 7))
		one_result(line + 7, false);
	else if (!strncmp(line, "1..", 3))
		planned = strtoul(line + 3, NULL, 10);
	else if (line[0])
		printf("%s\n", line);
}

/* Its exit status, with what it says read to the end. */
static int run_program(char *const argv[])
{
	char line[1024];
	int ends[2], status;
	pid_t pid;
	FILE *f;

	fflush(stdout);
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	close(ends[1]);
	f = fdopen(ends[0], "r");
	while (f && fgets(line, sizeof(line), f))
		one_line(line);
	if (f)
		fclose(f);
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void write_file(const char *path, const char *text)
{
	int rc = put_text(path, text);

	if (rc && rc != -ENOENT)
		printf("%s: %s\n", path, errno_name(rc));
}

/* Calls @one for each program that is named. */
static int each_program(void (*one)(char *path, char *extra), char *extra)
{
	const char *names = arg("run");
	char list[256], path[160], *item, *save;

	if (lost("run", names ? 0 : -EINVAL))
		return -1;
	snprintf(list, sizeof(list), "%s", names);
	for (item = strtok_r(list, "+", &save); item;
	     item = strtok_r(NULL, "+", &save)) {
		snprintf(path, sizeof(path), "/selftests/%s", item);
		one(path, extra);
	}
	return 0;
}

static void run_alone(char *path, char *device)
{
	char *argv[] = { path, device, NULL };
	char name[80];
	int status;

	planned = 0;
	told = 0;
	status = run_program(argv);
	snprintf(name, sizeof(name), "told-%.60s", strrchr(path, '/') + 1);
	/* A program may leave itself out as a whole, for want of hardware. */
	if (status == EXIT_SKIPPED && !told)
		skip(name, "left out by itself");
	else
		check(name, told && told == planned && status < 2,
		      "%u of %u tests, status %d", told, planned, status);
}

static int run_all(unsigned int stage)
{
	char bdf[DEVICES_MAX][BDF_BYTES];
	bool with = arg_number("device", 0);

	(void)stage;
	if (with && (lost("device", machine_kept(bdf) ? 0 : -ENODEV) ||
		     lost("vfio-pci", pci_bind(bdf[0], "vfio-pci"))))
		return -1;
	write_file(HUGE_PAGES, HUGE_PAGES_WANTED);
	return each_program(run_alone, with ? bdf[0] : NULL);
}

/* ---- On both sides of a kexec -------------------------------------------- */

static void run_stage(char *path, char *stage)
{
	char *argv[] = { path, "-s", stage, NULL };
	int status = run_program(argv);
	char name[80];

	snprintf(name, sizeof(name), "%.60s-%s", strrchr(path, '/') + 1, stage);
	check(name, !status, "status %d", status);
}

static int kexec_first(unsigned int stage)
{
	if (lost("load", kexec_load_stage(stage + 1)) ||
	    each_program(run_stage, "1"))
		return -1;
	return owner_jump();
}

static void check_said(const char *name, const char *log, const char *text,
		       bool want)
{
	check(name, (strstr(log, text) != NULL) == want, "\"%s\"", text);
}

/* CONFIG_TEST_KEXEC_HANDOVER and CONFIG_LIVEUPDATE_TEST speak in the log. */
static void check_log(void)
{
	static char log[1 << 20];
	int got = klogctl(KLOG_READ_ALL, log, sizeof(log) - 1);

	if (lost("log", got < 0 ? -errno : 0))
		return;
	log[got] = 0;
	check_said("kho-restored", log, "KHO restore succeeded", true);
	check_said("kho-no-failure", log, "KHO restore failed", false);
	check_said("luo-registered", log, "FLBs with file handler", true);
	check_said("luo-no-failure", log, "test: Failed", false);
	check_said("luo-no-error", log, ": ERROR - ", false);
	check_said("luo-found", log, "found flb data from the previous boot",
		   true);
	check_said("luo-finished", log, "finish was triggered", true);
}

static int kexec_second(unsigned int stage)
{
	(void)stage;
	if (each_program(run_stage, "2"))
		return -1;
	check_log();
	return 0;
}

static const struct scenario kselftest = {
	.name = "kselftest",
	.description = "programs of the kernel's own selftests",
	.stages = { run_all },
};
SCENARIO(kselftest);

static const struct scenario kselftest_kexec = {
	.name = "kselftest-kexec",
	.description = "those that live on both sides of a kexec",
	.stages = { kexec_first, kexec_second },
};
SCENARIO(kselftest_kexec);
