// SPDX-License-Identifier: GPL-2.0-only
/*
 * Break what is handed over, to test the kernel that reads it
 *
 * With the last device shut down, one field of what the next kernel will read
 * is changed, or as many as a seed says. What to do is written to
 * iommu/liveupdate_mutate in debugfs before the jump:
 *
 *   [raw:]FIELD[=VALUE]	a field of the first record of its kind, see
 *				mutate-fields.c, or of what is of its type of
 *				IOMMU, see the file of that; without a value, one
 *				bit is inverted
 *   FIELD^MASK			these bits are inverted
 *   seed:NUMBER		anything but what the hardware reads, the same for
 *				the same number
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
#include <linux/kho/abi/iommu.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/kstrtox.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/syscore_ops.h>

#include "../internal.h"
#include "../records.h"
#include "mutate.h"

/* Something of which there is one kind of field, and where it is */
struct place {
	void *at;
	struct iommu_lu_records *records;
	u32 index;
};

static char *spec;

static struct iommu_lu_records *arrays(enum mutate_kind kind)
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

static bool find_record(struct place *place, enum mutate_kind kind)
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

static bool find_pages(struct place *place, enum mutate_kind kind)
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
static bool find_user_ser(struct place *place, enum mutate_kind kind)
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

static const struct mutate_type *type_of(const struct place *unit)
{
	switch (((struct iommu_lu_record_ser *)unit->at)->type) {
	case IOMMU_LU_TYPE_VTD:
		return &mutate_vtd;
	case IOMMU_LU_TYPE_AMD:
		return &mutate_amd;
	default:
		return NULL;
	}
}

static const struct mutate_type *this_type(void)
{
	struct place unit;

	return find_record(&unit, UNIT) ? type_of(&unit) : NULL;
}

/* The entry of the first device, which the hardware reads */
static bool find_entry(struct place *place)
{
	const struct mutate_type *type = this_type();
	struct place unit, device;

	if (!type || !find_record(&unit, UNIT) || !find_record(&device, DEVICE))
		return false;
	*place = (struct place){ type->entry(unit.at, device.at) };
	return true;
}

static bool find(struct place *place, enum mutate_kind kind)
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
	case ENTRY:
		return find_entry(place);
	default:
		return find_record(place, kind);
	}
}

static void seal(const struct place *place, enum mutate_kind kind)
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
static void change(const struct mutate_field *field, const struct place *place,
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

static u64 was_of(const struct mutate_field *field, const struct place *place)
{
	u64 was = 0;

	memcpy(&was, place->at + field->offset,
	       min_t(unsigned int, field->len, sizeof(was)));
	return was;
}

/* The fields of all, then those of the type of IOMMU */
static const struct mutate_field *field_at(const struct mutate_type *type,
					   unsigned int i)
{
	if (i < mutate_nr_fields)
		return &mutate_fields[i];
	i -= mutate_nr_fields;
	return type && i < type->nr_fields ? &type->fields[i] : NULL;
}

static const struct mutate_field *field_named(const char *name)
{
	const struct mutate_type *type = this_type();
	const struct mutate_field *field;

	for (unsigned int i = 0; (field = field_at(type, i)); i++)
		if (!strcmp(field->name, name))
			return field;
	return NULL;
}

static void mutate_field(char *name)
{
	bool sealed = !strstarts(name, "raw:");
	const struct mutate_field *field;
	struct place place;
	char *number, how;
	u64 value, was;

	if (!sealed)
		name += strlen("raw:");
	number = strpbrk(name, "=^");
	how = number ? *number : 0;
	if (number)
		*number++ = 0;
	field = field_named(name);
	if (!field || !find(&place, field->kind) ||
	    (number && kstrtou64(number, 0, &value))) {
		pr_err("%s cannot be changed\n", name);
		return;
	}
	was = was_of(field, &place);
	/* An address becomes that of the next page */
	if (!number)
		value = was ^ (field->len == 8 ? PAGE_SIZE : 1);
	else if (how == '^')
		value ^= was;
	change(field, &place, value, sealed);
}

static u64 any_value(struct rnd_state *rnd, u64 was, unsigned int len,
		     const struct place *places)
{
	u32 choice = prandom_u32_state(rnd);
	void *other = places[prandom_u32_state(rnd) % ENTRY].at;

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
	const struct mutate_type *type = this_type();
	unsigned int nr, fields = mutate_nr_fields;
	struct place places[KINDS] = {};
	struct rnd_state rnd;

	prandom_seed_state(&rnd, seed);
	for (unsigned int i = 0; i < ENTRY; i++)
		find(&places[i], i);
	if (type)
		fields += type->nr_fields;
	nr = 1 + prandom_u32_state(&rnd) % 3;
	while (nr--) {
		u32 any = prandom_u32_state(&rnd);
		const struct mutate_field *field = field_at(type, any % fields);
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
