// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The files of a session, and what the kernel means by its answers about them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "calls.h"
#include "error.h"
#include "session.h"

_Static_assert(sizeof(struct lu_file) == 64, "as the kernel has it");

enum kind { MEMORY, IOMMUFD, DEVICE };

static enum kind kind_of(int fd)
{
	if (fcntl(fd, F_GET_SEALS) >= 0)
		return MEMORY;
	return lui_is_iommufd(fd) ? IOMMUFD : DEVICE;
}

static int explain_iommufd(int rc, uint64_t token, struct lu_error *err)
{
	switch (rc) {
	case -EINVAL:
		return lui_fail_token(err, rc, LU_WHY_MEMORY, NULL, token,
				      "an HWPT to preserve maps what is no memory of a memfd preserved before it, or none is marked; the kernel's log has the range");
	case -EBUSY:
		return lui_fail_token(err, rc, LU_WHY_PRESERVED, NULL, token,
				      "the iommufd is in a session, came from the kernel before and is not finished, or a map is under way");
	case -EOPNOTSUPP:
		return lui_fail_token(err, rc, LU_WHY_UNSUPPORTED, NULL, token,
				      "the IOMMU cannot hand over this page table; the kernel's log says why");
	default:
		return lui_fail_system(err, rc, NULL, "iommufd");
	}
}

static int explain_device(int rc, uint64_t token, struct lu_error *err)
{
	switch (rc) {
	case -ENOENT:
		return lui_fail_token(err, rc, LU_WHY_ORDER, NULL, token,
				      "the kernel preserves no such file, or it is a device whose iommufd is not in the session yet");
	case -EPERM:
		return lui_fail_token(err, rc, LU_WHY_ORDER, NULL, token,
				      "the device is not bound to an iommufd");
	case -EINVAL:
		return lui_fail_token(err, rc, LU_WHY_NOT_MARKED, NULL, token,
				      "the device is not attached to an HWPT that is preserved");
	case -EOPNOTSUPP:
		return lui_fail_token(err, rc, LU_WHY_DEVICE, NULL, token,
				      "this device cannot be preserved; 'luctl check' and the kernel's log say why");
	case -EBUSY:
		return lui_fail_token(err, rc, LU_WHY_PRESERVED, NULL, token,
				      "the device is in a session, came from the kernel before and is not finished, or is powered down");
	default:
		return lui_fail_system(err, rc, NULL, "device");
	}
}

static int explain_memory(int rc, uint64_t token, struct lu_error *err)
{
	if (rc == -EBUSY)
		return lui_fail_token(err, rc, LU_WHY_PRESERVED, NULL, token,
				      "the memory is in a session already");
	return lui_fail_system(err, rc, NULL, "memory");
}

static int explain_preserve(int rc, int fd, uint64_t token,
			    struct lu_session *session, struct lu_error *err)
{
	if (rc == -EEXIST)
		return lui_fail_token(err, rc, LU_WHY_SYSTEM, NULL, token,
				      "token %#llx is in use in session '%s'",
				      (unsigned long long)token, session->name);
	if (session->direction == LU_IN)
		return lui_fail_token(err, rc, LU_WHY_DIRECTION, session->name,
				      token,
				      "session '%s' came from the kernel before; a new one is needed to preserve in",
				      session->name);
	switch (kind_of(fd)) {
	case MEMORY:
		return explain_memory(rc, token, err);
	case IOMMUFD:
		return explain_iommufd(rc, token, err);
	default:
		return explain_device(rc, token, err);
	}
}

int lu_session_preserve(struct lu_session *session, int fd, uint64_t token,
			struct lu_error *err)
{
	int rc = lui_session_preserve(session->fd, fd, token);

	return rc ? explain_preserve(rc, fd, token, session, err) : 0;
}

int lu_session_take(struct lu_session *session, uint64_t token,
		    struct lu_error *err)
{
	int fd = lui_session_take(session->fd, token);

	if (fd >= 0)
		return fd;
	if (session->direction == LU_OUT)
		return lui_fail_token(err, fd, LU_WHY_DIRECTION, session->name,
				      token,
				      "session '%s' was made in this kernel; nothing can be taken from it",
				      session->name);
	switch (fd) {
	case -ENOENT:
		return lui_fail_token(err, fd, LU_WHY_SYSTEM, session->name,
				      token,
				      "session '%s' has no file with token %#llx",
				      session->name, (unsigned long long)token);
	case -EAGAIN:
		return lui_fail_token(err, fd, LU_WHY_NO_DRIVER, session->name,
				      token,
				      "the module 'iommufd' or 'vfio-pci' is not loaded, or vfio-pci not bound to the device yet");
	case -EIO:
	case -ENODEV:
	case -EINVAL:
		return lui_fail_token(err, fd, LU_WHY_LOST, session->name,
				      token,
				      "what was handed over is not to be had any more; the kernel's log says why");
	default:
		return lui_fail_system(err, fd, session->name,
				       "a file of session");
	}
}

int lu_session_files(struct lu_session *session, struct lu_file *files,
		     unsigned int room, struct lu_error *err)
{
	int count = lui_session_files(session->fd, files, room);

	if (count == -ENOTTY)
		return lui_fail(err, -ENOTSUP, LU_WHY_UNSUPPORTED, session->name,
				"this kernel does not say what is in a session");
	return count < 0 ? lui_fail_system(err, count, session->name,
					   "files of session") :
			   count;
}

#define FILES_LOOKED_AT 256

/* The first file of the session that nobody has taken: its token. */
static uint64_t not_taken(struct lu_session *session)
{
	struct lu_file files[FILES_LOOKED_AT];
	int count;

	memset(files, 0, sizeof(files));
	count = lui_session_files(session->fd, files, FILES_LOOKED_AT);
	for (int i = 0; i < count && i < FILES_LOOKED_AT; i++)
		if (files[i].state == LU_FILE_WAITING ||
		    files[i].state == LU_FILE_UNCLAIMED)
			return files[i].token;
	return LU_NO_TOKEN;
}

int lu_session_finish(struct lu_session *session, struct lu_error *err)
{
	int rc = lui_session_finish(session->fd);
	uint64_t token;

	if (!rc) {
		/*
		 * systemd would hand it out again and again, in place of a
		 * new one. luod sees by itself that it is finished.
		 */
		lui_session_forget(session);
		return 0;
	}
	if (session->direction == LU_OUT)
		return lui_fail(err, rc, LU_WHY_DIRECTION, session->name,
				"session '%s' was made in this kernel; close it to undo it",
				session->name);
	if (rc != -EBUSY)
		return lui_fail_system(err, rc, session->name, "finish of session");
	token = not_taken(session);
	if (token != LU_NO_TOKEN)
		return lui_fail_token(err, rc, LU_WHY_NOT_RETRIEVED,
				      session->name, token,
				      "the file with token %#llx of session '%s' was not taken",
				      (unsigned long long)token, session->name);
	return lui_fail(err, rc, LU_WHY_HWPT, session->name,
			"a restored HWPT of session '%s' still exists; attach its devices elsewhere and destroy it",
			session->name);
}
