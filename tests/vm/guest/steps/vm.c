// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vm.h"
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
	if (!pci_find(E1000E_ID, 0, bdf[count]) ||
	    !pci_find(VNET_ID, 0, bdf[count]))
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

void vm_clear(struct vm *vm)
{
	memset(vm, 0, sizeof(*vm));
	vm->memory.fd = -1;
	vm->session = -1;
	vm->iommufd = -1;
}

int vm_create(struct vm *vm, const struct vm_plan *plan)
{
	const struct device_plan device_plan = {
		.stream = STREAM_ANY,
		.slots = plan->slots,
		.reads = plan->reads,
		.queue = 1,
		.buffers = BUFFERS_SCATTERED,
	};
	int rc;

	vm_clear(vm);
	rc = memory_create(&vm->memory, plan->bytes,
			   plan->bytes / HEAD_SHARE);
	if (rc)
		return rc;
	vm->control = memory_at(&vm->memory, 0);
	snprintf(vm->control->session, sizeof(vm->control->session), "%s",
		 plan->session);
	for (unsigned int i = 0; i < DEVICES_MAX && plan->bdf[i]; i++) {
		rc = device_setup(&vm->device[i], &vm->memory,
				  &vm->control->device[i], plan->bdf[i],
				  &device_plan);
		if (rc)
			return rc;
		vm->devices++;
	}
	vm->control->devices = vm->devices;
	vm->control->keep_reading = plan->keep_reading;
	return 0;
}

int vm_bind(struct vm *vm)
{
	int rc, fd;

	vm->iommufd = iommufd_open();
	if (vm->iommufd < 0)
		return vm->iommufd;
	for (unsigned int i = 0; i < vm->devices; i++) {
		const char *bdf = vm->device[i].state->bdf;

		rc = pci_bind(bdf, "vfio-pci");
		if (rc)
			return rc;
		fd = vfio_cdev_open(bdf);
		if (fd < 0)
			return fd;
		rc = device_connect(&vm->device[i], fd, vm->iommufd);
		if (rc)
			return rc;
	}
	return 0;
}

int vm_map(struct vm *vm, uint32_t *ret_ioas)
{
	int rc;

	rc = memory_huge ? ioas_alloc_huge(vm->iommufd, ret_ioas) :
			   ioas_alloc(vm->iommufd, ret_ioas);
	if (rc)
		return rc;
	return ioas_map_file(vm->iommufd, *ret_ioas, vm->memory.fd, 0,
			     vm->memory.layout->bytes, MEMORY_IOVA);
}

int vm_attach(struct vm *vm, uint32_t hwpt)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		int rc = vfio_attach(&vm->device[i].vfio, hwpt);

		if (rc)
			return rc;
	}
	return 0;
}

int vm_remap(struct vm *vm)
{
	int rc;

	rc = vm_map(vm, &vm->ioas);
	if (rc)
		return rc;
	return hwpt_alloc(vm->iommufd, vm->device[0].vfio.devid, vm->ioas,
			  &vm->hwpt);
}

int vm_start(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		int rc = device_start(&vm->device[i]);

		if (rc)
			return rc;
		pump_add(&vm->pump, &vm->device[i]);
	}
	return 0;
}

int vm_preserve(struct vm *vm, const char **ret_what)
{
	int rc;

	*ret_what = "memory";
	rc = luo_preserve(vm->session, vm->memory.fd, TOKEN_MEMORY);
	if (rc)
		return rc;
	*ret_what = "iommufd";
	rc = luo_preserve(vm->session, vm->iommufd, TOKEN_IOMMUFD);
	for (unsigned int i = 0; !rc && i < vm->devices; i++) {
		*ret_what = vm->device[i].state->bdf;
		rc = luo_preserve(vm->session, vm->device[i].vfio.fd,
				  TOKEN_DEVICE + i);
	}
	return rc;
}

int vm_retrieve_memory(struct vm *vm, const char *session)
{
	int luo = luo_open(), fd;

	vm_clear(vm);
	if (luo < 0)
		return luo;
	vm->session = luo_retrieve_session(luo, session);
	if (vm->session < 0)
		return vm->session;
	fd = luo_retrieve(vm->session, TOKEN_MEMORY);
	return fd < 0 ? fd : vm_adopt(vm, fd);
}

int vm_adopt(struct vm *vm, int memory)
{
	int rc = memory_adopt(&vm->memory, memory);

	if (rc)
		return rc;
	vm->control = memory_at(&vm->memory, 0);
	vm->devices = vm->control->devices;
	for (unsigned int i = 0; i < vm->devices; i++)
		device_adopt(&vm->device[i], &vm->memory,
			     &vm->control->device[i]);
	return 0;
}

void vm_first_scan(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		struct frame_tally *frames = device_frames(&vm->device[i]);

		if (frames)
			frames->flagged = FRAME_FIRST_SCAN;
		device_poll(&vm->device[i]);
		if (frames)
			frames->flagged = 0;
	}
}

int vm_retrieve_iommufd(struct vm *vm)
{
	if (vm->iommufd >= 0)
		return 0;
	vm->iommufd = luo_retrieve(vm->session, TOKEN_IOMMUFD);
	return vm->iommufd < 0 ? vm->iommufd : 0;
}

int vm_retrieve_device(struct vm *vm, unsigned int i)
{
	int fd;

	if (vm->device[i].vfio.fd >= 0)
		return 0;
	fd = luo_retrieve(vm->session, TOKEN_DEVICE + i);
	if (fd < 0)
		return fd;
	vm->device[i].vfio.fd = fd;
	return 0;
}

int vm_destroy_restored(struct vm *vm)
{
	uint32_t id;
	int rc = hwpt_restore(vm->iommufd, TOKEN_HWPT, &id);

	return rc ? rc : iommufd_destroy(vm->iommufd, id);
}

int vm_finish(struct vm *vm)
{
	int rc = luo_finish(vm->session);

	if (!rc) {
		close(vm->session);
		vm->session = -1;
	}
	return rc;
}

struct device *vm_nic(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->devices; i++)
		if (device_frames(&vm->device[i]))
			return &vm->device[i];
	return NULL;
}

struct device *vm_nvme(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->devices; i++)
		if (vm->device[i].state->kind == DEVICE_NVME)
			return &vm->device[i];
	return NULL;
}

uint64_t vm_errors(const struct vm *vm)
{
	uint64_t errors = 0;

	for (unsigned int i = 0; i < vm->devices; i++)
		errors += device_errors(&vm->device[i]);
	return errors;
}

int vm_unbind(struct vm *vm)
{
	int rc = 0;

	for (unsigned int i = 0; i < vm->devices; i++)
		device_disconnect(&vm->device[i]);
	if (vm->iommufd >= 0)
		close(vm->iommufd);
	vm->iommufd = -1;
	/* Unbinding would wait for the files that the session still holds. */
	if (vm->session >= 0)
		return -EBUSY;
	for (unsigned int i = 0; i < vm->devices; i++) {
		int err = pci_unbind(vm->device[i].state->bdf);

		if (!rc)
			rc = err;
	}
	return rc;
}

/* Pages with indices [first, first + count) belong to a drive's reads. */
static const struct device *reader_of(const struct vm *vm, uint64_t index)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		const struct device_state *s = vm->device[i].state;

		if (s->kind == DEVICE_NVME && s->nvme.submitted &&
		    index >= s->nvme.pages.first &&
		    index < s->nvme.pages.first + s->nvme.reads)
			return &vm->device[i];
	}
	return NULL;
}

uint64_t vm_verify(const struct vm *vm)
{
	const struct memory *m = &vm->memory;
	uint64_t bad = 0;

	for (uint64_t i = 0; i < memory_page_count(m); i++) {
		const struct device *d = reader_of(vm, i);
		bool whole;

		if (d)
			whole = nvme_page_whole(&d->nvme,
						i - d->state->nvme.pages.first);
		else
			whole = canary_whole(m, memory_page(m, i), PAGE_BYTES);
		bad += !whole;
	}
	for (uint64_t at = m->layout->head_next; at < m->layout->head_end;
	     at += PAGE_BYTES)
		bad += !canary_whole(m, at, PAGE_BYTES);
	return bad;
}

void vm_close(struct vm *vm)
{
	if (vm->session >= 0)
		close(vm->session);
	memory_close(&vm->memory);
	vm_clear(vm);
}

void vm_drop(struct vm *vm)
{
	pump_stop(&vm->pump);
	for (unsigned int i = 0; i < vm->devices; i++)
		device_drop(&vm->device[i]);
	if (vm->iommufd >= 0)
		close(vm->iommufd);
	vm_close(vm);
}
