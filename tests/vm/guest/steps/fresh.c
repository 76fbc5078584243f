// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "fresh.h"
#include "vm.h"
#include "report.h"

#define FRESH_BYTES (64ull << 20)
#define TRANSFERS 20

static int start(struct vm *vm, const char *bdf)
{
	const struct vm_plan plan = {
		.session = "fresh",
		.bytes = FRESH_BYTES,
		.slots = 1024,
		.reads = 64,
		.bdf = { bdf },
	};
	int rc;

	rc = vm_create(vm, &plan);
	if (!rc)
		rc = vm_bind(vm);
	if (!rc)
		rc = vm_remap(vm);
	if (!rc)
		rc = vm_attach(vm, vm->hwpt);
	if (!rc)
		rc = vm_start(vm);
	return rc ? rc : pump_start(&vm->pump);
}

void fresh_use(const char *name, const char *bdf)
{
	static struct vm vm;
	char text[80];
	bool works;
	int rc;

	rc = start(&vm, bdf);
	snprintf(text, sizeof(text), "%s-starts", name);
	if (check_rc(text, rc, 0)) {
		if (vm.device[0].state->kind == DEVICE_NVME)
			nvme_submit_all(&vm.device[0].nvme);
		works = device_await(&vm.device[0], TRANSFERS);
		snprintf(text, sizeof(text), "%s-works", name);
		check(text, works, "%llu transfers",
		      (unsigned long long)device_progress(&vm.device[0]));
	}
	pump_stop(&vm.pump);
	snprintf(text, sizeof(text), "%s-closes", name);
	check_rc(text, vm_unbind(&vm), 0);
	vm_close(&vm);
}
