// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "luo.h"
#include "uapi.h"

int luo_open(void)
{
	static int luo = -1;

	if (luo < 0)
		luo = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);
	return luo < 0 ? -errno : luo;
}

int luo_create(int luo, const char *name)
{
	struct liveupdate_ioctl_create_session cmd = { .size = sizeof(cmd) };

	snprintf((char *)cmd.name, sizeof(cmd.name), "%s", name);
	if (ioctl(luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &cmd))
		return -errno;
	return cmd.fd;
}

int luo_retrieve_session(int luo, const char *name)
{
	struct liveupdate_ioctl_retrieve_session cmd = { .size = sizeof(cmd) };

	snprintf((char *)cmd.name, sizeof(cmd.name), "%s", name);
	if (ioctl(luo, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &cmd))
		return -errno;
	return cmd.fd;
}

int luo_preserve(int session, int fd, uint64_t token)
{
	struct liveupdate_session_preserve_fd cmd = {
		.size = sizeof(cmd),
		.fd = fd,
		.token = token,
	};

	return ioctl(session, LIVEUPDATE_SESSION_PRESERVE_FD, &cmd) ? -errno :
								      0;
}

int luo_retrieve(int session, uint64_t token)
{
	struct liveupdate_session_retrieve_fd cmd = {
		.size = sizeof(cmd),
		.fd = -1,
		.token = token,
	};

	if (ioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &cmd))
		return -errno;
	return cmd.fd;
}

int luo_finish(int session)
{
	struct liveupdate_session_finish cmd = { .size = sizeof(cmd) };

	return ioctl(session, LIVEUPDATE_SESSION_FINISH, &cmd) ? -errno : 0;
}

int luo_info(int session, struct liveupdate_session_get_info *info,
	     struct liveupdate_file_info *files, uint32_t max)
{
	*info = (struct liveupdate_session_get_info){
		.size = sizeof(*info),
		.max_files = max,
		.files = (uintptr_t)files,
	};
	return ioctl(session, LIVEUPDATE_SESSION_GET_INFO, info) ? -errno : 0;
}

int luo_file_state(int session, uint64_t token)
{
	struct liveupdate_session_get_info info;
	struct liveupdate_file_info file[64];
	int rc = luo_info(session, &info, file, 64);

	if (rc)
		return rc;
	for (uint32_t i = 0; i < info.nr_files && i < 64; i++)
		if (file[i].token == token)
			return (int)file[i].state;
	return -ENOENT;
}
