/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The chapters most scenarios are made of. Each tells what it did, and returns
 * 0, or -1 after a failed check. Names of events and checks are those of the
 * demo, with the guest's suffix where a chapter is told more than once.
 */
#ifndef LU_OWNER_H
#define LU_OWNER_H

#include "guest.h"

/* Everything the machine has, in the usual sizes. */
void owner_plan(struct guest_plan *plan, const char *session);
/* Leaves only the devices of one kind in the plan. */
void owner_plan_only(struct guest_plan *plan, uint32_t id);

int owner_create(struct guest *g, const struct guest_plan *plan);
int owner_translate(struct guest *g);
int owner_start(struct guest *g);
/* Frames may come: every card of every guest is started. Said once. */
void owner_ready(void);
/* Waits until all devices have made a fair number of transfers. */
int owner_warm(struct guest *g);
/* All of the above, for one guest. */
int owner_begin(struct guest *g, const struct guest_plan *plan);

int owner_preserve(struct guest *g);
/* Loads the next kernel while everything runs, then stops looking. */
int owner_load(struct guest *g, unsigned int stage);
/* Does not return from success. */
int owner_jump(void);
/* All of a plain old kernel: begin, preserve, load, jump. */
int owner_hand_over(struct guest *g, const char *session, unsigned int stage);

int owner_arrive(struct guest *g, const char *session);
int owner_reclaim(struct guest *g);
int owner_swap(struct guest *g);
int owner_release(struct guest *g);

/* Lets reads come home. */
void owner_reads_done(struct guest *g);
/* That, then stops the host, then the pump. */
void owner_settle(struct guest *g);
int owner_unbind(struct guest *g);
/* Looks at all of memory. */
void owner_verify(struct guest *g);
/* Gives memory back. */
void owner_close(struct guest *g);
/* Are as many table pages in use as there @was? */
void owner_count(int64_t was);
/* The three of them, for the only guest. */
void owner_account(struct guest *g);

/* "name" with the guest's suffix. */
const char *owner_tag(const struct guest *g, const char *name);

#endif
