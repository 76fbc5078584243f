// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "cases.h"
#include "counts.h"
#include "vm.h"
#include "iommufd.h"
#include "report.h"

static char bdf[DEVICES_MAX][BDF_BYTES];
static unsigned int devices;
static const char *current;

const char *cases_tag(const char *what)
{
	static char text[8][80];
	static unsigned int turn;
	char *out = text[turn++ % 8];

	snprintf(out, sizeof(text[0]), "%s-%s", current, what);
	return out;
}

bool cases_rc(const char *what, int rc, int want)
{
	return check_rc(cases_tag(what), rc, want);
}

const char *cases_device(unsigned int nth)
{
	return nth < devices ? bdf[nth] : NULL;
}

bool cases_mark(struct bench *b)
{
	return !lost(cases_tag("mark"),
		     hwpt_mark(b->iommufd, b->hwpt, TOKEN_HWPT));
}

static void run_one(const struct bench_case *c)
{
	struct counts before;
	struct bench b;

	current = c->name;
	if (lost(cases_tag("counts"), counts_read(&before)) ||
	    lost(cases_tag("bench"), bench_open(&b, bdf[0])))
		return;
	c->run(&b);
	bench_close(&b);
	counts_check(cases_tag("undone"), &before);
}

int cases_run(const struct bench_case *list)
{
	unsigned int i;

	devices = machine_kept(bdf);
	if (!devices) {
		check("machine", false, "no device");
		return -1;
	}
	for (i = 0; i < devices; i++)
		if (lost("vfio-pci", pci_bind(bdf[i], "vfio-pci")))
			return -1;
	for (; list->name; list++)
		run_one(list);
	for (i = 0; i < devices; i++)
		if (lost("unbind", pci_unbind(bdf[i])))
			return -1;
	return 0;
}
