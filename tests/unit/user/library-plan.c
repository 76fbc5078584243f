// SPDX-License-Identifier: GPL-2.0-only
/* The old kernel's half: plans. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "library.h"

static void names(void)
{
	char most[LU_NAME_BYTES + 1];
	struct lu_plan *p;

	CHECK_RC(lu_plan_new(&p), 0);
	memset(most, 'x', sizeof(most));
	most[LU_NAME_BYTES] = 0;
	CHECK_RC(lu_plan_blob(p, "", "x", 1), -EINVAL);
	CHECK_RC(lu_plan_blob(p, most, "x", 1), -EINVAL);
	CHECK_RC(lu_plan_blob(p, "two\nlines", "x", 1), -EINVAL);
	CHECK_RC(lu_plan_blob(p, "nothing", "x", 0), -EINVAL);
	CHECK_RC(lu_plan_blob(p, "nothing", NULL, 1), -EINVAL);
	CHECK_RC(lu_plan_blob(p, most + 1, "x", 1), 0);
	CHECK_RC(lu_plan_blob(p, most + 1, "x", 1), -EEXIST);
	CHECK_RC(lu_plan_blob(p, "der Zustand \xc3\xbc", "x", 1), 0);
	lu_plan_free(p);
	lu_plan_free(NULL);
}

static void kinds(void)
{
	struct lu_plan *p;
	struct vmm vmm;
	int pipes[2];

	vmm_start(&vmm);
	CHECK(!pipe(pipes));
	CHECK_RC(lu_plan_new(&p), 0);
	CHECK_RC(lu_plan_memfd(p, "a", pipes[0]), -EMEDIUMTYPE);
	CHECK_RC(lu_plan_memfd(p, "a", vmm.iommufd), -EMEDIUMTYPE);
	CHECK_RC(lu_plan_memfd(p, "a", -1), -EBADF);
	CHECK_RC(lu_plan_iommufd(p, "a", vmm.ram), -EMEDIUMTYPE);
	CHECK_RC(lu_plan_iommufd(p, "a", 99), -EBADF);
	CHECK_RC(lu_plan_hwpt(p, "a", "iommu", 1, 0), -ENOENT);
	CHECK_RC(lu_plan_iommufd(p, "iommu", vmm.iommufd), 0);
	CHECK_RC(lu_plan_hwpt(p, "gpa", "iommu", vmm.hwpt, 0), 0);
	CHECK_RC(lu_plan_device(p, "a", vmm.ram, "gpa", BDF), -EMEDIUMTYPE);
	CHECK_RC(lu_plan_device(p, "a", vmm.device, "iommu", BDF), -ENOENT);
	CHECK_RC(lu_plan_device(p, "a", vmm.device, "gpa", "00:05.0"), -EINVAL);
	CHECK_RC(lu_plan_device(p, "a", vmm.device, "gpa", "../../../x/05.0"),
		 -EINVAL);
	CHECK_RC(lu_plan_device(p, "a", vmm.device, "gpa", NULL), 0);
	lu_plan_free(p);
	vmm_end(&vmm);
	close(pipes[0]);
	close(pipes[1]);
}

static void ranges(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_plan *p;
	struct vmm vmm;

	vmm_start(&vmm);
	p = vmm_plan(&vmm);
	CHECK_RC(lu_plan_map(p, "gpa", RAM_BYTES, PAGE, "rom", 0, LU_READ),
		 -ENOENT);
	CHECK_RC(lu_plan_map(p, "gpa", 1, PAGE, "ram", 0, LU_READ), -EINVAL);
	CHECK_RC(lu_plan_map(p, "gpa", RAM_BYTES, PAGE + 1, "ram", 0, LU_READ),
		 -EINVAL);
	CHECK_RC(lu_plan_map(p, "gpa", RAM_BYTES, 0, "ram", 0, LU_READ),
		 -EINVAL);
	CHECK_RC(lu_plan_map(p, "gpa", RAM_BYTES, PAGE, "ram", RAM_BYTES,
			     LU_READ),
		 -EINVAL);
	CHECK_RC(lu_plan_map(p, "gpa", RAM_BYTES, RAM_BYTES, "ram", PAGE,
			     LU_READ),
		 -EINVAL);
	CHECK_RC(lu_plan_map(p, "gpa", RAM_BYTES, PAGE, "ram", 0, 0), -EINVAL);
	CHECK_RC(lu_plan_map(p, "gpa", RAM_BYTES, PAGE, "ram", 0, 4), -EINVAL);
	CHECK_RC(lu_plan_map(p, "gpa", -PAGE, 2 * PAGE, "ram", 0, LU_READ),
		 -EINVAL);
	CHECK_RC(lu_plan_map(p, "gpa", -PAGE, PAGE, "ram", 0, LU_READ), 0);
	CHECK_RC(lu_plan_check(p, &err), 0);
	CHECK_RC(lu_plan_map(p, "gpa", 3 * PAGE, PAGE, "ram", 0, LU_READ), 0);
	CHECK_RC(lu_plan_check(p, &err), -EEXIST);
	CHECK(err.why == LU_WHY_PLAN && !strcmp(err.subject, "gpa"));
	lu_plan_free(p);
	vmm_end(&vmm);
}

/* A plan from which something is left out is refused before anything is done. */
static void incomplete(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	struct lu_plan *p;
	struct vmm vmm;

	vmm_start(&vmm);
	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	CHECK_RC(lu_plan_new(&p), 0);
	CHECK_RC(lu_plan_preserve(p, s, &err), -EINVAL);
	CHECK(err.why == LU_WHY_PLAN && err.code == -EINVAL);
	CHECK_RC(lu_plan_memfd(p, "ram", vmm.ram), 0);
	CHECK_RC(lu_plan_iommufd(p, "iommu", vmm.iommufd), 0);
	CHECK_RC(lu_plan_preserve(p, s, &err), -EINVAL);
	CHECK(!strcmp(err.subject, "iommu"));
	CHECK_RC(lu_plan_hwpt(p, "gpa", "iommu", vmm.hwpt, 0), 0);
	CHECK_RC(lu_plan_preserve(p, s, &err), -EINVAL);
	CHECK(!strcmp(err.subject, "gpa"));
	CHECK_RC(lu_plan_hwpt(p, "again", "iommu", vmm.hwpt, 0), 0);
	CHECK_RC(lu_plan_maps(p, "gpa", vmm.ioas, &err), 0);
	CHECK_RC(lu_plan_preserve(p, s, &err), -EEXIST);
	CHECK(!standin_preserved() && !standin_marked());
	/* Not what the plan says any more */
	CHECK(!ftruncate(vmm.ram, RAM_BYTES + PAGE));
	CHECK_RC(lu_plan_preserve(p, s, &err), -EINVAL);
	CHECK(!strcmp(err.subject, "ram") && err.why == LU_WHY_PLAN);
	lu_plan_free(p);
	lu_session_free(s);
	vmm_end(&vmm);
}

static void unbound(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	struct lu_plan *p;
	struct vmm vmm;
	int second;

	vmm_start(&vmm);
	second = standin_device("0000:00:06.0");
	p = vmm_plan(&vmm);
	CHECK_RC(lu_plan_device(p, "disk", second, "gpa", NULL), 0);
	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	CHECK_RC(lu_plan_preserve(p, s, &err), -EPERM);
	CHECK(err.why == LU_WHY_ORDER && !strcmp(err.subject, "disk"));
	CHECK(!standin_preserved() && !standin_marked());
	lu_plan_free(p);
	lu_session_free(s);
	close(second);
	vmm_end(&vmm);
}

/* The kernel finds something that the plan does not: all is as it was. */
static void refused(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	struct lu_plan *p;
	struct vmm vmm;

	vmm_start(&vmm);
	standin_map_other(vmm.iommufd, vmm.ioas, 1ul << 32, PAGE);
	p = vmm_plan(&vmm);
	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	CHECK_RC(lu_plan_preserve(p, s, &err), -EINVAL);
	CHECK(err.why == LU_WHY_MEMORY && !strcmp(err.subject, "iommu"));
	CHECK(!standin_preserved() && !standin_marked());
	CHECK(lu_session_fd(s) < 0);
	CHECK_RC(lu_plan_preserve(p, s, &err), -EBADF);
	lu_session_free(s);
	lu_plan_free(p);
	vmm_end(&vmm);
}

static void maps(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_plan *p;
	struct vmm vmm;

	vmm_start(&vmm);
	p = vmm_plan_bare(&vmm);
	CHECK_RC(lu_plan_maps(p, "none", vmm.ioas, &err), -ENOENT);
	CHECK_RC(lu_plan_maps(p, "gpa", vmm.ioas, &err), 0);
	CHECK_RC(lu_plan_check(p, &err), 0);
	standin_map_other(vmm.iommufd, vmm.ioas, 1ul << 32, PAGE);
	CHECK_RC(lu_plan_maps(p, "gpa", vmm.ioas, &err), -EINVAL);
	CHECK(err.why == LU_WHY_MEMORY && strstr(err.text, "0x100000000, 4096"));
	/* What it had added before that is gone again. */
	CHECK_RC(lu_plan_check(p, &err), 0);
	standin_can(false, true);
	CHECK_RC(lu_plan_maps(p, "gpa", vmm.ioas, &err), -ENOTSUP);
	CHECK(err.why == LU_WHY_UNSUPPORTED);
	lu_plan_free(p);
	vmm_end(&vmm);
}

static void undo(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	struct lu_plan *p;
	struct vmm vmm;

	vmm_start(&vmm);
	p = vmm_plan(&vmm);
	for (int i = 0; i < 3; i++) {
		CHECK_RC(lu_session_create("vm", &s, &err), 0);
		CHECK_RC(lu_plan_preserve(p, s, &err), 0);
		/* memory, blob, iommufd, device, map */
		CHECK(standin_preserved() == 5 && standin_marked() == 1);
		CHECK_RC(lu_plan_undo(p, s, &err), 0);
		CHECK(!standin_preserved() && !standin_marked());
		lu_session_free(s);
	}
	lu_plan_free(p);
	vmm_end(&vmm);
}

static void undo_with_copy(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	struct lu_plan *p;
	struct vmm vmm;
	int copy;

	vmm_start(&vmm);
	p = vmm_plan(&vmm);
	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	CHECK_RC(lu_plan_preserve(p, s, &err), 0);
	copy = dup(lu_session_fd(s));
	CHECK_RC(lu_plan_undo(p, s, &err), -EBUSY);
	CHECK(err.why == LU_WHY_PRESERVED && standin_preserved() == 5);
	close(copy);
	CHECK_RC(lu_plan_undo(p, s, &err), 0);
	CHECK(!standin_preserved() && !standin_marked());
	lu_session_free(s);
	lu_plan_free(p);
	vmm_end(&vmm);
}

/* There and back. What a failure has left is only what undo takes away. */
static int whole(struct lu_plan *p, struct lu_error *err)
{
	struct lu_session *s = NULL;
	int rc;

	rc = lu_session_create("vm", &s, err);
	if (rc) {
		CHECK(!s);
		return rc;
	}
	rc = lu_plan_preserve(p, s, err);
	rc = rc ? rc : lu_plan_undo(p, s, err);
	CHECK(!rc || lu_session_fd(s) < 0 || !standin_preserved());
	standin_fail(0, 0);
	CHECK_RC(lu_plan_undo(p, s, NULL), 0);
	lu_session_free(s);
	return rc;
}

/* Whatever fails: it says so, all is as before, and it works the next time. */
static void each_call_fails(void)
{
	const int errors[] = { ENOMEM, EINTR, EBUSY, EIO, EINVAL };
	struct lu_plan *p;
	struct vmm vmm;

	vmm_start(&vmm);
	p = vmm_plan(&vmm);
	for (unsigned int i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		unsigned int n = 0, failures = 0;
		int rc;

		do {
			struct lu_error err = LU_ERROR_INIT;

			standin_fail(++n, errors[i]);
			rc = whole(p, &err);
			failures += !!rc;
			if (rc)
				CHECK(err.code == rc && *err.text);
			CHECK(!standin_preserved() && !standin_marked());
			CHECK(!standin_node_open());
		} while (n < 100);
		CHECK_RC(rc, 0);
		CHECK(failures > 10);
	}
	lu_plan_free(p);
	vmm_end(&vmm);
}

const struct test plan_tests[] = {
	{ "names", names },
	{ "kinds", kinds },
	{ "ranges", ranges },
	{ "incomplete", incomplete },
	{ "unbound", unbound },
	{ "refused", refused },
	{ "maps", maps },
	{ "undo", undo },
	{ "undo-with-copy", undo_with_copy },
	{ "each-call-fails", each_call_fails },
	{ NULL, NULL },
};
