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
 *   +----------------------+
 *   | magic, version ...   |     iommu_lu_block_ser (1 page each)
 *   | units: first, count -+---> [magic|index|next|size|n][unit 0][unit 1]...
 *   | domains -------------+---> [magic|index|next|size|n][domain 0]...
 *   | devices -------------+---> [magic|index|next|size|n][device 0]...
 *   +----------------------+                  |
 *                                             +--> next block, 0 at the end
 *
 *   device.unit, device.domain   slot numbers
 *   unit.root                    the root table the hardware walks
 *   unit.tables                  iommu_lu_tables_ser, the context tables kept
 *   domain.pt.top                the top page of the page table
 *   domain.user, device.user     who names this record, in memory of theirs
 *
 * Slot n of a kind lives in block n / slots_per_block, at byte
 * 24 + slot_size * (n % slots_per_block), where slots_per_block is
 * (4096 - 24) / slot_size rounded down; what is left of the page is zero. Each
 * starts with a &struct iommu_lu_slot_ser. Slots in use and free ones lie in any
 * order.
 *
 * A page has one purpose. What has no format that the hardware dictates starts
 * with a magic number that says which. A record is not changed after it was
 * filled in and has a CRC, as crc32c() makes it of all that follows the CRC.
 *
 * Every page named here, and every page of the tables below a root table in
 * unit.tables or below domain.pt.top, is preserved on its own with KHO, as one
 * page of order 0, but for unit.tables, which takes two pages of order 1. Who
 * reads it restores it: the pages of this header when the last file of all
 * sessions is finished, unit.tables and the tables it names when the unit is
 * taken over, page tables when their domain is freed.
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

/* First words of pages */
#define IOMMU_LU_MAGIC		0x494c5530U
#define IOMMU_LU_MAGIC_UNITS	0x494c5531U
#define IOMMU_LU_MAGIC_DOMAINS	0x494c5532U
#define IOMMU_LU_MAGIC_DEVICES	0x494c5533U
#define IOMMU_LU_MAGIC_TABLES	0x494c5534U

/* struct iommu_lu_slot_ser::state */
#define IOMMU_LU_IN_USE		0x1U

/**
 * struct iommu_lu_slot_ser - How each slot starts
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  state                           crc
 *
 * @state: %IOMMU_LU_IN_USE, or 0 when all of the slot is zero
 * @crc:   crc32c() of the rest of the slot, started with the number of the slot
 */
struct iommu_lu_slot_ser {
	u32 state;
	u32 crc;
} __packed;
static_assert(sizeof(struct iommu_lu_slot_ser) == 8);
static_assert(offsetof(struct iommu_lu_slot_ser, crc) == 4);

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
#define IOMMU_PT_SER_FLAGS		0x7U

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
 *      0  slot.state                      slot.crc
 *      8  type                            mode
 *     16  base
 *     24  segment                         reserved
 *     32  cap
 *     40  ecap
 *     48  root
 *     56  tables
 *
 * @slot:     In use, CRC
 * @type:     IOMMU_LU_UNIT_*
 * @mode:     IOMMU_LU_VTD_LEGACY or IOMMU_LU_VTD_SCALABLE
 * @base:     Physical address of the unit's registers
 * @segment:  PCI segment of the unit
 * @reserved: Zero
 * @cap:      Capability register
 * @ecap:     Extended capability register
 * @root:     Physical address of the root table
 * @tables:   Physical address of a &struct iommu_lu_tables_ser
 */
struct iommu_lu_unit_ser {
	struct iommu_lu_slot_ser slot;
	u32 type;
	u32 mode;
	u64 base;
	u32 segment;
	u32 reserved;
	u64 cap;
	u64 ecap;
	u64 root;
	u64 tables;
} __packed;
static_assert(sizeof(struct iommu_lu_unit_ser) == 64);
static_assert(offsetof(struct iommu_lu_unit_ser, type) == 8);
static_assert(offsetof(struct iommu_lu_unit_ser, mode) == 12);
static_assert(offsetof(struct iommu_lu_unit_ser, base) == 16);
static_assert(offsetof(struct iommu_lu_unit_ser, segment) == 24);
static_assert(offsetof(struct iommu_lu_unit_ser, reserved) == 28);
static_assert(offsetof(struct iommu_lu_unit_ser, cap) == 32);
static_assert(offsetof(struct iommu_lu_unit_ser, ecap) == 40);
static_assert(offsetof(struct iommu_lu_unit_ser, root) == 48);
static_assert(offsetof(struct iommu_lu_unit_ser, tables) == 56);

/**
 * struct iommu_lu_tables_ser - The tables between a unit's root and its devices
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  magic                           unit
 *      8  reserved
 *     16  phys, 512 times 8 bytes ..........................................
 *
 * @magic:    %IOMMU_LU_MAGIC_TABLES
 * @unit:     Slot of the unit
 * @reserved: Zero
 * @phys:     Physical addresses: the context table of bus n at index 2n
 *            (scalable mode: devfn 0x80 and up at 2n + 1), 0 where it is not
 *            kept
 */
struct iommu_lu_tables_ser {
	u32 magic;
	u32 unit;
	u64 reserved;
	u64 phys[IOMMU_LU_VTD_NR_TABLES];
} __packed;
static_assert(sizeof(struct iommu_lu_tables_ser) == 4112);
static_assert(offsetof(struct iommu_lu_tables_ser, unit) == 4);
static_assert(offsetof(struct iommu_lu_tables_ser, reserved) == 8);
static_assert(offsetof(struct iommu_lu_tables_ser, phys) == 16);

/* struct iommu_lu_domain_ser::flags */
#define IOMMU_LU_DOMAIN_FORCE_SNOOP	0x1U
#define IOMMU_LU_DOMAIN_FLAGS		IOMMU_LU_DOMAIN_FORCE_SNOOP

/**
 * struct iommu_lu_domain_ser - One kept domain
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  slot.state                      slot.crc
 *      8  flags                           type
 *     16  pgsizes
 *     24  user
 *     32  pt, 48 bytes ..................................................
 *
 * @slot:     In use, CRC
 * @flags:    IOMMU_LU_DOMAIN_*
 * @type:     IOMMU_LU_UNIT_*, whose driver made the domain
 * @pgsizes:  Bitmap of the page sizes that may be in the table
 * @user:     Physical address of what names this record, in memory that the
 *            file of that user has preserved: &struct iommufd_lu_hwpt_ser
 * @pt:       Its page table
 */
struct iommu_lu_domain_ser {
	struct iommu_lu_slot_ser slot;
	u32 flags;
	u32 type;
	u64 pgsizes;
	u64 user;
	struct iommu_pt_ser pt;
} __packed;
static_assert(sizeof(struct iommu_lu_domain_ser) == 80);
static_assert(offsetof(struct iommu_lu_domain_ser, flags) == 8);
static_assert(offsetof(struct iommu_lu_domain_ser, type) == 12);
static_assert(offsetof(struct iommu_lu_domain_ser, pgsizes) == 16);
static_assert(offsetof(struct iommu_lu_domain_ser, user) == 24);
static_assert(offsetof(struct iommu_lu_domain_ser, pt) == 32);

/**
 * struct iommu_lu_device_ser - One kept PCI device
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  slot.state                      slot.crc
 *      8  segment                         rid             vendor
 *     16  device          reserved        unit
 *     24  domain                          attach_id
 *     32  user
 *
 * @slot:      In use, CRC
 * @segment:   PCI segment
 * @rid:       PCI requester ID, bus << 8 | devfn
 * @vendor:    PCI vendor ID
 * @device:    PCI device ID
 * @reserved:  Zero
 * @unit:      Slot of its unit
 * @domain:    Slot of its domain
 * @attach_id: Domain ID in the unit's tables
 * @user:      As in &struct iommu_lu_domain_ser: &struct vfio_pci_lu_ser
 */
struct iommu_lu_device_ser {
	struct iommu_lu_slot_ser slot;
	u32 segment;
	u16 rid;
	u16 vendor;
	u16 device;
	u16 reserved;
	u32 unit;
	u32 domain;
	u32 attach_id;
	u64 user;
} __packed;
static_assert(sizeof(struct iommu_lu_device_ser) == 40);
static_assert(offsetof(struct iommu_lu_device_ser, segment) == 8);
static_assert(offsetof(struct iommu_lu_device_ser, rid) == 12);
static_assert(offsetof(struct iommu_lu_device_ser, vendor) == 14);
static_assert(offsetof(struct iommu_lu_device_ser, device) == 16);
static_assert(offsetof(struct iommu_lu_device_ser, reserved) == 18);
static_assert(offsetof(struct iommu_lu_device_ser, unit) == 20);
static_assert(offsetof(struct iommu_lu_device_ser, domain) == 24);
static_assert(offsetof(struct iommu_lu_device_ser, attach_id) == 28);
static_assert(offsetof(struct iommu_lu_device_ser, user) == 32);

/**
 * struct iommu_lu_block_ser - A page of slots of one kind
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  magic                           index
 *      8  next
 *     16  slot_size                       nr_slots
 *     24  slots, nr_slots of slot_size bytes ............................
 *
 * @magic:     IOMMU_LU_MAGIC_* of the kind
 * @index:     How many blocks come before this one
 * @next:      Physical address of the next block, 0 in the last one
 * @slot_size: Size of a slot in bytes
 * @nr_slots:  Slots in this block, as many as fit in a page
 * @slots:     The slots
 */
struct iommu_lu_block_ser {
	u32 magic;
	u32 index;
	u64 next;
	u32 slot_size;
	u32 nr_slots;
	u8 slots[];
} __packed;
static_assert(sizeof(struct iommu_lu_block_ser) == 24);
static_assert(offsetof(struct iommu_lu_block_ser, index) == 4);
static_assert(offsetof(struct iommu_lu_block_ser, next) == 8);
static_assert(offsetof(struct iommu_lu_block_ser, slot_size) == 16);
static_assert(offsetof(struct iommu_lu_block_ser, nr_slots) == 20);
static_assert(offsetof(struct iommu_lu_block_ser, slots) == 24);

/**
 * struct iommu_lu_array_ser - The slots of one kind
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  first
 *      8  nr_blocks                       reserved
 *
 * @first:     Physical address of the first block, 0 for none
 * @nr_blocks: Number of blocks
 * @reserved:  Zero
 */
struct iommu_lu_array_ser {
	u64 first;
	u32 nr_blocks;
	u32 reserved;
} __packed;
static_assert(sizeof(struct iommu_lu_array_ser) == 16);
static_assert(offsetof(struct iommu_lu_array_ser, nr_blocks) == 8);
static_assert(offsetof(struct iommu_lu_array_ser, reserved) == 12);

/**
 * struct iommu_lu_ser - Where everything starts
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  magic                           version
 *      8  flags                           reserved
 *     16  units, 16 bytes ...............................................
 *     32  domains, 16 bytes .............................................
 *     48  devices, 16 bytes .............................................
 *     64  zero up to the end of the page ................................
 *
 * @magic:    %IOMMU_LU_MAGIC
 * @version:  %IOMMU_LU_VERSION
 * @flags:    Zero; a kernel refuses a handover with a flag it does not know
 * @reserved: Zero, as is the rest of the page
 * @units:    The units
 * @domains:  The domains
 * @devices:  The devices
 */
struct iommu_lu_ser {
	u32 magic;
	u32 version;
	u32 flags;
	u32 reserved;
	struct iommu_lu_array_ser units;
	struct iommu_lu_array_ser domains;
	struct iommu_lu_array_ser devices;
} __packed;
static_assert(sizeof(struct iommu_lu_ser) == 64);
static_assert(offsetof(struct iommu_lu_ser, version) == 4);
static_assert(offsetof(struct iommu_lu_ser, flags) == 8);
static_assert(offsetof(struct iommu_lu_ser, reserved) == 12);
static_assert(offsetof(struct iommu_lu_ser, units) == 16);
static_assert(offsetof(struct iommu_lu_ser, domains) == 32);
static_assert(offsetof(struct iommu_lu_ser, devices) == 48);

#endif /* _LINUX_KHO_ABI_IOMMU_H */
