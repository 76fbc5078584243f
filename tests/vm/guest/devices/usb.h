/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * USB host controllers that run with nothing plugged in. An xHCI writes an
 * event each time its frame counter starts anew, about every two seconds; an
 * EHCI only counts.
 */
#ifndef LU_USB_H
#define LU_USB_H

#include <stdbool.h>
#include <stdint.h>

#define XHCI_ID 0x1b36000du
#define EHCI_ID 0x808624cdu
#define USB_BAR_BYTES 4096u
/* Of the memory that an xHCI writes to. */
#define USB_EVENTS_BYTES (2 * 4096u)

struct usb {
	bool xhci;
	volatile void *bar;
};

/* -ENODEV when it is neither of the two. */
int usb_find(struct usb *u, uint32_t id, volatile void *bar);
/*
 * Sets it going, stopped before. An xHCI gets @events, zeroed, which is at
 * @iova for devices. 0 or -errno.
 */
int usb_start(const struct usb *u, void *events, uint64_t iova);
void usb_stop(const struct usb *u);
/* It is told to run, and does. */
bool usb_runs(const struct usb *u, uint32_t *ret_command, uint32_t *ret_status);
/* Events an xHCI has written so far. */
unsigned int usb_events(const void *events);

#endif
