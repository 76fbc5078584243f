// SPDX-License-Identifier: GPL-2.0-only
/*
 * Break what is handed over, to test the kernel that reads it
 *
 * With the last device shut down, one field of what the next kernel will read
 * is changed, or as many as a seed says. Nothing that the hardware reads is.
 * What to do is written to iommu/liveupdate_mutate in debugfs before the jump:
 *
 *   [raw:]FIELD[=VALUE]	a field of the first record of its kind, see
 *				fields[]; without a value, one bit is inverted
 *   seed:NUMBER		anything, the same for the same number
 *
 * The CRC of a changed record is made right, as by a kernel that means what it
 * says; with raw: it is not, as by one whose memory was overwritten.
 */
#define pr_fmt(fmt) "iommu: liveupdate: mutate: " fmt

#include <linux/crc32.h>
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu_vtd.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/kstrtox.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/syscore_ops.h>

#include "../internal.h"
#include "../records.h"

enum kind {
	START, UNITS, DOMAINS, DEVICES, ATTACHMENTS, UNIT, DOMAIN, DEVICE,
	ATTACHMENT, UNIT_PAGES, DOMAIN_PAGES, IOMMUFD, VFIO, KINDS
};

static const struct field {
	const char *name;
	u8 kind;
	u8 offset;
	u8 len;
} fields[] = {
	{ "start.magic", START, offsetof(struct iommu_lu_ser, magic), 4 },
	{ "start.version", START, offsetof(struct iommu_lu_ser, version), 4 },
	{ "start.flags", START, offsetof(struct iommu_lu_ser, flags), 4 },
	{ "start.reserved", START, offsetof(struct iommu_lu_ser, reserved), 4 },
	{ "start.units.first", START,
	  offsetof(struct iommu_lu_ser, units.first), 8 },
	{ "start.domains.first", START,
	  offsetof(struct iommu_lu_ser, domains.first), 8 },
	{ "start.devices.first", START,
	  offsetof(struct iommu_lu_ser, devices.first), 8 },
	{ "start.devices.nr_blocks", START,
	  offsetof(struct iommu_lu_ser, devices.nr_blocks), 4 },
	{ "start.attachments.first", START,
	  offsetof(struct iommu_lu_ser, attachments.first), 8 },
	{ "units.magic", UNITS, offsetof(struct iommu_lu_block_ser, magic), 4 },
	{ "units.index", UNITS, offsetof(struct iommu_lu_block_ser, index), 4 },
	{ "units.next", UNITS, offsetof(struct iommu_lu_block_ser, next), 8 },
	{ "units.slot_size", UNITS,
	  offsetof(struct iommu_lu_block_ser, slot_size), 4 },
	{ "units.nr_slots", UNITS,
	  offsetof(struct iommu_lu_block_ser, nr_slots), 4 },
	{ "domains.magic", DOMAINS,
	  offsetof(struct iommu_lu_block_ser, magic), 4 },
	{ "domains.index", DOMAINS,
	  offsetof(struct iommu_lu_block_ser, index), 4 },
	{ "domains.next", DOMAINS,
	  offsetof(struct iommu_lu_block_ser, next), 8 },
	{ "domains.slot_size", DOMAINS,
	  offsetof(struct iommu_lu_block_ser, slot_size), 4 },
	{ "domains.nr_slots", DOMAINS,
	  offsetof(struct iommu_lu_block_ser, nr_slots), 4 },
	{ "devices.magic", DEVICES,
	  offsetof(struct iommu_lu_block_ser, magic), 4 },
	{ "devices.index", DEVICES,
	  offsetof(struct iommu_lu_block_ser, index), 4 },
	{ "devices.next", DEVICES,
	  offsetof(struct iommu_lu_block_ser, next), 8 },
	{ "devices.slot_size", DEVICES,
	  offsetof(struct iommu_lu_block_ser, slot_size), 4 },
	{ "devices.nr_slots", DEVICES,
	  offsetof(struct iommu_lu_block_ser, nr_slots), 4 },
	{ "attachments.magic", ATTACHMENTS,
	  offsetof(struct iommu_lu_block_ser, magic), 4 },
	{ "attachments.index", ATTACHMENTS,
	  offsetof(struct iommu_lu_block_ser, index), 4 },
	{ "attachments.next", ATTACHMENTS,
	  offsetof(struct iommu_lu_block_ser, next), 8 },
	{ "attachments.slot_size", ATTACHMENTS,
	  offsetof(struct iommu_lu_block_ser, slot_size), 4 },
	{ "attachments.nr_slots", ATTACHMENTS,
	  offsetof(struct iommu_lu_block_ser, nr_slots), 4 },
	{ "unit.env.state", UNIT,
	  offsetof(struct iommu_lu_unit_ser, env.state), 4 },
	{ "unit.env.crc", UNIT,
	  offsetof(struct iommu_lu_unit_ser, env.crc), 4 },
	{ "unit.env.type", UNIT,
	  offsetof(struct iommu_lu_unit_ser, env.type), 2 },
	{ "unit.env.version", UNIT,
	  offsetof(struct iommu_lu_unit_ser, env.version), 2 },
	{ "unit.env.payload_size", UNIT,
	  offsetof(struct iommu_lu_unit_ser, env.payload_size), 4 },
	{ "unit.base", UNIT, offsetof(struct iommu_lu_unit_ser, base), 8 },
	{ "unit.segment", UNIT,
	  offsetof(struct iommu_lu_unit_ser, segment), 4 },
	{ "unit.root_unit", UNIT,
	  offsetof(struct iommu_lu_unit_ser, root_unit), 4 },
	{ "unit.root", UNIT, offsetof(struct iommu_lu_unit_ser, root), 8 },
	{ "unit.root_order", UNIT,
	  offsetof(struct iommu_lu_unit_ser, root_order), 4 },
	{ "unit.reserved", UNIT,
	  offsetof(struct iommu_lu_unit_ser, reserved), 4 },
	{ "unit.pages", UNIT, offsetof(struct iommu_lu_unit_ser, pages), 8 },
	{ "unit.nr_pages", UNIT,
	  offsetof(struct iommu_lu_unit_ser, nr_pages), 8 },
	{ "unit.mode", UNIT,
	  offsetof(struct iommu_lu_unit_ser, payload) +
	  offsetof(struct iommu_lu_vtd_unit_ser, mode), 4 },
	{ "unit.cap", UNIT,
	  offsetof(struct iommu_lu_unit_ser, payload) +
	  offsetof(struct iommu_lu_vtd_unit_ser, cap), 8 },
	{ "unit.ecap", UNIT,
	  offsetof(struct iommu_lu_unit_ser, payload) +
	  offsetof(struct iommu_lu_vtd_unit_ser, ecap), 8 },
	{ "unit.pages.magic", UNIT_PAGES,
	  offsetof(struct iommu_lu_pages_ser, magic), 4 },
	{ "unit.pages.next", UNIT_PAGES,
	  offsetof(struct iommu_lu_pages_ser, next), 8 },
	{ "unit.pages.kind", UNIT_PAGES,
	  offsetof(struct iommu_lu_pages_ser, kind), 4 },
	{ "unit.pages.owner", UNIT_PAGES,
	  offsetof(struct iommu_lu_pages_ser, owner), 4 },
	{ "unit.pages.index", UNIT_PAGES,
	  offsetof(struct iommu_lu_pages_ser, index), 4 },
	{ "unit.pages.nr", UNIT_PAGES,
	  offsetof(struct iommu_lu_pages_ser, nr), 4 },
	{ "unit.pages.entry[0]", UNIT_PAGES,
	  offsetof(struct iommu_lu_pages_ser, entry[0]), 8 },
	{ "domain.env.state", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, env.state), 4 },
	{ "domain.env.crc", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, env.crc), 4 },
	{ "domain.env.type", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, env.type), 2 },
	{ "domain.env.version", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, env.version), 2 },
	{ "domain.env.payload_size", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, env.payload_size), 4 },
	{ "domain.unit", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, unit), 4 },
	{ "domain.code", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, code), 4 },
	{ "domain.pgsizes", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, pgsizes), 8 },
	{ "domain.user", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, user), 8 },
	{ "domain.top", DOMAIN, offsetof(struct iommu_lu_domain_ser, top), 8 },
	{ "domain.pages", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, pages), 8 },
	{ "domain.nr_pages", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, nr_pages), 8 },
	{ "domain.top_order", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, top_order), 4 },
	{ "domain.flags", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, flags), 4 },
	{ "domain.pt.format", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, pt.format), 8 },
	{ "domain.pt.flags", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, pt.flags), 4 },
	{ "domain.pt.top_level", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, pt.top_level), 1 },
	{ "domain.pt.max_vasz_lg2", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, pt.max_vasz_lg2), 1 },
	{ "domain.pt.max_oasz_lg2", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, pt.max_oasz_lg2), 1 },
	{ "domain.pages.magic", DOMAIN_PAGES,
	  offsetof(struct iommu_lu_pages_ser, magic), 4 },
	{ "domain.pages.owner", DOMAIN_PAGES,
	  offsetof(struct iommu_lu_pages_ser, owner), 4 },
	{ "domain.pages.nr", DOMAIN_PAGES,
	  offsetof(struct iommu_lu_pages_ser, nr), 4 },
	{ "domain.pages.entry[1]", DOMAIN_PAGES,
	  offsetof(struct iommu_lu_pages_ser, entry[1]), 8 },
	{ "device.env.state", DEVICE,
	  offsetof(struct iommu_lu_device_ser, env.state), 4 },
	{ "device.env.crc", DEVICE,
	  offsetof(struct iommu_lu_device_ser, env.crc), 4 },
	{ "device.env.type", DEVICE,
	  offsetof(struct iommu_lu_device_ser, env.type), 2 },
	{ "device.env.version", DEVICE,
	  offsetof(struct iommu_lu_device_ser, env.version), 2 },
	{ "device.env.payload_size", DEVICE,
	  offsetof(struct iommu_lu_device_ser, env.payload_size), 4 },
	{ "device.bus", DEVICE, offsetof(struct iommu_lu_device_ser, bus), 4 },
	{ "device.segment", DEVICE,
	  offsetof(struct iommu_lu_device_ser, segment), 4 },
	{ "device.source_id", DEVICE,
	  offsetof(struct iommu_lu_device_ser, source_id), 4 },
	{ "device.unit", DEVICE,
	  offsetof(struct iommu_lu_device_ser, unit), 4 },
	{ "device.rid", DEVICE, offsetof(struct iommu_lu_device_ser, rid), 2 },
	{ "device.vendor", DEVICE,
	  offsetof(struct iommu_lu_device_ser, vendor), 2 },
	{ "device.device", DEVICE,
	  offsetof(struct iommu_lu_device_ser, device), 2 },
	{ "device.user", DEVICE,
	  offsetof(struct iommu_lu_device_ser, user), 8 },
	{ "device.dir", DEVICE,
	  offsetof(struct iommu_lu_device_ser, payload) +
	  offsetof(struct iommu_lu_vtd_device_ser, dir), 8 },
	{ "device.dir_order", DEVICE,
	  offsetof(struct iommu_lu_device_ser, payload) +
	  offsetof(struct iommu_lu_vtd_device_ser, dir_order), 4 },
	{ "device.flags", DEVICE,
	  offsetof(struct iommu_lu_device_ser, payload) +
	  offsetof(struct iommu_lu_vtd_device_ser, flags), 4 },
	{ "attachment.env.state", ATTACHMENT,
	  offsetof(struct iommu_lu_attachment_ser, env.state), 4 },
	{ "attachment.env.crc", ATTACHMENT,
	  offsetof(struct iommu_lu_attachment_ser, env.crc), 4 },
	{ "attachment.env.type", ATTACHMENT,
	  offsetof(struct iommu_lu_attachment_ser, env.type), 2 },
	{ "attachment.env.version", ATTACHMENT,
	  offsetof(struct iommu_lu_attachment_ser, env.version), 2 },
	{ "attachment.env.payload_size", ATTACHMENT,
	  offsetof(struct iommu_lu_attachment_ser, env.payload_size), 4 },
	{ "attachment.device", ATTACHMENT,
	  offsetof(struct iommu_lu_attachment_ser, device), 4 },
	{ "attachment.domain", ATTACHMENT,
	  offsetof(struct iommu_lu_attachment_ser, domain), 4 },
	{ "attachment.pasid", ATTACHMENT,
	  offsetof(struct iommu_lu_attachment_ser, pasid), 4 },
	{ "attachment.hw_id", ATTACHMENT,
	  offsetof(struct iommu_lu_attachment_ser, hw_id), 4 },
	{ "iommufd.magic", IOMMUFD, offsetof(struct iommufd_lu_ser, magic), 4 },
	{ "iommufd.size", IOMMUFD, offsetof(struct iommufd_lu_ser, size), 8 },
	{ "iommufd.nr_hwpts", IOMMUFD,
	  offsetof(struct iommufd_lu_ser, nr_hwpts), 8 },
	{ "iommufd.hwpts[0].domain", IOMMUFD,
	  offsetof(struct iommufd_lu_ser, hwpts[0].domain), 4 },
	{ "iommufd.hwpts[0].flags", IOMMUFD,
	  offsetof(struct iommufd_lu_ser, hwpts[0].flags), 4 },
	{ "vfio.magic", VFIO, offsetof(struct vfio_pci_lu_ser, magic), 4 },
	{ "vfio.segment", VFIO, offsetof(struct vfio_pci_lu_ser, segment), 4 },
	{ "vfio.rid", VFIO, offsetof(struct vfio_pci_lu_ser, rid), 2 },
	{ "vfio.vendor", VFIO, offsetof(struct vfio_pci_lu_ser, vendor), 2 },
	{ "vfio.flags", VFIO, offsetof(struct vfio_pci_lu_ser, flags), 4 },
};

/* Something of which there is one kind of field, and where it is */
struct place {
	void *at;
	struct iommu_lu_records *records;
	u32 index;
};

static char *spec;

static struct iommu_lu_records *arrays(enum kind kind)
{
	switch (kind) {
	case UNITS:
	case UNIT:
		return &iommu_lu_out.units;
	case DOMAINS:
	case DOMAIN:
		return &iommu_lu_out.domains;
	case DEVICES:
	case DEVICE:
		return &iommu_lu_out.devices;
	default:
		return &iommu_lu_out.attachments;
	}
}

static bool find_record(struct place *place, enum kind kind)
{
	struct iommu_lu_records *records = arrays(kind);

	for (u32 i = 0; i < iommu_lu_records_end(records); i++) {
		struct iommu_lu_record_ser *env = iommu_lu_record(records, i);

		if (env->state != IOMMU_LU_IN_USE)
			continue;
		*place = (struct place){ env, records, i };
		return true;
	}
	return false;
}

static bool find_pages(struct place *place, enum kind kind)
{
	u64 phys;

	if (!find_record(place, kind == UNIT_PAGES ? UNIT : DOMAIN))
		return false;
	if (kind == UNIT_PAGES)
		phys = ((struct iommu_lu_unit_ser *)place->at)->pages;
	else
		phys = ((struct iommu_lu_domain_ser *)place->at)->pages;
	*place = (struct place){ phys_to_virt(phys) };
	return true;
}

/* What a record of a file's starts in: the first HWPT is in the first page */
static bool find_user_ser(struct place *place, enum kind kind)
{
	u64 phys;

	if (!find_record(place, kind == IOMMUFD ? DOMAIN : DEVICE))
		return false;
	if (kind == IOMMUFD)
		phys = ((struct iommu_lu_domain_ser *)place->at)->user;
	else
		phys = ((struct iommu_lu_device_ser *)place->at)->user;
	*place = (struct place){ phys_to_virt(phys & PAGE_MASK) };
	return true;
}

static bool find(struct place *place, enum kind kind)
{
	struct iommu_lu_records *records = arrays(UNITS);

	switch (kind) {
	case START:
		*place = (struct place){ container_of(records->array,
						      struct iommu_lu_ser,
						      units) };
		return true;
	case UNITS:
	case DOMAINS:
	case DEVICES:
	case ATTACHMENTS:
		*place = (struct place){ xa_load(&arrays(kind)->blocks, 0) };
		return place->at;
	case UNIT_PAGES:
	case DOMAIN_PAGES:
		return find_pages(place, kind);
	case IOMMUFD:
	case VFIO:
		return find_user_ser(place, kind);
	default:
		return find_record(place, kind);
	}
}

static void seal(const struct place *place, enum kind kind)
{
	struct iommufd_lu_ser *iommufd = place->at;
	struct vfio_pci_lu_ser *vfio = place->at;
	struct iommu_lu_pages_ser *pages = place->at;
	u32 pfn = PHYS_PFN(virt_to_phys(place->at));

	if (place->records)
		iommu_lu_record_seal(place->records, place->index);
	else if (kind == IOMMUFD && iommufd->size >= 8 &&
		 iommufd->size <= PAGE_SIZE)
		iommufd->crc = crc32c(pfn, &iommufd->size, iommufd->size - 8);
	else if ((kind == UNIT_PAGES || kind == DOMAIN_PAGES) &&
		 struct_size(pages, entry, pages->nr) <= PAGE_SIZE)
		pages->crc = crc32c(pages->index, &pages->next,
				    struct_size(pages, entry, pages->nr) -
					    offsetof(typeof(*pages), next));
	else if (kind == VFIO)
		vfio->crc = crc32c(pfn, &vfio->segment, sizeof(*vfio) - 8);
}

/* All places are found before the first of them is changed */
static void change(const struct field *field, const struct place *place,
		   u64 value, bool sealed)
{
	unsigned int len = min_t(unsigned int, field->len, sizeof(value));
	void *at = place->at + field->offset;
	u64 was = 0, is = 0;

	memcpy(&was, at, len);
	memcpy(at, &value, len);
	memcpy(&is, at, len);
	/* The CRC itself, and what says that there is none, stay as written */
	if (sealed && !(place->records && field->offset < 8))
		seal(place, field->kind);
	pr_notice("%s %#llx is %#llx%s\n", field->name, was, is,
		  sealed ? "" : ", not sealed");
}

static u64 was_of(const struct field *field, const struct place *place)
{
	u64 was = 0;

	memcpy(&was, place->at + field->offset,
	       min_t(unsigned int, field->len, sizeof(was)));
	return was;
}

static void mutate_field(char *name)
{
	bool sealed = !strstarts(name, "raw:");
	char *number;
	struct place place;
	u64 value;

	if (!sealed)
		name += strlen("raw:");
	number = strchr(name, '=');
	if (number)
		*number++ = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct field *field = &fields[i];

		if (strcmp(field->name, name) || !find(&place, field->kind))
			continue;
		/* An address becomes that of the next page */
		value = was_of(field, &place) ^ (field->len == 8 ? PAGE_SIZE : 1);
		if (number && kstrtou64(number, 0, &value))
			break;
		change(field, &place, value, sealed);
		return;
	}
	pr_err("%s cannot be changed\n", name);
}

static u64 any_value(struct rnd_state *rnd, u64 was, unsigned int len,
		     const struct place *places)
{
	u32 choice = prandom_u32_state(rnd);
	void *other = places[prandom_u32_state(rnd) % KINDS].at;

	switch (choice % 8) {
	case 0:
		return 0;
	case 1:
		return U64_MAX;
	case 2:
		return was + 1;
	case 3:
		return was - 1;
	case 4:
		return other ? virt_to_phys(other) & PAGE_MASK : PAGE_SIZE;
	case 5:
		return prandom_u32_state(rnd);
	default:
		return was ^ BIT_ULL(prandom_u32_state(rnd) % (8 * len));
	}
}

static void mutate_seed(u64 seed)
{
	struct place places[KINDS] = {};
	struct rnd_state rnd;
	unsigned int nr;

	prandom_seed_state(&rnd, seed);
	for (unsigned int i = 0; i < KINDS; i++)
		find(&places[i], i);
	nr = 1 + prandom_u32_state(&rnd) % 3;
	while (nr--) {
		u32 any = prandom_u32_state(&rnd);
		const struct field *field = &fields[any % ARRAY_SIZE(fields)];
		const struct place *place = &places[field->kind];
		u64 value;

		if (!place->at)
			continue;
		value = any_value(&rnd, was_of(field, place), field->len,
				  places);
		change(field, place, value, prandom_u32_state(&rnd) & 1);
	}
}

/* All devices are shut down, nothing reads the records any more */
static void iommu_lu_mutate_shutdown(void *data)
{
	char text[64];
	u64 seed;

	if (!spec || !*spec || !iommu_lu_jumping())
		return;
	strscpy(text, spec);
	strim(text);
	if (!strstarts(text, "seed:"))
		mutate_field(text);
	else if (!kstrtou64(text + strlen("seed:"), 0, &seed))
		mutate_seed(seed);
	else
		pr_err("%s is not a number\n", text);
}

static const struct syscore_ops iommu_lu_mutate_ops = {
	.shutdown = iommu_lu_mutate_shutdown,
};

static struct syscore iommu_lu_mutate_syscore = {
	.ops = &iommu_lu_mutate_ops,
};

static int __init iommu_lu_mutate_init(void)
{
	spec = kstrdup("", GFP_KERNEL);
	if (!spec)
		return -ENOMEM;
	register_syscore(&iommu_lu_mutate_syscore);
	debugfs_create_str("liveupdate_mutate", 0600, iommu_debugfs_dir, &spec);
	return 0;
}
late_initcall(iommu_lu_mutate_init);
