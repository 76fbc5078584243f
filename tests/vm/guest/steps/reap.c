// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fresh.h"
#include "vm.h"
#include "iommufd.h"
#include "luo.h"
#include "reap.h"
#include "report.h"
#include "traffic.h"
#include "vmstat.h"

static const char *tag(const char *what, const char *name)
{
	static char text[8][64];
	static unsigned int turn;
	char *out = text[turn++ % 8];

	snprintf(out, sizeof(text[0]), "%s-%s", what, name);
	return out;
}

bool perish(const char *name, int (*walk)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return !lost(tag("fork", name), -errno);
	if (!pid) {
		if (!lost(tag("walk", name), walk(arg)))
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid)
		return !lost(tag("wait", name), -errno);
	return check(tag("died", name),
		     WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		     "status %#x", status);
}

/* Off the restored HWPT, wherever the dead owner left it. */
static bool lead_off(struct vfio *v, int iommufd, uint32_t hwpt,
		     const char *name, const struct remains *is)
{
	if (!is->bound && lost(tag("bind", name),
			       vfio_bind(v->fd, iommufd, &v->devid)))
		return false;
	if (!is->swapped && lost(tag("attach", name), vfio_attach(v, hwpt)))
		return false;
	return !lost(tag("detach", name), vfio_detach(v));
}

/* @v is for the files, which the caller closes. */
static bool take_devices(int session, struct vfio *v, int iommufd,
			 const char *name, const struct remains *is)
{
	uint32_t hwpt;

	for (unsigned int i = 0; i < is->devices; i++) {
		v[i].fd = luo_retrieve(session, TOKEN_DEVICE + i);
		if (lost(tag("retrieve-device", name), v[i].fd))
			return false;
	}
	if (!check_rc(tag("restore", name),
		      hwpt_restore(iommufd, TOKEN_HWPT, &hwpt), 0))
		return false;
	for (unsigned int i = 0; i < is->devices; i++)
		if (!lead_off(&v[i], iommufd, hwpt, name, is))
			return false;
	return check_rc(tag("destroy", name), iommufd_destroy(iommufd, hwpt), 0);
}

static bool take_iommufd(int session, const char *name,
			 const struct remains *is)
{
	struct vfio v[DEVICES_MAX] = {};
	int iommufd;
	bool ok;

	iommufd = luo_retrieve(session, TOKEN_IOMMUFD);
	if (lost(tag("retrieve-iommufd", name), iommufd))
		return false;
	for (unsigned int i = 0; i < DEVICES_MAX; i++)
		v[i].fd = -1;
	ok = take_devices(session, v, iommufd, name, is);
	for (unsigned int i = 0; i < DEVICES_MAX; i++)
		vfio_close(&v[i]);
	close(iommufd);
	return ok;
}

bool reap_session(const char *session, const char *name,
		  const struct remains *is)
{
	int fd = luo_retrieve_session(luo_open(), session);
	bool ok = true;

	if (lost(tag("session", name), fd))
		return false;
	if (is->iommufd) {
		check_rc(tag("finish-early", name), luo_finish(fd), -EBUSY);
		ok = take_iommufd(fd, name, is);
	}
	ok = ok && check_rc(tag("finish", name), luo_finish(fd), 0);
	close(fd);
	return ok;
}

void reap_device(const char *bdf)
{
	if (lost(tag("unbind", bdf), pci_unbind(bdf)))
		return;
	fresh_use(tag("device", bdf), bdf);
	check_rc(tag("native", bdf), pci_offer(bdf, PCI_NATIVE), 0);
	lost(tag("unbind", bdf), pci_unbind(bdf));
}

void reaped(char bdf[][BDF_BYTES], unsigned int devices, int64_t before,
	    int64_t kib)
{
	int64_t freed;

	event("reaped");
	for (unsigned int i = 0; i < devices; i++)
		reap_device(bdf[i]);
	traffic_stop_host();
	freed = meminfo_freed(before, kib * 9 / 10);
	check("memory-back", freed > kib * 9 / 10, "%lld of %lld KiB",
	      (long long)freed, (long long)kib);
}

int note_leave(const char *session, int64_t number)
{
	int fd = memfd_create("note", MFD_CLOEXEC), note;

	if (fd < 0 || write(fd, &number, sizeof(number)) != sizeof(number))
		return -errno;
	/* Stays open until the kernel ends. */
	note = luo_create(luo_open(), session);
	return note < 0 ? note : luo_preserve(note, fd, TOKEN_MEMORY);
}

int note_read(const char *session, int64_t *ret_number)
{
	int note = luo_retrieve_session(luo_open(), session), fd, rc;

	if (note < 0)
		return note;
	fd = luo_retrieve(note, TOKEN_MEMORY);
	if (fd < 0)
		return fd;
	if (pread(fd, ret_number, sizeof(*ret_number), 0) !=
	    sizeof(*ret_number))
		return -EIO;
	rc = luo_finish(note);
	close(fd);
	close(note);
	return rc;
}
