// SPDX-License-Identifier: LGPL-2.1-or-later
/* After it: the VM gets everything back, and runs on. */
#include <liveupdate.h>
#include <stdio.h>
#include <unistd.h>

#include "keep.h"

int back(struct machine *vm)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *session;
	struct lu_guest *guest;
	uint32_t ioas;

	if (lu_session_acquire("vm1", LU_IN, &session, &err) < 0 ||
	    lu_guest_open(session, &guest, &err) < 0 ||
	    lu_guest_restore(guest, 5000, &err) < 0 ||
	    lu_guest_hwpt(guest, "gpa", &ioas, &vm->hwpt) < 0) {
		fprintf(stderr, "back: %s\n", err.text);
		return -1;
	}
	vm->ram = lu_guest_fd(guest, "ram");
	vm->bytes = lseek(vm->ram, 0, SEEK_END);
	vm->iommufd = lu_guest_fd(guest, "iommu");
	vm->nic = lu_guest_fd(guest, "nic");
	vm->address = lu_guest_address(guest, "nic");
	vm->vcpu = lu_guest_blob(guest, "vcpu", &vm->length);
	return 0; /* arm the device's interrupts, signal each once, run */
}
