/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one kernel hands to the next about its IOMMUs
 */
#ifndef _LINUX_KHO_ABI_IOMMU_H
#define _LINUX_KHO_ABI_IOMMU_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/stringify.h>
#include <linux/types.h>

/**
 * DOC: IOMMU live update ABI
 *
 * The IOMMU core keeps one FLB, named %IOMMU_LU_FLB_COMPATIBLE. Its u64 is the
 * physical address of a &struct iommu_lu_ser, from which everything else is
 * reached. All links are physical addresses or slot numbers, all numbers are in
 * CPU byte order, all reserved fields and unknown flag bits are zero::
 *
 *   FLB data
 *      |
 *      v
 *   iommu_lu_ser (1 page)
 *   +---------------------+
 *   | version, flags      |      iommu_lu_block_ser (1 page each)
 *   | units   ------------+----> [next|size|n][unit 0][unit 1]...
 *   | domains ------------+----> [next|size|n][domain 0][domain 1]...
 *   | devices ------------+----> [next|size|n][device 0][device 1]...
 *   +---------------------+        |
 *                                  +--> next block, 0 at the end
 *
 *   device.unit, device.domain   slot numbers
 *   unit.root                    the root table the hardware walks
 *   unit.tables                  1 page: 512 u64, the context tables kept
 *   domain.pt.top                the top page of the page table
 *
 * Slot n of a kind lives in block n / slots_per_block, at byte
 * 16 + slot_size * (n % slots_per_block), where slots_per_block is
 * (4096 - 16) / slot_size rounded down; what is left of the page is zero. A slot
 * is in use when its first u32 is %IOMMU_LU_IN_USE, free slots lie anywhere
 * between. What a free slot holds after its first u32 means nothing.
 *
 * Every page named here, and every page of the tables below a root table in
 * unit.tables or below domain.pt.top, is preserved on its own with KHO, as one
 * page of order 0. Who reads it restores it: the pages of this header when the
 * last file of all sessions is finished, unit.tables and the tables it names
 * when the unit is taken over, page tables when their domain is freed.
 *
 * What the hardware walks is not described here but in its own specification:
 * for %IOMMU_LU_UNIT_VTD a root table in legacy mode, in which every entry but
 * those of unit.tables is zero, and context tables in which every entry but
 * those of kept devices is zero. A device's context entry is fully given by its
 * record: domain ID attach_id, address width pt.top_level - 1, table pt.top,
 * multi-level translation, faults reported.
 *
 * The layout is a contract between kernels: a change of meaning or of layout
 * takes a new %IOMMU_LU_VERSION, and a kernel refuses versions it does not know.
 */

#define IOMMU_LU_VERSION	1
#define IOMMU_LU_FLB_COMPATIBLE	"iommu-v" __stringify(IOMMU_LU_VERSION)

/* First word of every slot */
#define IOMMU_LU_IN_USE		0x1U

/* struct iommu_lu_unit_ser::type */
#define IOMMU_LU_UNIT_VTD	1U
#define IOMMU_LU_UNIT_TYPES	2U

/* struct iommu_lu_unit_ser::mode, for IOMMU_LU_UNIT_VTD */
#define IOMMU_LU_VTD_LEGACY	0U
#define IOMMU_LU_VTD_SCALABLE	1U

#define IOMMU_LU_VTD_NR_TABLES	512

/* struct iommu_pt_ser::flags; numbers of our own, enum pt_features is not ABI */
#define IOMMU_PT_SER_DMA_INCOHERENT	0x1U
#define IOMMU_PT_SER_DYNAMIC_TOP	0x2U
#define IOMMU_PT_SER_SIGN_EXTEND	0x4U

#define IOMMU_PT_SER_FORMAT_LEN		16

/**
 * struct iommu_pt_ser - One page table
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  format ........................................................
 *      8  ............................................................
 *     16  top
 *     24  nr_tables
 *     32  flags                           fmt_features    top_lvl max_va
 *     40  max_oa  reserved ..............................................
 *
 * @format:       Name of the generic_pt format, NUL padded: "vtdss", "x86_64",
 *                "amdv1", ...
 * @top:          Physical address of the top table page
 * @nr_tables:    Table pages handed over, the top included
 * @flags:        IOMMU_PT_SER_*
 * @fmt_features: Features of the format, bit 0 is the format's first
 * @top_level:    Level of @top, level 0 maps the smallest page
 * @max_vasz_lg2: log2 of the size of the input address space, in bytes
 * @max_oasz_lg2: log2 of the size of the output address space, in bytes
 * @reserved:     Zero
 */
struct iommu_pt_ser {
	char format[IOMMU_PT_SER_FORMAT_LEN];
	u64 top;
	u64 nr_tables;
	u32 flags;
	u16 fmt_features;
	u8 top_level;
	u8 max_vasz_lg2;
	u8 max_oasz_lg2;
	u8 reserved[7];
} __packed;
static_assert(sizeof(struct iommu_pt_ser) == 48);
static_assert(offsetof(struct iommu_pt_ser, format) == 0);
static_assert(offsetof(struct iommu_pt_ser, top) == 16);
static_assert(offsetof(struct iommu_pt_ser, nr_tables) == 24);
static_assert(offsetof(struct iommu_pt_ser, flags) == 32);
static_assert(offsetof(struct iommu_pt_ser, fmt_features) == 36);
static_assert(offsetof(struct iommu_pt_ser, top_level) == 38);
static_assert(offsetof(struct iommu_pt_ser, max_vasz_lg2) == 39);
static_assert(offsetof(struct iommu_pt_ser, max_oasz_lg2) == 40);
static_assert(offsetof(struct iommu_pt_ser, reserved) == 41);

/**
 * struct iommu_lu_unit_ser - One IOMMU that translates for a kept device
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  state                           type
 *      8  base
 *     16  segment                         mode
 *     24  cap
 *     32  ecap
 *     40  root
 *     48  tables
 *     56  reserved
 *
 * @state:    %IOMMU_LU_IN_USE or 0
 * @type:     IOMMU_LU_UNIT_*
 * @base:     Physical address of the unit's registers
 * @segment:  PCI segment of the unit
 * @mode:     IOMMU_LU_VTD_LEGACY or IOMMU_LU_VTD_SCALABLE
 * @cap:      Capability register
 * @ecap:     Extended capability register
 * @root:     Physical address of the root table
 * @tables:   Physical address of a page of %IOMMU_LU_VTD_NR_TABLES u64: the
 *            context table of bus n at index 2n (scalable mode: devfn 0x80 and
 *            up at 2n + 1), 0 where it is not kept
 * @reserved: Zero
 */
struct iommu_lu_unit_ser {
	u32 state;
	u32 type;
	u64 base;
	u32 segment;
	u32 mode;
	u64 cap;
	u64 ecap;
	u64 root;
	u64 tables;
	u64 reserved;
} __packed;
static_assert(sizeof(struct iommu_lu_unit_ser) == 64);
static_assert(offsetof(struct iommu_lu_unit_ser, state) == 0);
static_assert(offsetof(struct iommu_lu_unit_ser, type) == 4);
static_assert(offsetof(struct iommu_lu_unit_ser, base) == 8);
static_assert(offsetof(struct iommu_lu_unit_ser, segment) == 16);
static_assert(offsetof(struct iommu_lu_unit_ser, mode) == 20);
static_assert(offsetof(struct iommu_lu_unit_ser, cap) == 24);
static_assert(offsetof(struct iommu_lu_unit_ser, ecap) == 32);
static_assert(offsetof(struct iommu_lu_unit_ser, root) == 40);
static_assert(offsetof(struct iommu_lu_unit_ser, tables) == 48);
static_assert(offsetof(struct iommu_lu_unit_ser, reserved) == 56);

/* struct iommu_lu_domain_ser::flags */
#define IOMMU_LU_DOMAIN_FORCE_SNOOP	0x1U
#define IOMMU_LU_DOMAIN_FLAGS		IOMMU_LU_DOMAIN_FORCE_SNOOP

/**
 * struct iommu_lu_domain_ser - One kept domain
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  state                           flags
 *      8  type                            reserved
 *     16  pgsizes
 *     24  pt, 48 bytes ..................................................
 *
 * @state:    %IOMMU_LU_IN_USE or 0
 * @flags:    IOMMU_LU_DOMAIN_*
 * @type:     IOMMU_LU_UNIT_*, whose driver made the domain
 * @reserved: Zero
 * @pgsizes:  Bitmap of the page sizes that may be in the table
 * @pt:       Its page table
 */
struct iommu_lu_domain_ser {
	u32 state;
	u32 flags;
	u32 type;
	u32 reserved;
	u64 pgsizes;
	struct iommu_pt_ser pt;
} __packed;
static_assert(sizeof(struct iommu_lu_domain_ser) == 72);
static_assert(offsetof(struct iommu_lu_domain_ser, state) == 0);
static_assert(offsetof(struct iommu_lu_domain_ser, flags) == 4);
static_assert(offsetof(struct iommu_lu_domain_ser, type) == 8);
static_assert(offsetof(struct iommu_lu_domain_ser, reserved) == 12);
static_assert(offsetof(struct iommu_lu_domain_ser, pgsizes) == 16);
static_assert(offsetof(struct iommu_lu_domain_ser, pt) == 24);

/**
 * struct iommu_lu_device_ser - One kept PCI device
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  state                           segment
 *      8  rid             vendor          device          reserved
 *     16  unit                            domain
 *     24  attach_id                       reserved2
 *
 * @state:     %IOMMU_LU_IN_USE or 0
 * @segment:   PCI segment
 * @rid:       PCI requester ID, bus << 8 | devfn
 * @vendor:    PCI vendor ID
 * @device:    PCI device ID
 * @reserved:  Zero
 * @unit:      Slot of its unit
 * @domain:    Slot of its domain
 * @attach_id: Domain ID in the unit's tables
 * @reserved2: Zero
 */
struct iommu_lu_device_ser {
	u32 state;
	u32 segment;
	u16 rid;
	u16 vendor;
	u16 device;
	u16 reserved;
	u32 unit;
	u32 domain;
	u32 attach_id;
	u32 reserved2;
} __packed;
static_assert(sizeof(struct iommu_lu_device_ser) == 32);
static_assert(offsetof(struct iommu_lu_device_ser, state) == 0);
static_assert(offsetof(struct iommu_lu_device_ser, segment) == 4);
static_assert(offsetof(struct iommu_lu_device_ser, rid) == 8);
static_assert(offsetof(struct iommu_lu_device_ser, vendor) == 10);
static_assert(offsetof(struct iommu_lu_device_ser, device) == 12);
static_assert(offsetof(struct iommu_lu_device_ser, reserved) == 14);
static_assert(offsetof(struct iommu_lu_device_ser, unit) == 16);
static_assert(offsetof(struct iommu_lu_device_ser, domain) == 20);
static_assert(offsetof(struct iommu_lu_device_ser, attach_id) == 24);
static_assert(offsetof(struct iommu_lu_device_ser, reserved2) == 28);

/**
 * struct iommu_lu_block_ser - A page of slots of one kind
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  next
 *      8  slot_size                       nr_slots
 *     16  slots, nr_slots of slot_size bytes ............................
 *
 * @next:      Physical address of the next block, 0 in the last one
 * @slot_size: Size of a slot in bytes
 * @nr_slots:  Slots in this block, as many as fit in a page
 * @slots:     The slots
 */
struct iommu_lu_block_ser {
	u64 next;
	u32 slot_size;
	u32 nr_slots;
	u8 slots[];
} __packed;
static_assert(sizeof(struct iommu_lu_block_ser) == 16);
static_assert(offsetof(struct iommu_lu_block_ser, next) == 0);
static_assert(offsetof(struct iommu_lu_block_ser, slot_size) == 8);
static_assert(offsetof(struct iommu_lu_block_ser, nr_slots) == 12);
static_assert(offsetof(struct iommu_lu_block_ser, slots) == 16);

/**
 * struct iommu_lu_ser - Where everything starts
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  version                         flags
 *      8  units
 *     16  domains
 *     24  devices
 *     32  zero up to the end of the page ................................
 *
 * @version:  %IOMMU_LU_VERSION
 * @flags:    Zero; a kernel refuses a handover with a flag it does not know
 * @units:    Physical address of the first block of units, 0 for none
 * @domains:  Physical address of the first block of domains, 0 for none
 * @devices:  Physical address of the first block of devices, 0 for none
 */
struct iommu_lu_ser {
	u32 version;
	u32 flags;
	u64 units;
	u64 domains;
	u64 devices;
} __packed;
static_assert(sizeof(struct iommu_lu_ser) == 32);
static_assert(offsetof(struct iommu_lu_ser, version) == 0);
static_assert(offsetof(struct iommu_lu_ser, flags) == 4);
static_assert(offsetof(struct iommu_lu_ser, units) == 8);
static_assert(offsetof(struct iommu_lu_ser, domains) == 16);
static_assert(offsetof(struct iommu_lu_ser, devices) == 24);

#endif /* _LINUX_KHO_ABI_IOMMU_H */
