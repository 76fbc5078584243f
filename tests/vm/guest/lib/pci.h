/* SPDX-License-Identifier: GPL-2.0-only */
/* PCI devices through sysfs. BDF is a text like "0000:00:04.0". */
#ifndef LU_PCI_H
#define LU_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define BDF_BYTES 16

#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x2
#define PCI_COMMAND_MASTER 0x4
#define PCI_CAP_EXPRESS 0x10

/* vendor << 16 | device, or 0 when there is no such device. */
uint32_t pci_id(const char *bdf);
/* Fills @bdf with the @nth device of that id; -ENODEV when there are fewer. */
int pci_find(uint32_t id, unsigned int nth, char *bdf);
/* Fills @bridge with what the device is below; -ENODEV when it is on bus 0. */
int pci_above(const char *bdf, char *bridge);
/* The driver's name, "" for none. */
void pci_driver(const char *bdf, char *name, unsigned int size);
/* Takes the device from its driver and gives it to that one alone. */
int pci_bind(const char *bdf, const char *driver);
/*
 * A driver that uses the DMA API, as most do. It takes any device, wants only BAR 0, and reads one byte of it.
 */
#define PCI_NATIVE "pvpanic-pci"
/* Asks that driver alone to take the device; what comes back is its answer. */
int pci_offer(const char *bdf, const char *driver);
/* Leaves the device without driver and without override. */
int pci_unbind(const char *bdf);
int pci_override(const char *bdf, const char *driver);
int pci_probe(const char *bdf);
/* Writes to a file of the device in sysfs, as "remove" or "driver/unbind". */
int pci_write_file(const char *bdf, const char *file, const char *text);
/* Switches the power of a device's slot; -ENODEV when it is in none. */
int pci_slot_power(const char *bdf, bool on);
/* Looks for devices that are not known yet. */
int pci_rescan(void);
/* Opens the configuration space; the caller closes it. */
int pci_config_open(const char *bdf);
int pci_read16(const char *bdf, unsigned int at, uint16_t *ret);
int pci_read32(const char *bdf, unsigned int at, uint32_t *ret);
int pci_write16(const char *bdf, unsigned int at, uint16_t val);
/*
 * Leaves a mark in QEMU's trace, whose order is then that of what the guest does,
 * however late the host hears of it: the host bridge has a register for nothing.
 */
enum pci_mark {
	MARK_FREEZE = 0xf0f1,
	MARK_ARM = 0xf0f2,
	MARK_POWER_OFF = 0xf0f3,
};
int pci_trace_mark(enum pci_mark mark);
/*
 * Maps a BAR past any driver, without a write to the device; NULL when that
 * does not work. The caller unmaps @bytes of it.
 */
volatile void *pci_map_bar(const char *bdf, unsigned int bar,
			   unsigned int bytes);
/* Where a capability begins, 0 when the device has none of that kind. */
unsigned int pci_capability(const char *bdf, unsigned int id);
unsigned int pci_extended(const char *bdf, unsigned int id);

#endif
