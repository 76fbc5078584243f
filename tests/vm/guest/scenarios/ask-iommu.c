// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an inspector is told of IOMMUs: which units, page tables, devices and
 * attachments are kept, and which came, from the first preserve to the last finish.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect.h"
#include "iommufd.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"

#define SESSION "ask-iommu"
#define NOBODY 65534
/* What one table of the last level maps, where nothing is larger than a page */
#define TABLE_BYTES (2ull << 20)

static struct vm vm;

static const struct inspect *look(const char *when, const char *side)
{
	static struct inspect what;
	char name[64];

	snprintf(name, sizeof(name), "%s-%s-text", when, side);
	return check_rc(name, inspect_read(&what, side), 0) ? &what : NULL;
}

static void check_nothing(const char *when, const char *side)
{
	const struct inspect *what = look(when, side);
	char name[64];

	if (!what)
		return;
	snprintf(name, sizeof(name), "%s-%s-nothing", when, side);
	check(name,
	      !what->units && !what->domains && !what->devices &&
		      !what->attachments,
	      "%u units, %u domains, %u devices, %u attachments", what->units,
	      what->domains, what->devices, what->attachments);
}

/* The tables of all units, less than the kernel has for all that it does. */
static void check_units(const char *when, const struct inspect *what)
{
	const struct inspect_unit *u = &what->unit[0];
	char name[64];
	bool known = !strcmp(u->driver, "intel-iommu") ?
			     !strncmp(u->name, "dmar", 4) :
			     !strcmp(u->driver, "amd-iommu") &&
				     !strncmp(u->name, "ivhd", 4);

	snprintf(name, sizeof(name), "%s-unit", when);
	check(name, what->units == 1 && known && u->tables,
	      "%u units, the first is %s of %s with %llu tables", what->units,
	      u->name, u->driver, (unsigned long long)u->tables);
}

static void check_domain(const char *when, const struct inspect *what,
			 const char *token)
{
	static const char *const kinds[] = { "vtdss", "x86_64", "amdv1" };
	const struct inspect_domain *d = &what->domain[0];
	uint64_t least = vm.control->layout.bytes / TABLE_BYTES;
	bool known = false;
	char name[64];

	for (unsigned int i = 0; i < 3; i++)
		known |= !strcmp(d->kind, kinds[i]);
	snprintf(name, sizeof(name), "%s-domain", when);
	check(name,
	      what->domains == 1 && known && d->tables > least &&
		      d->tables < least * 2 && !strcmp(d->token, token),
	      "%u domains, the first is %s with %llu tables for %llu at the end, token %s",
	      what->domains, d->kind, (unsigned long long)d->tables,
	      (unsigned long long)least, d->token);
}

/*
 * As many as it takes to map memory in pages, and one of each level above that: it
 * does not reach beyond what one of those maps.
 */
static void check_levels(const char *when, const struct inspect *what)
{
	const struct inspect_domain *d = &what->domain[0];
	uint64_t last = vm.control->layout.bytes / TABLE_BYTES, sum = last;
	char name[64], want[64], *end = want;

	for (; sum < d->tables && end - want < 16; sum++)
		end += sprintf(end, "1,");
	snprintf(end, 24, "%llu", (unsigned long long)last);
	snprintf(name, sizeof(name), "%s-levels", when);
	check(name, !strcmp(d->levels, want), "%s, to be %s", d->levels, want);
}

/* All of them on the one domain, under one ID. */
static void check_devices(const char *when, const struct inspect *what,
			  const char *state, bool attached)
{
	unsigned int as_said = 0, on = 0;
	char name[64];

	for (unsigned int i = 0; i < vm.devices; i++) {
		const char *bdf = vm.control->device[i].bdf;
		const struct inspect_device *d = inspect_device(what, bdf);
		const struct inspect_attachment *a =
			inspect_attachment(what, bdf);

		as_said += d && !strcmp(d->state, state);
		on += a && !strcmp(a->pasid, "-") &&
		      a->domain == what->domain[0].id &&
		      a->did == what->attachment[0].did && a->did;
	}
	snprintf(name, sizeof(name), "%s-devices", when);
	check(name, what->devices == vm.devices && as_said == vm.devices,
	      "%u devices, %u of them %s", what->devices, as_said, state);
	snprintf(name, sizeof(name), "%s-attachments", when);
	check(name,
	      what->attachments == (attached ? vm.devices : 0) &&
		      on == what->attachments,
	      "%u attachments, %u as they have to be", what->attachments, on);
}

static void check_all(const char *when, const char *side, const char *state,
		      const char *token)
{
	const struct inspect *what = look(when, side);

	if (!what)
		return;
	check_units(when, what);
	check_domain(when, what, token);
	check_devices(when, what, state, true);
}

static void check_nobody(void)
{
	int status = 0;
	pid_t child = fork();

	if (!child) {
		if (setresgid(NOBODY, NOBODY, NOBODY) ||
		    setresuid(NOBODY, NOBODY, NOBODY))
			_exit(2);
		_exit(open(INSPECT_PATH, O_RDONLY) >= 0 || errno != EACCES);
	}
	if (lost("fork", child < 0 ? -errno : 0))
		return;
	waitpid(child, &status, 0);
	check("nobody", WIFEXITED(status) && !WEXITSTATUS(status),
	      "status %#x", status);
}

static const char *own_token(void)
{
	static char text[24];

	snprintf(text, sizeof(text), "%#llx", (unsigned long long)TOKEN_HWPT);
	return text;
}

static int ask_old(unsigned int stage)
{
	const struct inspect *what;
	struct vm_plan plan;

	check_nothing("none", "out");
	check_nothing("none", "in");
	check_nobody();
	owner_plan(&plan, SESSION);
	if (owner_begin(&vm, &plan) || owner_preserve(&vm))
		return -1;
	check_all("preserved", "out", "preserved", own_token());
	what = look("levels", "out");
	if (what)
		check_levels("preserved", what);
	/* Closed, and preserved once more */
	close(vm.session);
	check_nothing("closed", "out");
	vm.session = -1;
	if (lost("unmark", hwpt_unmark(vm.iommufd, vm.hwpt)) ||
	    owner_preserve(&vm))
		return -1;
	check_all("again", "out", "preserved", own_token());
	check_nothing("again", "in");
	return owner_load(&vm, stage) ? -1 : owner_jump();
}

/* Its translations are gone, but what came is not finished. */
static void check_released(void)
{
	const struct inspect *what = look("destroyed", "in");

	if (!what)
		return;
	check("destroyed-domain", !what->domains, "%u", what->domains);
	check_devices("destroyed", what, "claimed", false);
}

static int ask_new(unsigned int stage)
{
	uint32_t hwpt;

	(void)stage;
	if (owner_arrive(&vm, SESSION))
		return -1;
	check_all("arrived", "in", "incoming", "-");
	check_nothing("arrived", "out");
	if (owner_reclaim(&vm))
		return -1;
	check_all("reclaimed", "in", "claimed", own_token());
	if (owner_swap(&vm) ||
	    lost("restore", hwpt_restore(vm.iommufd, TOKEN_HWPT, &hwpt)) ||
	    lost("destroy", iommufd_destroy(vm.iommufd, hwpt)))
		return -1;
	check_released();
	if (!check_rc("finish", vm_finish(&vm), 0))
		return -1;
	check_nothing("finished", "in");
	return owner_end(&vm, 0);
}

static const struct scenario ask_iommu = {
	.name = "ask-iommu",
	.description = "which units, tables and devices are kept, and which came",
	.stages = { ask_old, ask_new },
};
SCENARIO(ask_iommu);
