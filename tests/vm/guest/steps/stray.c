// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <unistd.h>

#include "vm.h"
#include "pci.h"
#include "report.h"
#include "stray.h"
#include "words.h"

#define CONTROL_SECONDS 20
#define GONE 0xffff

static void each(void (*what)(const char *bdf, uint16_t cmd))
{
	char bdf[DEVICES_MAX][BDF_BYTES];
	unsigned int count = machine_kept(bdf);
	uint16_t cmd;

	for (unsigned int i = 0; i < count; i++) {
		cmd = GONE;
		pci_read16(bdf[i], PCI_COMMAND, &cmd);
		what(bdf[i], cmd);
	}
}

/* With lu.args=gone:1 there is a virtual function: it goes when its physical one is found. */
static void check_stopped(const char *bdf, uint16_t cmd)
{
	char name[48];

	snprintf(name, sizeof(name), "stopped-%.16s", bdf);
	check(name,
	      cmd == GONE ? arg_number("gone", 0) :
			    !(cmd & PCI_COMMAND_MASTER),
	      "command is %#x", cmd);
}

static void let_go(const char *bdf, uint16_t cmd)
{
	pci_write16(bdf, PCI_COMMAND,
		    cmd | PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
}

void stray_check_stopped(void)
{
	each(check_stopped);
}

void stray_let_go(void)
{
	each(let_go);
}

void stray_control(const struct spare *spare)
{
	uint64_t bad = 0;

	stray_let_go();
	for (int i = 0; !bad && i < CONTROL_SECONDS; i++) {
		sleep(1);
		bad = spare_damaged(spare);
	}
	check("control-damages", bad, "%llu pages", (unsigned long long)bad);
}
