// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "guest.h"

/* Of a map. One with 65,536 ranges has about 10 MiB. */
#define MAP_BYTES_MAX (64u << 20)

/* All of a memfd, malloc()ed; its size has to be @length, unless that is 0. */
static int read_whole(int fd, uint64_t length, char **ret, size_t *ret_length)
{
	struct stat st;
	char *data;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || !st.st_size ||
	    (length && (uint64_t)st.st_size != length))
		return -EBADMSG;
	if (!length && st.st_size > MAP_BYTES_MAX)
		return -EFBIG;
	data = malloc(st.st_size);
	if (!data)
		return -ENOMEM;
	for (off_t at = 0; at < st.st_size;) {
		ssize_t got = pread(fd, data + at, st.st_size - at, at);

		if (got > 0) {
			at += got;
		} else if (!got || errno != EINTR) {
			free(data);
			return got ? -errno : -EBADMSG;
		}
	}
	*ret = data;
	*ret_length = st.st_size;
	return 0;
}

static int take_map(struct lu_guest *guest, struct lu_error *err)
{
	size_t length;
	char *text;
	int fd, rc;

	fd = lu_session_take(guest->session, 0, err);
	if (fd == -ENOENT)
		return lui_fail(err, -EBADMSG, LU_WHY_MAP,
				guest->session->name,
				"session '%s' has no map; it was not preserved with libliveupdate",
				guest->session->name);
	if (fd < 0)
		return fd;
	rc = read_whole(fd, 0, &text, &length);
	close(fd);
	if (rc)
		return lui_fail(err, rc == -ENOMEM ? rc : -EBADMSG, LU_WHY_MAP,
				guest->session->name,
				"the map of session '%s' cannot be read: %s",
				guest->session->name, strerrordesc_np(-rc));
	rc = lui_map_read(text, length, &guest->parts, err);
	free(text);
	return rc;
}

static int take_blob(struct lu_guest *guest, struct part_blob *b,
		     struct lu_error *err)
{
	size_t length;
	char *data;
	int fd, rc;

	fd = lu_session_take(guest->session, b->token, err);
	if (fd < 0)
		return fd;
	rc = read_whole(fd, b->length, &data, &length);
	close(fd);
	if (rc)
		return lui_fail(err, rc, LU_WHY_MAP, b->name,
				"the bytes of '%s' are not those of the map: %s",
				b->name, strerrordesc_np(-rc));
	b->data = data;
	return 0;
}

static int take_memory(struct lu_guest *guest, struct lu_error *err)
{
	struct parts *p = &guest->parts;

	for (unsigned int i = 0; i < p->memfds; i++) {
		struct part_memfd *m = &p->memfd[i];
		struct stat st;

		m->fd = lu_session_take(guest->session, m->token, err);
		if (m->fd < 0)
			return m->fd;
		if (fstat(m->fd, &st) || (uint64_t)st.st_size != m->bytes)
			return lui_fail(err, -EBADMSG, LU_WHY_MAP, m->name,
					"the size of memfd '%s' is not that of the map",
					m->name);
	}
	for (unsigned int i = 0; i < p->blobs; i++) {
		int rc = take_blob(guest, &p->blob[i], err);

		if (rc)
			return rc;
	}
	return 0;
}

int lu_guest_open(struct lu_session *session, struct lu_guest **ret,
		  struct lu_error *err)
{
	struct lu_guest *guest;
	int rc;

	if (session->direction == LU_OUT)
		return lui_fail(err, -EINVAL, LU_WHY_DIRECTION, session->name,
				"session '%s' was made in this kernel; there is nothing to take back",
				session->name);
	guest = calloc(1, sizeof(*guest));
	if (!guest)
		return lui_fail_system(err, -ENOMEM, NULL, "a guest");
	guest->session = session;
	rc = take_map(guest, err);
	if (!rc)
		rc = take_memory(guest, err);
	if (rc) {
		lu_guest_free(guest);
		return rc;
	}
	*ret = guest;
	return 0;
}

void lu_guest_free(struct lu_guest *guest)
{
	if (!guest)
		return;
	lui_parts_free(&guest->parts);
	free(guest);
}

const char *lu_guest_name(const struct lu_guest *guest, enum lu_kind kind,
			  unsigned int index)
{
	const struct parts *p = &guest->parts;

	switch (kind) {
	case LU_MEMFD:
		return index < p->memfds ? p->memfd[index].name : NULL;
	case LU_BLOB:
		return index < p->blobs ? p->blob[index].name : NULL;
	case LU_IOMMUFD:
		return index < p->iommufds ? p->iommufd[index].name : NULL;
	case LU_HWPT:
		return index < p->hwpts ? p->hwpt[index].name : NULL;
	case LU_DEVICE:
		return index < p->devices ? p->device[index].name : NULL;
	default:
		return NULL;
	}
}

int lu_guest_fd(const struct lu_guest *guest, const char *name)
{
	const struct parts *p = &guest->parts;
	int i, fd;

	i = lui_find_memfd(p, name);
	if (i >= 0)
		return p->memfd[i].fd;
	i = lui_find_iommufd(p, name);
	if (i >= 0) {
		fd = p->iommufd[i].fd;
		return fd < 0 ? -EAGAIN : fd;
	}
	i = lui_find_device(p, name);
	if (i < 0)
		return -ENOENT;
	fd = p->device[i].fd;
	return fd < 0 ? -EAGAIN : fd;
}

const void *lu_guest_blob(const struct lu_guest *guest, const char *name,
			  size_t *ret_length)
{
	int i = lui_find_blob(&guest->parts, name);

	if (i < 0)
		return NULL;
	*ret_length = guest->parts.blob[i].length;
	return guest->parts.blob[i].data;
}

const char *lu_guest_address(const struct lu_guest *guest, const char *device)
{
	int i = lui_find_device(&guest->parts, device);

	return i < 0 || !*guest->parts.device[i].address ?
		       NULL :
		       guest->parts.device[i].address;
}

int lu_guest_hwpt(const struct lu_guest *guest, const char *hwpt,
		  uint32_t *ret_ioas, uint32_t *ret_hwpt)
{
	int i = lui_find_hwpt(&guest->parts, hwpt);
	const struct part_hwpt *h;

	if (i < 0)
		return i;
	h = &guest->parts.hwpt[i];
	if (!h->id)
		return -EAGAIN;
	if (ret_ioas)
		*ret_ioas = h->ioas;
	if (ret_hwpt)
		*ret_hwpt = h->id;
	return 0;
}

int lu_guest_devid(const struct lu_guest *guest, const char *device,
		   uint32_t *ret_devid)
{
	int i = lui_find_device(&guest->parts, device);

	if (i < 0)
		return i;
	if (!guest->parts.device[i].bound)
		return -EAGAIN;
	*ret_devid = guest->parts.device[i].devid;
	return 0;
}
