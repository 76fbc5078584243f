// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that are in use and would be refused when they are to be preserved, as
 * far as sysfs shows. The kernel has the last word.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sysfs.h"

#define DEVICES "/sys/bus/pci/devices"
#define DRIVERS "/sys/bus/pci/drivers"
#define CONFIG_EXTENDED 256
#define CONFIG_BYTES 4096
#define CAP_ATS 0x000f

struct looked {
	struct check *c;
	const char *bdf;
	bool in_use;
	unsigned int refused;
};

static void refuse(struct looked *l, const char *code, const char *hint,
		   const char *sentence)
{
	l->refused++;
	found(&l->c->found, l->in_use ? REFUSED : NOTE, "devices", code, l->bdf,
	      l->in_use ? hint : NULL, "%s %s%s", l->bdf, sentence,
	      l->in_use ? "" : " (not in use)");
}

/* The name of its character device, as "vfio3". */
static bool cdev_of(const char *bdf, char *buf, size_t size)
{
	char **names;
	int count = sys_names(&names, DEVICES "/%s/vfio-dev", bdf);

	buf[0] = 0;
	if (count > 0)
		snprintf(buf, size, "%s", names[0]);
	if (count >= 0)
		names_free(names, count);
	return buf[0];
}

static void check_group(struct looked *l)
{
	char **names, group[16];
	int count;

	if (!sys_link_name(group, sizeof(group), DEVICES "/%s/iommu_group",
			   l->bdf)) {
		refuse(l, "no-iommu", "turn the IOMMU on",
		       "is behind no IOMMU");
		return;
	}
	count = sys_names(&names, "/sys/kernel/iommu_groups/%s/devices", group);
	if (count > 1)
		refuse(l, "shared-group", "it needs a slot with ACS",
		       "shares its IOMMU group with others");
	if (count >= 0)
		names_free(names, count);
}

/* Where it is so, an x86 has "IR-IO-APIC" for its own timer and others. */
static bool interrupts_remapped(void)
{
	char *text = sys_text("/proc/interrupts");
	bool is = !text || strstr(text, " IR-") || !strstr(text, "IO-APIC");

	free(text);
	return is;
}

static void check_interrupts(struct looked *l)
{
	char unsafe[8];

	sys_line(
		unsafe, sizeof(unsafe),
		"/sys/module/iommu_liveupdate/parameters/allow_unsafe_interrupts");
	if (!interrupts_remapped() && unsafe[0] != 'Y')
		refuse(l, "no-intremap",
		       "turn interrupt remapping on, or set iommu_liveupdate.allow_unsafe_interrupts=1",
		       "may raise any interrupt: nothing remaps them");
}

/* A function with others, or one of others whose driver would end it. */
static void check_functions(struct looked *l)
{
	char driver[32];

	if (sys_number(0, DEVICES "/%s/sriov_numvfs", l->bdf) > 0)
		refuse(l, "has-vfs", "take its virtual functions away",
		       "has virtual functions");
	if (!sys_exists(DEVICES "/%s/physfn", l->bdf))
		return;
	if (sys_link_name(driver, sizeof(driver), DEVICES "/%s/physfn/driver",
			  l->bdf) &&
	    strcmp(driver, "virtio-pci") && strcmp(driver, "pci-pf-stub"))
		refuse(l, "pf-driver",
		       "bind its physical function to pci-pf-stub",
		       "is a virtual function, and the driver of its physical one would end it");
}

static bool has_ats(const char *bdf)
{
	char *path = root_path(DEVICES "/%s/config", bdf), *config;
	unsigned int at = CONFIG_EXTENDED;
	bool has = false;
	size_t bytes;

	config = file_text(path, &bytes);
	for (int i = 0; config && bytes == CONFIG_BYTES && i < 48 && at; i++) {
		unsigned char cap[4];

		if (at < CONFIG_EXTENDED || at > CONFIG_BYTES - 4)
			break;
		memcpy(cap, config + at, 4);
		has |= (cap[0] | cap[1] << 8) == CAP_ATS;
		at = (cap[2] >> 4 | cap[3] << 4) & ~3u;
	}
	free(config);
	free(path);
	return has;
}

/* Only a function of PCI Express has a link, and an ID that bridges pass on. */
static void check_bus(struct looked *l)
{
	char *path = root_path(DEVICES "/%s", l->bdf), *real, *slash;
	const char *above = "";

	real = realpath(path, NULL);
	slash = real ? strrchr(real, '/') : NULL;
	if (slash) {
		*slash = 0;
		above = strrchr(real, '/') ? strrchr(real, '/') + 1 : "";
	}
	if (strchr(above, ':') && strncmp(above, "pci", 3) &&
	    !sys_exists(DEVICES "/%s/current_link_speed", l->bdf))
		refuse(l, "conventional", "it needs a slot of PCI Express",
		       "is on a conventional bus: its requests bear the ID of the bridge");
	free(real);
	free(path);
}

static void check_ats(struct looked *l)
{
	char unit[32];

	if (sys_link_name(unit, sizeof(unit), DEVICES "/%s/iommu", l->bdf) &&
	    !strncmp(unit, "ivhd", 4) && has_ats(l->bdf))
		refuse(l, "ats", "turn ATS off with pci=noats",
		       "has ATS, which cannot be handed over behind AMD-Vi");
}

static void check_state(struct looked *l)
{
	char state[16];

	sys_line(state, sizeof(state), DEVICES "/%s/power_state", l->bdf);
	if (!strncmp(state, "D3", 2) || !strcmp(state, "D1") ||
	    !strcmp(state, "D2"))
		refuse(l, "asleep", "wake it", "is not in D0");
}

static bool any_holder(const struct check *c, const char *cdev)
{
	unsigned int at = 0;

	return cdev[0] &&
	       holder_next(&c->world.holders, HOLDS_DEVICE, cdev, &at);
}

/* Is it in use through its group? */
static bool check_way_in(struct looked *l)
{
	unsigned int at = 0;
	char group[16];

	if (!sys_link_name(group, sizeof(group), DEVICES "/%s/iommu_group",
			   l->bdf) ||
	    !holder_next(&l->c->world.holders, HOLDS_GROUP, group, &at))
		return false;
	l->in_use = true;
	refuse(l, "by-group", "let its user open it by its character device",
	       "was opened through its group, and has to be through iommufd");
	return true;
}

static void check_device(struct check *c, const char *bdf)
{
	const struct lu_device *out = iommu_device(&c->world.iommu, bdf, false);
	const struct lu_device *in = iommu_device(&c->world.iommu, bdf, true);
	struct looked l = { .c = c, .bdf = bdf };
	char cdev[32];

	if (out) {
		found(&c->found, FINE, "devices", "preserved", bdf, NULL,
		      "%s is %s", bdf, out->state);
		return;
	}
	if (in) {
		found(&c->found, NOTE, "devices", "incoming", bdf, NULL,
		      "%s came from the kernel before: %s", bdf, in->state);
		return;
	}
	cdev_of(bdf, cdev, sizeof(cdev));
	l.in_use = any_holder(c, cdev) || check_way_in(&l);
	if (!cdev[0])
		refuse(&l, "no-cdev", NULL,
		       "has no character device of its own (VFIO_DEVICE_CDEV)");
	check_bus(&l);
	/* The bridge, and what is beside it there, are in its group. */
	if (!l.refused)
		check_group(&l);
	check_interrupts(&l);
	check_functions(&l);
	check_ats(&l);
	check_state(&l);
	if (!l.refused)
		found(&c->found, l.in_use ? NOTE : FINE, "devices", "device",
		      bdf, NULL, "%s can be preserved%s", bdf,
		      l.in_use ? ", and is not yet" : "");
}

/* Drivers of a device's maker that pass it to a user, as mlx5-vfio-pci */
static void check_others(struct check *c)
{
	char **drivers, **names;
	int count = sys_names(&drivers, DRIVERS), n;

	for (int i = 0; i < count; i++) {
		size_t length = strlen(drivers[i]);

		if (length <= 9 || strcmp(drivers[i] + length - 9, "-vfio-pci"))
			continue;
		n = sys_names(&names, DRIVERS "/%s", drivers[i]);
		for (int k = 0; k < n; k++) {
			struct looked l = { .c = c, .bdf = names[k] };
			char cdev[32];

			if (!strchr(names[k], ':') ||
			    !cdev_of(names[k], cdev, sizeof(cdev)))
				continue;
			l.in_use = any_holder(c, cdev);
			refuse(&l, "other-driver", "bind vfio-pci to it",
			       "has another driver than vfio-pci");
		}
		if (n >= 0)
			names_free(names, n);
	}
	if (count >= 0)
		names_free(drivers, count);
}

void check_devices(struct check *c)
{
	char **names;
	int count = sys_names(&names, DRIVERS "/vfio-pci");

	for (int i = 0; i < count; i++)
		if (strchr(names[i], ':'))
			check_device(c, names[i]);
	if (count >= 0)
		names_free(names, count);
	check_others(c);
}
