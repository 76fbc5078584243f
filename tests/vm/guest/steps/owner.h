/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The chapters most scenarios are made of. Each tells what it did, and returns
 * 0, or -1 after a failed check. Names of events and checks are those of the
 * demo, with the VM's suffix where a chapter is told more than once.
 */
#ifndef LU_OWNER_H
#define LU_OWNER_H

#include "vm.h"

/* Everything the machine has, in the usual sizes. */
void owner_plan(struct vm_plan *plan, const char *session);
enum owner_part { CARDS, DRIVES };

/* Leaves only one part of the devices in the plan. */
void owner_plan_only(struct vm_plan *plan, enum owner_part part);

int owner_create(struct vm *vm, const struct vm_plan *plan);
int owner_translate(struct vm *vm);
int owner_start(struct vm *vm);
/* Frames may come: every card of every VM is started. Said once. */
void owner_ready(void);
/* Waits until all devices have made a fair number of transfers. */
int owner_warm(struct vm *vm);
/* All of the above, for one VM. */
int owner_begin(struct vm *vm, const struct vm_plan *plan);

int owner_preserve(struct vm *vm);
/* Loads the next kernel while everything runs, then stops looking. */
int owner_load(struct vm *vm, unsigned int stage);
/* Does not return from success. */
int owner_jump(void);
/* All of a plain old kernel: begin, preserve, load, kexec. */
int owner_hand_over(struct vm *vm, const char *session, unsigned int stage);

int owner_arrive(struct vm *vm, const char *session);
int owner_reclaim(struct vm *vm);
/* The last part of that: are the devices as they were, then serves them. */
int owner_serve(struct vm *vm);
/* Each device still makes transfers: a share of @frames more. */
bool owner_all_work(struct vm *vm, unsigned int frames);
int owner_swap(struct vm *vm);
/* The same when the new translations are there; @swap attaches, and tells of failure. */
int owner_swap_by(struct vm *vm, int (*swap)(struct vm *vm));
int owner_release(struct vm *vm);

/* Waits until the reads in flight have completed. */
void owner_reads_done(struct vm *vm);
/* That, then stops the host, then the pump. */
void owner_settle(struct vm *vm);
int owner_unbind(struct vm *vm);
/* Looks at all of memory. */
void owner_verify(struct vm *vm);
/* Gives memory back. */
void owner_close(struct vm *vm);
/* Are as many table pages in use as there @was? */
void owner_count(int64_t was);
/* The three of them, for the only VM. */
void owner_account(struct vm *vm);
/*
 * All of a plain end: what is at work ends, is looked at, and given back. @rc is what
 * came of the chapters before, and is returned unless it gets worse.
 */
int owner_end(struct vm *vm, int rc);

/* For several VMs: suffixes for what is told of them, "-a" and so on. */
void owner_name(struct vm *vm, unsigned int count);
/* Their end, but for owner_count(). */
int owner_end_several(struct vm *vm, unsigned int count, int rc);

/* "name" with the VM's suffix. */
const char *owner_tag(const struct vm *vm, const char *name);

#endif
