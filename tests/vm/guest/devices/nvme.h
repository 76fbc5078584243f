/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An NVMe drive with many reads in flight, polled. One page of data per read;
 * every block of the drive says where it belongs.
 */
#ifndef LU_NVME_H
#define LU_NVME_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "vfio.h"

#define NVME_ID 0x1b360010u

/* Lives in guest memory. */
struct nvme_state {
	uint32_t entries; /* of both queues */
	uint32_t reads; /* read slots, one page each */
	uint32_t sq_tail;
	uint32_t cq_head;
	uint32_t phase;
	uint32_t doorbell; /* the completion queue's, as last written */
	uint32_t stride; /* bytes from one doorbell to the next */
	uint32_t cc;
	uint32_t queue; /* number of the pair */
	uint32_t reserved;
	uint64_t sq;
	uint64_t cq;
	uint64_t admin_sq;
	uint64_t admin_cq;
	struct buffers pages; /* one per read slot */
	uint64_t window; /* or the address of other memory to read into */
	uint64_t turn; /* offset of a byte per read slot: reads done there */

	uint64_t submitted;
	uint64_t completed;
	uint64_t data_errors; /* pages that hold something else */
	uint64_t status_errors; /* reads the drive could not do */
	uint64_t stray; /* completions of nothing we had asked for */
};

struct nvme {
	struct nvme_state *state;
	struct memory *memory;
	struct vfio *vfio; /* NULL while its registers are out of reach */
	bool raises; /* an interrupt for what it has done; said before it starts */
	unsigned char *window; /* that memory, a page per read slot */
	bool endless; /* read again into a page once it is checked */
	/*
	 * Or only as far as so many are always in flight: however slow the
	 * machine is, the drive has something to do until somebody says stop.
	 */
	uint32_t least;
};

int nvme_setup(struct nvme *d, struct memory *m, struct nvme_state *state,
	       uint32_t reads, int buffers, uint32_t queue);
int nvme_start(struct nvme *d);
/* Reads go elsewhere: to @iova, which is at @base. Before the first of them. */
void nvme_read_into(struct nvme *d, uint64_t iova, void *base);
/* Puts a read into every slot, with one ring of the doorbell. */
void nvme_submit_all(struct nvme *d);
/* No more than is in flight now, unless it is endless. */
void nvme_last_reads(struct nvme *d);
/* Takes every completion that has arrived; returns how many. */
unsigned int nvme_poll(struct nvme *d);
/* Completions that have arrived and not been taken. */
uint32_t nvme_waiting(const struct nvme *d);
bool nvme_unchanged(const struct nvme *d, char *why, unsigned int size);
void nvme_stop(struct nvme *d);
/*
 * The page of a read slot holds what it should: data when the read is done,
 * data or canary while it is in flight.
 */
bool nvme_page_whole(const struct nvme *d, uint32_t read);

#endif
