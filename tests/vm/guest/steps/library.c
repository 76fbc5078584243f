// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <liveupdate.h>

#include "library.h"
#include "owner.h"
#include "report.h"
#include "wire.h"

/* For drivers that are loaded or bound while we wait */
#define TAKE_MS 60000

#define RAM "ram"
#define IOMMU "iommu"
#define GUEST_PHYSICAL "gpa"

/* A failed check that says what the library says. */
static bool failed(struct vm *vm, const char *what, int rc,
		   const struct lu_error *err)
{
	if (rc >= 0)
		return false;
	check(owner_tag(vm, what), false, "%s (%s, why %u)", err->text,
	      errno_name(rc), err->why);
	return true;
}

static int add_devices(struct vm *vm, struct lu_plan *plan)
{
	int rc;

	rc = lu_plan_iommufd(plan, IOMMU, vm->iommufd);
	rc = rc ? rc : lu_plan_hwpt(plan, GUEST_PHYSICAL, IOMMU, vm->hwpt, 0);
	rc = rc ? rc :
		  lu_plan_map(plan, GUEST_PHYSICAL, MEMORY_IOVA,
			      vm->memory.layout->bytes, RAM, 0,
			      LU_READ | LU_WRITE);
	for (unsigned int i = 0; !rc && i < vm->devices; i++) {
		const char *bdf = vm->device[i].state->bdf;

		rc = lu_plan_device(plan, bdf, vm->device[i].vfio.fd,
				    GUEST_PHYSICAL, NULL);
	}
	return rc;
}

static int preserve_plan(struct vm *vm, struct lu_plan *plan)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *session;
	int rc;

	rc = lu_session_acquire(vm->control->session, LU_OUT, &session, &err);
	if (failed(vm, "session", rc, &err))
		return -1;
	/* It marks as well. */
	event("marked");
	rc = lu_plan_preserve(plan, session, &err);
	if (!failed(vm, "preserve", rc, &err)) {
		/* What is preserved is so as long as this copy is open. */
		vm->session = dup(lu_session_fd(session));
		event("preserved");
	}
	lu_session_free(session);
	return rc ? -1 : 0;
}

int library_preserve(struct vm *vm, bool only_memory)
{
	struct lu_plan *plan;
	int rc;

	if (lost("plan", lu_plan_new(&plan)))
		return -1;
	rc = lu_plan_memfd(plan, RAM, vm->memory.fd);
	if (!rc && !only_memory)
		rc = add_devices(vm, plan);
	if (lost("plan", rc))
		rc = -1;
	else
		rc = preserve_plan(vm, plan);
	lu_plan_free(plan);
	return rc;
}

int library_arrive(struct vm *vm, const char *session)
{
	struct lu_error err = LU_ERROR_INIT;
	int rc;

	vm_clear(vm);
	rc = lu_session_acquire(session, LU_IN, &vm->came, &err);
	if (failed(vm, "session", rc, &err))
		return -1;
	rc = lu_guest_open(vm->came, &vm->guest, &err);
	if (failed(vm, "retrieve-memory", rc, &err))
		return -1;
	rc = vm_adopt(vm, dup(lu_guest_fd(vm->guest, RAM)));
	if (lost("retrieve-memory", rc))
		return -1;
	vm->session = dup(lu_session_fd(vm->came));
	vm_first_scan(vm);
	event("scanned");
	return 0;
}

static int connect_devices(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		struct device *d = &vm->device[i];
		uint32_t devid;
		int fd, rc;

		fd = lu_guest_fd(vm->guest, d->state->bdf);
		rc = fd < 0 ? fd : lu_guest_devid(vm->guest, d->state->bdf,
						  &devid);
		rc = rc ? rc : device_adopt_bound(d, dup(fd), devid);
		if (lost("device", rc))
			return -1;
	}
	return 0;
}

int library_reclaim(struct vm *vm)
{
	struct lu_error err = LU_ERROR_INIT;
	int rc;

	rc = lu_guest_take(vm->guest, TAKE_MS, &err);
	if (failed(vm, "retrieve", rc, &err))
		return -1;
	vm->iommufd = dup(lu_guest_fd(vm->guest, IOMMU));
	event("retrieved");
	rc = lu_guest_bind(vm->guest, &err);
	if (failed(vm, "bind", rc, &err) || connect_devices(vm))
		return -1;
	event("bound");
	return owner_serve(vm);
}

static int swap_all(struct vm *vm)
{
	struct lu_error err = LU_ERROR_INIT;

	return failed(vm, "swap", lu_guest_swap(vm->guest, &err), &err) ? -1 : 0;
}

int library_swap(struct vm *vm)
{
	struct lu_error err = LU_ERROR_INIT;
	int rc = lu_guest_rebuild(vm->guest, &err);

	return failed(vm, "rebuild", rc, &err) ? -1 :
						 owner_swap_by(vm, swap_all);
}

int library_finish(struct vm *vm)
{
	struct lu_error err = LU_ERROR_INIT;
	int rc;

	rc = lu_guest_finish(vm->guest, &err);
	check(owner_tag(vm, "finish"), !rc, "%s", rc ? err.text : "finished");
	lu_guest_free(vm->guest);
	lu_session_free(vm->came);
	vm->guest = NULL;
	vm->came = NULL;
	if (!rc) {
		close(vm->session);
		vm->session = -1;
	}
	return rc ? -1 : 0;
}

int library_release(struct vm *vm)
{
	struct lu_error err = LU_ERROR_INIT;
	int rc;

	rc = lu_guest_destroy(vm->guest, &err);
	check(owner_tag(vm, "destroy-restored"), !rc, "%s",
	      rc ? err.text : "destroyed");
	if (rc || library_finish(vm))
		return -1;
	event("finished");
	return 0;
}
