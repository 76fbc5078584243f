// SPDX-License-Identifier: GPL-2.0-only
/* A console to try things by hand, with the devices bound to vfio-pci. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm.h"
#include "report.h"
#include "scenario.h"
#include "words.h"

#define BUSYBOX "/bin/busybox"

static void bind_all(void)
{
	char bdf[DEVICES_MAX][BDF_BYTES], driver[40];
	unsigned int count = machine_kept(bdf);

	if (count + INTRUDERS_MAX <= DEVICES_MAX)
		count += machine_intruders(bdf + count);
	printf("\n");
	for (unsigned int i = 0; i < count; i++) {
		pci_bind(bdf[i], "vfio-pci");
		pci_driver(bdf[i], driver, sizeof(driver));
		printf("  %s  %08x  %s\n", bdf[i], pci_id(bdf[i]),
		       driver[0] ? driver : "no driver");
	}
	printf("\nLeave with exit; the machine then powers off.\n");
	fflush(stdout);
}

static void console_for_child(void)
{
	const char *name = word("lu.console");
	int fd;

	setsid();
	fd = open(name ? name : "/dev/ttyS0", O_RDWR);
	if (fd < 0)
		return;
	ioctl(fd, TIOCSCTTY, 0);
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
}

static int run(unsigned int stage)
{
	int status = -1;
	pid_t pid;

	(void)stage;
	bind_all();
	if (!check("busybox", !access(BUSYBOX, X_OK), BUSYBOX))
		return -1;
	event("shell");
	pid = fork();
	if (!pid) {
		setenv("PATH", "/bin:/sbin", 1);
		setenv("HOME", "/", 1);
		setenv("PS1", "lu# ", 1);
		console_for_child();
		execl(BUSYBOX, "sh", "-c",
		      BUSYBOX " --install -s /bin; exec " BUSYBOX " sh", NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	check("shell", pid > 0 && WIFEXITED(status), "status %#x", status);
	return 0;
}

static const struct scenario shell = {
	.name = "shell",
	.description = "a shell on the console, devices bound to vfio-pci",
	.stages = { run },
};
SCENARIO(shell);
