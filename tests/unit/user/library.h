/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the library have in common. */
#ifndef LU_TEST_LIBRARY_H
#define LU_TEST_LIBRARY_H

#include <liveupdate.h>
#include <stdbool.h>

#include "../../../lib/src/calls.h"
#include "stand-in.h"

#define PAGE 4096ul
#define RAM_BYTES (64 * PAGE)
#define BDF "0000:00:05.0"

struct test {
	const char *name;
	void (*run)(void);
};

/* Each file has one, ended by a test without a name. */
extern const struct test plan_tests[], guest_tests[], session_tests[];

/* Says what is wrong, once a test; the test goes on. */
void fault(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define CHECK(cond)                                          \
	do {                                                 \
		if (!(cond))                                 \
			fault(__FILE__, __LINE__, "%s", #cond); \
	} while (0)
#define CHECK_RC(call, want)                                            \
	do {                                                            \
		int got_ = (call);                                      \
		if (got_ != (want))                                     \
			fault(__FILE__, __LINE__, "%s is %d, not %d",   \
			      #call, got_, (want));                     \
	} while (0)

/* A VMM with some memory and a device that maps all of it. */
struct vmm {
	int ram, iommufd, device;
	uint32_t devid, ioas, hwpt;
};

void vmm_start(struct vmm *vmm);
void vmm_end(struct vmm *vmm);
/* Its memory and its HWPT, but not what that maps. */
struct lu_plan *vmm_plan_bare(const struct vmm *vmm);
/* Everything but a session. */
struct lu_plan *vmm_plan(const struct vmm *vmm);
/*
 * Preserves it in a session of that name and jumps. The plan and the VMM are gone
 * then, as their process would be.
 */
void vmm_hand_over(struct vmm *vmm, struct lu_plan *plan, const char *session);
/* The same with a VMM of its own and everything of it. */
void vmm_jump(const char *session);

/* Files that are open, but those of the stand-in. */
unsigned int open_files(void);

#endif
