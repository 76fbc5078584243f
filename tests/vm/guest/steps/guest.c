// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "iommufd.h"
#include "luo.h"
#include "words.h"

/* Of guest memory: for rings, logs, and the intruders' buffers. */
#define HEAD_SHARE 8

_Static_assert(sizeof(struct control) <= CONTROL_BYTES,
	       "the control block has to fit in front of the rings");

static unsigned int split(const char *list, unsigned int max,
			  char bdf[][BDF_BYTES])
{
	unsigned int count = 0;

	while (*list && count < max) {
		size_t len = strcspn(list, ",");

		snprintf(bdf[count++], BDF_BYTES, "%.*s", (int)len, list);
		list += len + (list[len] == ',');
	}
	return count;
}

unsigned int machine_kept(char bdf[DEVICES_MAX][BDF_BYTES])
{
	const char *list = word("lu.kept");
	unsigned int count = 0;

	if (list)
		return split(list, DEVICES_MAX, bdf);
	if (!pci_find(E1000E_ID, 0, bdf[count]))
		count++;
	if (!pci_find(NVME_ID, 0, bdf[count]))
		count++;
	return count;
}

unsigned int machine_intruders(char bdf[INTRUDERS_MAX][BDF_BYTES])
{
	const char *list = word("lu.intruder");

	if (list)
		return split(list, INTRUDERS_MAX, bdf);
	return pci_find(E1000E_ID, 1, bdf[0]) ? 0 : 1;
}

static void guest_clear(struct guest *g)
{
	memset(g, 0, sizeof(*g));
	g->memory.fd = -1;
	g->session = -1;
	g->iommufd = -1;
}

int guest_create(struct guest *g, const struct guest_plan *plan)
{
	const struct device_plan device_plan = {
		.stream = STREAM_ANY,
		.slots = plan->slots,
		.reads = plan->reads,
		.queue = 1,
		.buffers = BUFFERS_SCATTERED,
	};
	int rc;

	guest_clear(g);
	rc = memory_create(&g->memory, plan->bytes,
			   plan->bytes / HEAD_SHARE);
	if (rc)
		return rc;
	g->control = memory_at(&g->memory, 0);
	snprintf(g->control->session, sizeof(g->control->session), "%s",
		 plan->session);
	for (unsigned int i = 0; i < DEVICES_MAX && plan->bdf[i]; i++) {
		rc = device_setup(&g->device[i], &g->memory,
				  &g->control->device[i], plan->bdf[i],
				  &device_plan);
		if (rc)
			return rc;
		g->devices++;
	}
	g->control->devices = g->devices;
	g->control->keep_reading = plan->keep_reading;
	return 0;
}

int guest_bind(struct guest *g)
{
	int rc, fd;

	g->iommufd = iommufd_open();
	if (g->iommufd < 0)
		return g->iommufd;
	for (unsigned int i = 0; i < g->devices; i++) {
		const char *bdf = g->device[i].state->bdf;

		rc = pci_bind(bdf, "vfio-pci");
		if (rc)
			return rc;
		fd = vfio_cdev_open(bdf);
		if (fd < 0)
			return fd;
		rc = device_connect(&g->device[i], fd, g->iommufd);
		if (rc)
			return rc;
	}
	return 0;
}

int guest_map(struct guest *g, uint32_t *ret_ioas)
{
	int rc;

	rc = ioas_alloc(g->iommufd, ret_ioas);
	if (rc)
		return rc;
	return ioas_map_file(g->iommufd, *ret_ioas, g->memory.fd, 0,
			     g->memory.layout->bytes, MEMORY_IOVA);
}

int guest_attach(struct guest *g, uint32_t hwpt)
{
	for (unsigned int i = 0; i < g->devices; i++) {
		int rc = vfio_attach(&g->device[i].vfio, hwpt);

		if (rc)
			return rc;
	}
	return 0;
}

int guest_remap(struct guest *g)
{
	int rc;

	rc = guest_map(g, &g->ioas);
	if (rc)
		return rc;
	return hwpt_alloc(g->iommufd, g->device[0].vfio.devid, g->ioas,
			  &g->hwpt);
}

int guest_start(struct guest *g)
{
	for (unsigned int i = 0; i < g->devices; i++) {
		int rc = device_start(&g->device[i]);

		if (rc)
			return rc;
		pump_add(&g->pump, &g->device[i]);
	}
	return 0;
}

int guest_preserve(struct guest *g, const char **ret_what)
{
	int rc;

	*ret_what = "memory";
	rc = luo_preserve(g->session, g->memory.fd, TOKEN_MEMORY);
	if (rc)
		return rc;
	*ret_what = "iommufd";
	rc = luo_preserve(g->session, g->iommufd, TOKEN_IOMMUFD);
	for (unsigned int i = 0; !rc && i < g->devices; i++) {
		*ret_what = g->device[i].state->bdf;
		rc = luo_preserve(g->session, g->device[i].vfio.fd,
				  TOKEN_DEVICE + i);
	}
	return rc;
}

int guest_retrieve_memory(struct guest *g, const char *session)
{
	int luo = luo_open(), fd, rc;

	guest_clear(g);
	if (luo < 0)
		return luo;
	g->session = luo_retrieve_session(luo, session);
	if (g->session < 0)
		return g->session;
	fd = luo_retrieve(g->session, TOKEN_MEMORY);
	if (fd < 0)
		return fd;
	rc = memory_adopt(&g->memory, fd);
	if (rc)
		return rc;
	g->control = memory_at(&g->memory, 0);
	g->devices = g->control->devices;
	for (unsigned int i = 0; i < g->devices; i++)
		device_adopt(&g->device[i], &g->memory,
			     &g->control->device[i]);
	return 0;
}

void guest_first_scan(struct guest *g)
{
	for (unsigned int i = 0; i < g->devices; i++) {
		struct device_state *s = g->device[i].state;

		if (s->kind == DEVICE_NIC)
			s->nic.flagged = FRAME_FIRST_SCAN;
		device_poll(&g->device[i]);
		if (s->kind == DEVICE_NIC)
			s->nic.flagged = 0;
	}
}

int guest_retrieve_iommufd(struct guest *g)
{
	if (g->iommufd >= 0)
		return 0;
	g->iommufd = luo_retrieve(g->session, TOKEN_IOMMUFD);
	return g->iommufd < 0 ? g->iommufd : 0;
}

int guest_retrieve_device(struct guest *g, unsigned int i)
{
	int fd;

	if (g->device[i].vfio.fd >= 0)
		return 0;
	fd = luo_retrieve(g->session, TOKEN_DEVICE + i);
	if (fd < 0)
		return fd;
	g->device[i].vfio.fd = fd;
	return 0;
}

int guest_destroy_restored(struct guest *g)
{
	uint32_t id;
	int rc = hwpt_restore(g->iommufd, TOKEN_HWPT, &id);

	return rc ? rc : iommufd_destroy(g->iommufd, id);
}

int guest_finish(struct guest *g)
{
	int rc = luo_finish(g->session);

	if (!rc) {
		close(g->session);
		g->session = -1;
	}
	return rc;
}

static struct device *first_of(struct guest *g, uint32_t kind)
{
	for (unsigned int i = 0; i < g->devices; i++)
		if (g->device[i].state->kind == kind)
			return &g->device[i];
	return NULL;
}

struct device *guest_nic(struct guest *g)
{
	return first_of(g, DEVICE_NIC);
}

struct device *guest_nvme(struct guest *g)
{
	return first_of(g, DEVICE_NVME);
}

uint64_t guest_errors(const struct guest *g)
{
	uint64_t errors = 0;

	for (unsigned int i = 0; i < g->devices; i++)
		errors += device_errors(&g->device[i]);
	return errors;
}

int guest_unbind(struct guest *g)
{
	int rc = 0;

	for (unsigned int i = 0; i < g->devices; i++)
		device_disconnect(&g->device[i]);
	if (g->iommufd >= 0)
		close(g->iommufd);
	g->iommufd = -1;
	/* Unbinding would wait for the files that the session still holds. */
	if (g->session >= 0)
		return -EBUSY;
	for (unsigned int i = 0; i < g->devices; i++) {
		int err = pci_unbind(g->device[i].state->bdf);

		if (!rc)
			rc = err;
	}
	return rc;
}

/* Pages with indices [first, first + count) belong to a drive's reads. */
static const struct device *reader_of(const struct guest *g, uint64_t index)
{
	for (unsigned int i = 0; i < g->devices; i++) {
		const struct device_state *s = g->device[i].state;

		if (s->kind == DEVICE_NVME && s->nvme.submitted &&
		    index >= s->nvme.page_first &&
		    index < s->nvme.page_first + s->nvme.reads)
			return &g->device[i];
	}
	return NULL;
}

uint64_t guest_verify(const struct guest *g)
{
	const struct memory *m = &g->memory;
	uint64_t bad = 0;

	for (uint64_t i = 0; i < memory_page_count(m); i++) {
		const struct device *d = reader_of(g, i);
		bool whole;

		if (d)
			whole = nvme_page_whole(&d->nvme,
						i - d->state->nvme.page_first);
		else
			whole = canary_whole(m, memory_page(m, i), PAGE_BYTES);
		bad += !whole;
	}
	for (uint64_t at = m->layout->head_next; at < m->layout->head_end;
	     at += PAGE_BYTES)
		bad += !canary_whole(m, at, PAGE_BYTES);
	return bad;
}

void guest_close(struct guest *g)
{
	if (g->session >= 0)
		close(g->session);
	memory_close(&g->memory);
	guest_clear(g);
}
