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
 *   | attachments ---------+---> [magic|index|next|size|n][attachment 0]...
 *   +----------------------+                  |
 *                                             +--> next block, 0 at the end
 *
 *   attachment.device ----> device.unit ----> unit.root     what hardware walks
 *             .domain ----> domain.unit       unit.pages    tables below it
 *             .pasid        domain.top        the top of the page table
 *             .hw_id        domain.pages      all pages of the page table
 *                           domain.user, device.user  who names this record, in
 *                                             memory of theirs
 *
 * There are four kinds of records. A unit is an IOMMU, a domain a page table, a
 * device is what does DMA, and an attachment says that the DMA of a device, or
 * that of one of its PASIDs, is translated by a domain, and by which ID the
 * hardware knows the domain there.
 *
 * Slot n of a kind lives in block n / slots_per_block, at byte
 * 24 + slot_size * (n % slots_per_block), where slots_per_block is
 * (PAGE_SIZE - 24) / slot_size rounded down; what is left of the page is zero.
 * Slots in use and free ones lie in any order.
 *
 * Each record starts with an envelope, &struct iommu_lu_record_ser, and ends
 * with a payload. The IOMMU core reads and checks all but the payload; the
 * payload belongs to the driver that the type in the envelope names, and is read
 * and checked by nobody else. A record is not changed after it was filled in and
 * has a CRC, as crc32c() makes it of all that follows the CRC.
 *
 * A page has one owner. What has no format that the hardware dictates starts with
 * a magic number that says which. The pages of a unit or a domain that the
 * hardware walks are listed, each once, in pages of &struct iommu_lu_pages_ser:
 * what is not in the list of its owner is not read, written or freed as one of
 * its tables, wherever a table entry leads. A root table can serve several units:
 * then it is in the list of one of them, which the others name in root_unit.
 *
 * Every page named here is preserved on its own with KHO, as one block of the
 * order that is stated, 0 where none is. Who reads it restores it: the pages of
 * this header when the last file of all sessions is finished, the tables of a
 * unit when it is taken over, those of a domain when that is released.
 *
 * What the hardware walks is not described here but in its own specification;
 * which of it there is, with the payloads, the driver of the type says.
 *
 * The layout is a contract between kernels: a change of meaning or of layout
 * takes a new %IOMMU_LU_VERSION, and a kernel refuses versions it does not know.
 * It depends on the page size, which is therefore part of the name.
 */

#define IOMMU_LU_VERSION	2

#if defined(CONFIG_PAGE_SIZE_4KB)
#define IOMMU_LU_PAGE_SIZE	"4k"
#elif defined(CONFIG_PAGE_SIZE_16KB)
#define IOMMU_LU_PAGE_SIZE	"16k"
#elif defined(CONFIG_PAGE_SIZE_64KB)
#define IOMMU_LU_PAGE_SIZE	"64k"
#else
#define IOMMU_LU_PAGE_SIZE	"other"
#endif

#define IOMMU_LU_FLB_COMPATIBLE \
	"iommu-v" __stringify(IOMMU_LU_VERSION) "-" IOMMU_LU_PAGE_SIZE

/* First words of pages */
#define IOMMU_LU_MAGIC			0x494c5630U
#define IOMMU_LU_MAGIC_UNITS		0x494c5631U
#define IOMMU_LU_MAGIC_DOMAINS		0x494c5632U
#define IOMMU_LU_MAGIC_DEVICES		0x494c5633U
#define IOMMU_LU_MAGIC_ATTACHMENTS	0x494c5634U
#define IOMMU_LU_MAGIC_PAGES		0x494c5635U

/* struct iommu_lu_record_ser::state */
#define IOMMU_LU_IN_USE		0x1U

/* struct iommu_lu_record_ser::type, whose driver reads the payload */
#define IOMMU_LU_TYPE_VTD	1U
#define IOMMU_LU_TYPE_AMD	2U
#define IOMMU_LU_TYPE_SMMUV3	3U
/* For tests: no machine has it */
#define IOMMU_LU_TYPE_TEST	7U
#define IOMMU_LU_TYPES		8U

/* A slot number of no slot */
#define IOMMU_LU_NO_SLOT	U32_MAX

/**
 * struct iommu_lu_record_ser - The envelope: how each record starts
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  state                           crc
 *      8  type            version         payload_size
 *
 * @state:        %IOMMU_LU_IN_USE, or 0 when all of the slot is zero
 * @crc:          crc32c() of the rest of the slot, started with its number
 * @type:         IOMMU_LU_TYPE_*, whose driver reads the payload
 * @version:      Version of the payload, as that driver counts
 * @payload_size: Bytes of the payload that are used, the rest is zero
 */
struct iommu_lu_record_ser {
	u32 state;
	u32 crc;
	u16 type;
	u16 version;
	u32 payload_size;
} __packed;
static_assert(sizeof(struct iommu_lu_record_ser) == 16);
static_assert(offsetof(struct iommu_lu_record_ser, crc) == 4);
static_assert(offsetof(struct iommu_lu_record_ser, type) == 8);
static_assert(offsetof(struct iommu_lu_record_ser, version) == 10);
static_assert(offsetof(struct iommu_lu_record_ser, payload_size) == 12);

#define IOMMU_LU_UNIT_PAYLOAD		56
#define IOMMU_LU_DOMAIN_PAYLOAD		56
#define IOMMU_LU_DEVICE_PAYLOAD		16
#define IOMMU_LU_ATTACHMENT_PAYLOAD	32

/**
 * struct iommu_lu_unit_ser - One IOMMU that translates for a kept device
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  env, 16 bytes .................................................
 *     16  base
 *     24  segment                         root_unit
 *     32  root
 *     40  root_order                      reserved
 *     48  pages
 *     56  nr_pages
 *     64  reserved2
 *     72  payload, 56 bytes .............................................
 *
 * @env:        The envelope
 * @base:       Physical address of the unit's registers
 * @segment:    PCI segment of the unit
 * @root_unit:  Slot of the unit in whose list the root table is: this one, or
 *              another one of the type that shares it
 * @root:       Physical address of the root table, first in the list of its owner
 * @root_order: log2 of its size in pages
 * @reserved:   Zero
 * @pages:      Physical address of the first &struct iommu_lu_pages_ser, 0 for
 *              an empty list
 * @nr_pages:   Entries in the list
 * @reserved2:  Zero
 * @payload:    For the driver
 */
struct iommu_lu_unit_ser {
	struct iommu_lu_record_ser env;
	u64 base;
	u32 segment;
	u32 root_unit;
	u64 root;
	u32 root_order;
	u32 reserved;
	u64 pages;
	u64 nr_pages;
	u64 reserved2;
	u8 payload[IOMMU_LU_UNIT_PAYLOAD];
} __packed;
static_assert(sizeof(struct iommu_lu_unit_ser) == 128);
static_assert(offsetof(struct iommu_lu_unit_ser, base) == 16);
static_assert(offsetof(struct iommu_lu_unit_ser, segment) == 24);
static_assert(offsetof(struct iommu_lu_unit_ser, root_unit) == 28);
static_assert(offsetof(struct iommu_lu_unit_ser, root) == 32);
static_assert(offsetof(struct iommu_lu_unit_ser, root_order) == 40);
static_assert(offsetof(struct iommu_lu_unit_ser, reserved) == 44);
static_assert(offsetof(struct iommu_lu_unit_ser, pages) == 48);
static_assert(offsetof(struct iommu_lu_unit_ser, nr_pages) == 56);
static_assert(offsetof(struct iommu_lu_unit_ser, reserved2) == 64);
static_assert(offsetof(struct iommu_lu_unit_ser, payload) == 72);

/* struct iommu_lu_domain_ser::code */
#define IOMMU_LU_CODE_GENERIC_PT	1U
#define IOMMU_LU_CODE_IO_PGTABLE	2U
#define IOMMU_LU_CODES			3U

/**
 * struct iommu_lu_domain_ser - One kept domain
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  env, 16 bytes .................................................
 *     16  unit                            code
 *     24  pgsizes
 *     32  user
 *     40  top
 *     48  pages
 *     56  nr_pages
 *     64  top_order                       reserved
 *     72  payload, 56 bytes .............................................
 *
 * @env:       The envelope
 * @unit:      Slot of the unit it belongs to, %IOMMU_LU_NO_SLOT when it can be
 *             used with any unit of its type
 * @code:      IOMMU_LU_CODE_*, what made the page table
 * @pgsizes:   Bitmap of the page sizes that may be in the table
 * @user:      Physical address of what names this record, in memory that the
 *             file of that user has preserved: &struct iommufd_lu_hwpt_ser
 * @top:       Physical address of the top table, first in the list
 * @pages:     Physical address of the first &struct iommu_lu_pages_ser
 * @nr_pages:  Entries in the list: all tables, the top included
 * @top_order: log2 of the size of the top table in pages
 * @reserved:  Zero
 * @payload:   For the driver
 */
struct iommu_lu_domain_ser {
	struct iommu_lu_record_ser env;
	u32 unit;
	u32 code;
	u64 pgsizes;
	u64 user;
	u64 top;
	u64 pages;
	u64 nr_pages;
	u32 top_order;
	u32 reserved;
	u8 payload[IOMMU_LU_DOMAIN_PAYLOAD];
} __packed;
static_assert(sizeof(struct iommu_lu_domain_ser) == 128);
static_assert(offsetof(struct iommu_lu_domain_ser, unit) == 16);
static_assert(offsetof(struct iommu_lu_domain_ser, code) == 20);
static_assert(offsetof(struct iommu_lu_domain_ser, pgsizes) == 24);
static_assert(offsetof(struct iommu_lu_domain_ser, user) == 32);
static_assert(offsetof(struct iommu_lu_domain_ser, top) == 40);
static_assert(offsetof(struct iommu_lu_domain_ser, pages) == 48);
static_assert(offsetof(struct iommu_lu_domain_ser, nr_pages) == 56);
static_assert(offsetof(struct iommu_lu_domain_ser, top_order) == 64);
static_assert(offsetof(struct iommu_lu_domain_ser, reserved) == 68);
static_assert(offsetof(struct iommu_lu_domain_ser, payload) == 72);

/* struct iommu_lu_device_ser::bus */
#define IOMMU_LU_BUS_PCI	1U

/**
 * struct iommu_lu_device_ser - One kept device
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  env, 16 bytes .................................................
 *     16  bus                             segment
 *     24  source_id                       unit
 *     32  rid             vendor          device          reserved
 *     40  user
 *     48  payload, 16 bytes .............................................
 *
 * @env:       The envelope
 * @bus:       IOMMU_LU_BUS_*; only PCI is known
 * @segment:   PCI segment
 * @source_id: By which its unit knows it
 * @unit:      Slot of its unit
 * @rid:       PCI requester ID, bus << 8 | devfn
 * @vendor:    PCI vendor ID
 * @device:    PCI device ID
 * @reserved:  Zero
 * @user:      As in &struct iommu_lu_domain_ser: &struct vfio_pci_lu_ser
 * @payload:   For the driver
 */
struct iommu_lu_device_ser {
	struct iommu_lu_record_ser env;
	u32 bus;
	u32 segment;
	u32 source_id;
	u32 unit;
	u16 rid;
	u16 vendor;
	u16 device;
	u16 reserved;
	u64 user;
	u8 payload[IOMMU_LU_DEVICE_PAYLOAD];
} __packed;
static_assert(sizeof(struct iommu_lu_device_ser) == 64);
static_assert(offsetof(struct iommu_lu_device_ser, bus) == 16);
static_assert(offsetof(struct iommu_lu_device_ser, segment) == 20);
static_assert(offsetof(struct iommu_lu_device_ser, source_id) == 24);
static_assert(offsetof(struct iommu_lu_device_ser, unit) == 28);
static_assert(offsetof(struct iommu_lu_device_ser, rid) == 32);
static_assert(offsetof(struct iommu_lu_device_ser, vendor) == 34);
static_assert(offsetof(struct iommu_lu_device_ser, device) == 36);
static_assert(offsetof(struct iommu_lu_device_ser, reserved) == 38);
static_assert(offsetof(struct iommu_lu_device_ser, user) == 40);
static_assert(offsetof(struct iommu_lu_device_ser, payload) == 48);

/* struct iommu_lu_attachment_ser::pasid, for DMA without one */
#define IOMMU_LU_NO_PASID	U32_MAX

/**
 * struct iommu_lu_attachment_ser - DMA of a device that a domain translates
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  env, 16 bytes .................................................
 *     16  device                          domain
 *     24  pasid                           hw_id
 *     32  payload, 32 bytes .............................................
 *
 * @env:     The envelope
 * @device:  Slot of the device
 * @domain:  Slot of the domain
 * @pasid:   The PASID, or %IOMMU_LU_NO_PASID
 * @hw_id:   By which the hardware knows the domain here
 * @payload: For the driver
 */
struct iommu_lu_attachment_ser {
	struct iommu_lu_record_ser env;
	u32 device;
	u32 domain;
	u32 pasid;
	u32 hw_id;
	u8 payload[IOMMU_LU_ATTACHMENT_PAYLOAD];
} __packed;
static_assert(sizeof(struct iommu_lu_attachment_ser) == 64);
static_assert(offsetof(struct iommu_lu_attachment_ser, device) == 16);
static_assert(offsetof(struct iommu_lu_attachment_ser, domain) == 20);
static_assert(offsetof(struct iommu_lu_attachment_ser, pasid) == 24);
static_assert(offsetof(struct iommu_lu_attachment_ser, hw_id) == 28);
static_assert(offsetof(struct iommu_lu_attachment_ser, payload) == 32);

/**
 * struct iommu_lu_pages_ser - A page of the list of pages that a record owns
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  magic                           crc
 *      8  next
 *     16  kind                            owner
 *     24  index                           nr
 *     32  entry, nr times 8 bytes .......................................
 *
 * @magic: %IOMMU_LU_MAGIC_PAGES
 * @crc:   crc32c() from @next to the last entry, started with @index
 * @next:  Physical address of the next page of the list, 0 in the last one
 * @kind:  IOMMU_LU_MAGIC_UNITS or _DOMAINS, the owner's
 * @owner: Slot of the owner
 * @index: How many pages of the list come before this one
 * @nr:    Entries in this page; all pages but the last are full
 * @entry: Physical address of a table, ORed with its order
 */
struct iommu_lu_pages_ser {
	u32 magic;
	u32 crc;
	u64 next;
	u32 kind;
	u32 owner;
	u32 index;
	u32 nr;
	u64 entry[];
} __packed;
static_assert(sizeof(struct iommu_lu_pages_ser) == 32);
static_assert(offsetof(struct iommu_lu_pages_ser, crc) == 4);
static_assert(offsetof(struct iommu_lu_pages_ser, next) == 8);
static_assert(offsetof(struct iommu_lu_pages_ser, kind) == 16);
static_assert(offsetof(struct iommu_lu_pages_ser, owner) == 20);
static_assert(offsetof(struct iommu_lu_pages_ser, index) == 24);
static_assert(offsetof(struct iommu_lu_pages_ser, nr) == 28);
static_assert(offsetof(struct iommu_lu_pages_ser, entry) == 32);

/* Bits of an entry that are the order of its block */
#define IOMMU_LU_PAGES_ORDER	0x3fULL

/* struct iommu_pt_ser::flags; numbers of our own, enum pt_features is not ABI */
#define IOMMU_PT_SER_DMA_INCOHERENT	0x1U
#define IOMMU_PT_SER_DYNAMIC_TOP	0x2U
#define IOMMU_PT_SER_SIGN_EXTEND	0x4U
#define IOMMU_PT_SER_FLAGS		0x7U

#define IOMMU_PT_SER_FORMAT_LEN		16

/**
 * struct iommu_pt_ser - A page table made by generic_pt, in payloads
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  format ........................................................
 *      8  ............................................................
 *     16  flags                           fmt_features    top_lvl max_va
 *     24  max_oa  reserved ..............................................
 *
 * @format:       Name of the generic_pt format, NUL padded: "vtdss", "x86_64",
 *                "amdv1", ...
 * @flags:        IOMMU_PT_SER_*
 * @fmt_features: Features of the format, bit 0 is the format's first
 * @top_level:    Level of the top table, level 0 maps the smallest page
 * @max_vasz_lg2: log2 of the size of the input address space, in bytes
 * @max_oasz_lg2: log2 of the size of the output address space, in bytes
 * @reserved:     Zero
 */
struct iommu_pt_ser {
	char format[IOMMU_PT_SER_FORMAT_LEN];
	u32 flags;
	u16 fmt_features;
	u8 top_level;
	u8 max_vasz_lg2;
	u8 max_oasz_lg2;
	u8 reserved[7];
} __packed;
static_assert(sizeof(struct iommu_pt_ser) == 32);
static_assert(offsetof(struct iommu_pt_ser, flags) == 16);
static_assert(offsetof(struct iommu_pt_ser, fmt_features) == 20);
static_assert(offsetof(struct iommu_pt_ser, top_level) == 22);
static_assert(offsetof(struct iommu_pt_ser, max_vasz_lg2) == 23);
static_assert(offsetof(struct iommu_pt_ser, max_oasz_lg2) == 24);
static_assert(offsetof(struct iommu_pt_ser, reserved) == 25);

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
 *     64  attachments, 16 bytes .........................................
 *     80  zero up to the end of the page ................................
 *
 * @magic:       %IOMMU_LU_MAGIC
 * @version:     %IOMMU_LU_VERSION
 * @flags:       Zero; a kernel refuses a handover with a flag it does not know
 * @reserved:    Zero, as is the rest of the page
 * @units:       The units
 * @domains:     The domains
 * @devices:     The devices
 * @attachments: The attachments
 */
struct iommu_lu_ser {
	u32 magic;
	u32 version;
	u32 flags;
	u32 reserved;
	struct iommu_lu_array_ser units;
	struct iommu_lu_array_ser domains;
	struct iommu_lu_array_ser devices;
	struct iommu_lu_array_ser attachments;
} __packed;
static_assert(sizeof(struct iommu_lu_ser) == 80);
static_assert(offsetof(struct iommu_lu_ser, version) == 4);
static_assert(offsetof(struct iommu_lu_ser, flags) == 8);
static_assert(offsetof(struct iommu_lu_ser, reserved) == 12);
static_assert(offsetof(struct iommu_lu_ser, units) == 16);
static_assert(offsetof(struct iommu_lu_ser, domains) == 32);
static_assert(offsetof(struct iommu_lu_ser, devices) == 48);
static_assert(offsetof(struct iommu_lu_ser, attachments) == 64);

#endif /* _LINUX_KHO_ABI_IOMMU_H */
