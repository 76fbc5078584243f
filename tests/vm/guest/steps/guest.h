/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The owner's view of one guest: memory, an iommufd, the devices in it and
 * the session that carries all of it to the next kernel. The steps are here,
 * one function each; the order is the scenario's business. They return 0 or
 * -errno and say nothing, unless noted.
 */
#ifndef LU_GUEST_H
#define LU_GUEST_H

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

struct guest {
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
};

struct guest_plan {
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
int guest_create(struct guest *g, const struct guest_plan *plan);
int guest_bind(struct guest *g);
int guest_map(struct guest *g, uint32_t *ret_ioas);
int guest_attach(struct guest *g, uint32_t hwpt);
int guest_start(struct guest *g);
/* On failure *ret_what names the file that was refused. */
int guest_preserve(struct guest *g, const char **ret_what);

/* In the next one. */
int guest_retrieve_memory(struct guest *g, const char *session);
/* Looks at every ring, before anything else can have happened to it. */
void guest_first_scan(struct guest *g);
/* These two do nothing when it has been done. */
int guest_retrieve_iommufd(struct guest *g);
int guest_retrieve_device(struct guest *g, unsigned int i);
/* A new IOAS and HWPT over the same memory. */
int guest_remap(struct guest *g);
int guest_destroy_restored(struct guest *g);
int guest_finish(struct guest *g);

/* In both. */
struct device *guest_nic(struct guest *g);
struct device *guest_nvme(struct guest *g);
uint64_t guest_errors(const struct guest *g);
/* Closes devices and iommufd and leaves the devices without a driver. */
int guest_unbind(struct guest *g);
/* Every byte outside the control page; returns the number of bad pages. */
uint64_t guest_verify(const struct guest *g);
void guest_close(struct guest *g);

#endif
