/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario is a story told by one process, the owner, once per kernel it
 * lives through. A stage that does not end in a kexec ends the story.
 */
#ifndef LU_SCENARIO_H
#define LU_SCENARIO_H

#define STAGES_MAX 4
/* An owner that exits like this takes pid 1, so the kernel, with it. */
#define SCENARIO_EXIT_PANIC 99

struct scenario {
	const char *name;
	const char *description;
	/*
	 * stages[0] runs in the first kernel. The last one given also runs in
	 * every later kernel. They return 0, or -1 after a failed check.
	 */
	int (*stages[STAGES_MAX])(unsigned int stage);
};

/* Puts a pointer to the scenario into a section that init.c walks. */
#define SCENARIO(var)                                                      \
	static const struct scenario *const scenario_ref_##var             \
		__attribute__((used, section("scenarios"))) = &(var)

extern const struct scenario *const __start_scenarios[];
extern const struct scenario *const __stop_scenarios[];

#endif
