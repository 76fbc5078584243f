// SPDX-License-Identifier: LGPL-2.1-or-later
/* Before the live update: the VM is stopped, its device works on. */
#include <liveupdate.h>
#include <stdio.h>

#include "keep.h"

int keep(struct machine *vm)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *session;
	struct lu_plan *plan;

	if (lu_plan_new(&plan) < 0 ||
	    lu_plan_memfd(plan, "ram", vm->ram) < 0 ||
	    lu_plan_blob(plan, "vcpu", vm->vcpu, vm->length) < 0 ||
	    lu_plan_iommufd(plan, "iommu", vm->iommufd) < 0 ||
	    lu_plan_hwpt(plan, "gpa", "iommu", vm->hwpt, 0) < 0 ||
	    lu_plan_map(plan, "gpa", vm->start, vm->bytes, "ram", 0,
			LU_READ | LU_WRITE) < 0 ||
	    lu_plan_device(plan, "nic", vm->nic, "gpa", vm->address) < 0)
		return -1;
	if (lu_session_acquire("vm1", LU_OUT, &session, &err) < 0 ||
	    lu_plan_preserve(plan, session, &err) < 0 ||
	    lu_session_park(session, &err) < 0) {
		fprintf(stderr, "keep: %s\n", err.text);
		return -1;
	}
	return 0; /* this process may end: the keeper has it */
}
