/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual machine that a scenario plays, as its owner sees it: memory, an
 * iommufd, the devices in it and the session that carries all of it to the next
 * kernel. It runs no code of its own. Each step is a function here; the order is
 * the scenario's business. They return 0 or -errno and say nothing, unless noted.
 */
#ifndef LU_VM_H
#define LU_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"

#define TOKEN_MEMORY 1ull
#define TOKEN_IOMMUFD 2ull
#define TOKEN_DEVICE 0x100ull
#define INTRUDERS_MAX 2
/* Above 32 bits, to see that all of a token is carried. */
#define TOKEN_HWPT 0x0123456789abcd00ull

/* The first bytes of guest memory: all that the next owner needs to know. */
struct control {
	struct layout layout;
	char session[32];
	uint32_t devices;
	uint32_t intruders;
	/* Per intruder: transfers last seen, bus mastering put back on. */
	uint32_t watched[INTRUDERS_MAX];
	uint64_t rearmed[INTRUDERS_MAX];
	uint32_t keep_reading; /* the plan's */
	int64_t iommu_pages; /* of the kernel, before the guest came */
	int64_t table_pages; /* what the guest's translations take */
	uint64_t note[8]; /* a scenario's own */
	uint64_t before[DEVICES_MAX]; /* transfers when last looked at */
	struct device_state intruder[INTRUDERS_MAX];
	struct device_state device[DEVICES_MAX];
};

struct lu_guest;
struct lu_session;

struct vm {
	struct memory memory;
	struct control *control;
	int session;
	int iommufd;
	uint32_t ioas;
	uint32_t hwpt;
	struct device device[DEVICES_MAX];
	unsigned int devices;
	struct pump pump;
	char suffix[16]; /* for names that would come twice */
	/* library.c, in the next kernel */
	struct lu_session *came;
	struct lu_guest *guest;
};

struct vm_plan {
	const char *session;
	uint64_t bytes;
	uint32_t slots;
	uint32_t reads;
	bool keep_reading; /* drives are never idle, see owner_start() */
	/* BDFs, as many as are not NULL. */
	const char *bdf[DEVICES_MAX];
};

/* What the machine has, from the command line or else from the bus. */
unsigned int machine_kept(char bdf[DEVICES_MAX][BDF_BYTES]);
unsigned int machine_intruders(char bdf[INTRUDERS_MAX][BDF_BYTES]);

/* In the first kernel. */
int vm_create(struct vm *vm, const struct vm_plan *plan);
int vm_bind(struct vm *vm);
int vm_map(struct vm *vm, uint32_t *ret_ioas);
int vm_attach(struct vm *vm, uint32_t hwpt);
int vm_start(struct vm *vm);
/* On failure *ret_what names the file that was refused. */
int vm_preserve(struct vm *vm, const char **ret_what);

/* In the next one. */
void vm_clear(struct vm *vm);
/* What is in memory that came over; @memory is its file, and the VM's. */
int vm_adopt(struct vm *vm, int memory);
/* Both, with memory from a session. */
int vm_retrieve_memory(struct vm *vm, const char *session);
/* Looks at every ring, before anything else can have happened to it. */
void vm_first_scan(struct vm *vm);
/* These two do nothing when it has been done. */
int vm_retrieve_iommufd(struct vm *vm);
int vm_retrieve_device(struct vm *vm, unsigned int i);
/* A new IOAS and HWPT over the same memory. */
int vm_remap(struct vm *vm);
int vm_destroy_restored(struct vm *vm);
int vm_finish(struct vm *vm);

/* In both. The first that receives frames, the first drive; NULL for none. */
struct device *vm_nic(struct vm *vm);
struct device *vm_nvme(struct vm *vm);
uint64_t vm_errors(const struct vm *vm);
/* Closes devices and iommufd and leaves the devices without a driver. */
int vm_unbind(struct vm *vm);
/* Every byte outside the control page; returns the number of bad pages. */
uint64_t vm_verify(const struct vm *vm);
void vm_close(struct vm *vm);
/* As when its owner is killed: all is closed, and no device is told to stop. */
void vm_drop(struct vm *vm);

#endif
