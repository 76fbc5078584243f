// SPDX-License-Identifier: GPL-2.0-only
/* The new kernel's half: guests. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "library.h"

static struct lu_guest *arrive(struct lu_session **ret, struct lu_error *err)
{
	struct lu_guest *g = NULL;

	CHECK_RC(lu_session_retrieve("vm", ret, err), 0);
	CHECK_RC(lu_guest_open(*ret, &g, err), 0);
	return g;
}

static void leave(struct lu_guest *g, struct lu_session *s)
{
	lu_guest_free(g);
	lu_session_free(s);
}

static void restore(void)
{
	struct lu_error err = LU_ERROR_INIT;
	uint32_t ioas, hwpt, devid;
	struct lu_session *s;
	struct lu_guest *g;
	char text[6] = "";
	size_t length = 0;

	vmm_jump("vm");
	g = arrive(&s, &err);
	CHECK(lu_session_direction(s) == LU_IN);
	CHECK(!strcmp(lu_guest_name(g, LU_DEVICE, 0), "nic"));
	CHECK(!lu_guest_name(g, LU_DEVICE, 1));
	CHECK(!strcmp(lu_guest_address(g, "nic"), BDF));
	CHECK(pread(lu_guest_fd(g, "ram"), text, 5, PAGE) == 5);
	CHECK(!strcmp(text, "guest"));
	CHECK(!memcmp(lu_guest_blob(g, "vcpu", &length), "state", 5));
	CHECK(length == 5 && !lu_guest_blob(g, "ram", &length));
	CHECK_RC(lu_guest_fd(g, "nic"), -EAGAIN);
	CHECK_RC(lu_guest_fd(g, "disk"), -ENOENT);
	CHECK_RC(lu_guest_hwpt(g, "gpa", &ioas, &hwpt), -EAGAIN);
	CHECK_RC(lu_guest_restore(g, 0, &err), 0);
	CHECK(lu_guest_fd(g, "nic") >= 0);
	CHECK_RC(lu_guest_hwpt(g, "gpa", &ioas, &hwpt), 0);
	CHECK_RC(lu_guest_devid(g, "nic", &devid), 0);
	CHECK(!standin_restored() && !standin_incoming());
	CHECK(standin_maps(lu_guest_fd(g, "iommu"), hwpt) == 1);
	CHECK_RC(lu_guest_restore(g, 0, &err), 0);
	leave(g, s);
}

/* Each step says what is missing before it. */
static void order(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	struct lu_guest *g;

	vmm_jump("vm");
	g = arrive(&s, &err);
	CHECK_RC(lu_guest_finish(g, &err), -EBUSY);
	CHECK(err.why == LU_WHY_NOT_RETRIEVED && err.token != LU_NO_TOKEN);
	CHECK_RC(lu_guest_destroy(g, &err), -EBUSY);
	CHECK(err.why == LU_WHY_NOT_RETRIEVED && !strcmp(err.subject, "iommu"));
	CHECK_RC(lu_guest_bind(g, &err), -EAGAIN);
	CHECK(err.why == LU_WHY_ORDER && !strcmp(err.subject, "nic"));
	CHECK_RC(lu_guest_take(g, 0, &err), 0);
	CHECK_RC(lu_guest_rebuild(g, &err), -EAGAIN);
	CHECK(err.why == LU_WHY_ORDER);
	CHECK_RC(lu_guest_bind(g, &err), 0);
	CHECK_RC(lu_guest_swap(g, &err), -EAGAIN);
	CHECK(err.why == LU_WHY_ORDER && !strcmp(err.subject, "gpa"));
	CHECK_RC(lu_guest_rebuild(g, &err), 0);
	CHECK_RC(lu_guest_finish(g, &err), -EBUSY);
	CHECK(err.why == LU_WHY_HWPT);
	CHECK_RC(lu_guest_swap(g, &err), 0);
	CHECK_RC(lu_guest_destroy(g, &err), 0);
	CHECK_RC(lu_guest_finish(g, &err), 0);
	leave(g, s);
}

static void attached(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	struct lu_guest *g;
	uint32_t restored;

	vmm_jump("vm");
	g = arrive(&s, &err);
	CHECK_RC(lu_guest_take(g, 0, &err), 0);
	CHECK_RC(lu_guest_bind(g, &err), 0);
	CHECK_RC(lu_hwpt_restored(lu_guest_fd(g, "iommu"),
				  LU_TOKEN_PLAN + 3, &restored), 0);
	CHECK_RC(lui_device_attach(lu_guest_fd(g, "nic"), restored), 0);
	CHECK_RC(lu_guest_rebuild(g, &err), 0);
	CHECK_RC(lu_guest_destroy(g, &err), -EBUSY);
	CHECK(err.why == LU_WHY_ATTACHED && !strcmp(err.subject, "nic"));
	CHECK_RC(lu_guest_restore(g, 0, &err), 0);
	leave(g, s);
}

/* All that the guest maps is there again, as two ranges. */
static void check_two_maps(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	struct lu_guest *g;
	uint32_t hwpt;

	g = arrive(&s, &err);
	CHECK_RC(lu_guest_restore(g, 0, &err), 0);
	CHECK_RC(lu_guest_hwpt(g, "gpa", NULL, &hwpt), 0);
	CHECK(standin_maps(lu_guest_fd(g, "iommu"), hwpt) == 2);
	leave(g, s);
}

/* Pieces that lie beside each other are mapped as one. */
static void largest_ranges(void)
{
	struct lu_plan *p;
	struct vmm vmm;

	vmm_start(&vmm);
	p = vmm_plan_bare(&vmm);
	for (unsigned int i = 0; i < 16; i++)
		CHECK_RC(lu_plan_map(p, "gpa", (15 - i) * 4 * PAGE, 4 * PAGE,
				     "ram", (15 - i) * 4 * PAGE,
				     i < 8 ? LU_READ : LU_READ | LU_WRITE),
			 0);
	CHECK_RC(lu_plan_device(p, "nic", vmm.device, "gpa", BDF), 0);
	vmm_hand_over(&vmm, p, "vm");
	check_two_maps();
}

/* BARs that devices reach are mapped again, as dma-bufs of the new kernel. */
static void bars(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_plan *p;
	struct vmm vmm;
	int buf;

	vmm_start(&vmm);
	buf = lui_device_dmabuf(vmm.device, 0, 0, PAGE);
	CHECK_RC(lui_map_file(vmm.iommufd, vmm.ioas, 1ul << 32, PAGE, buf, 0,
			     LU_READ | LU_WRITE), 0);
	close(buf);
	p = vmm_plan_bare(&vmm);
	CHECK_RC(lu_plan_device(p, "nic", vmm.device, "gpa", BDF), 0);
	CHECK_RC(lu_plan_maps(p, "gpa", vmm.ioas, &err), -EINVAL);
	CHECK(err.why == LU_WHY_MEMORY && strstr(err.text, "lu_plan_bar"));
	CHECK_RC(lu_plan_bar(p, "gpa", 1ul << 32, PAGE, "disk", 0, 0, LU_READ),
		 -ENOENT);
	CHECK_RC(lu_plan_bar(p, "gpa", 1ul << 32, PAGE, "nic", 6, 0, LU_READ),
		 -EINVAL);
	CHECK_RC(lu_plan_bar(p, "gpa", 1ul << 32, PAGE, "nic", 0, 0,
			     LU_READ | LU_WRITE), 0);
	CHECK_RC(lu_plan_maps(p, "gpa", vmm.ioas, &err), 0);
	vmm_hand_over(&vmm, p, "vm");
	check_two_maps();
}

static void driver_late(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	struct lu_guest *g;

	vmm_jump("vm");
	g = arrive(&s, &err);
	standin_driver_late(3);
	CHECK_RC(lu_guest_take(g, 0, &err), -EAGAIN);
	CHECK(err.why == LU_WHY_NO_DRIVER && strstr(err.text, BDF));
	CHECK_RC(lu_guest_restore(g, -1, &err), 0);
	leave(g, s);
}

static void without_a_device(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	struct lu_guest *g;

	vmm_jump("vm");
	standin_reject(BDF);
	g = arrive(&s, &err);
	CHECK_RC(lu_guest_take(g, 0, &err), -EIO);
	CHECK(err.why == LU_WHY_LOST);
	CHECK_RC(lu_guest_drop(g, "disk"), -ENOENT);
	CHECK_RC(lu_guest_drop(g, "nic"), 0);
	CHECK_RC(lu_guest_restore(g, 0, &err), 0);
	CHECK_RC(lu_guest_fd(g, "nic"), -EAGAIN);
	leave(g, s);
}

/* An owner that dies after any step: the next one takes it all apart. */
static void reap(void)
{
	for (int steps = 0; steps <= 5; steps++) {
		struct lu_error err = LU_ERROR_INIT;
		struct lu_session *s;
		struct lu_guest *g;

		standin_reset();
		vmm_jump("vm");
		g = arrive(&s, &err);
		if (steps > 0)
			CHECK_RC(lu_guest_take(g, 0, &err), 0);
		if (steps > 1)
			CHECK_RC(lu_guest_bind(g, &err), 0);
		if (steps > 2)
			CHECK_RC(lu_guest_rebuild(g, &err), 0);
		if (steps > 3)
			CHECK_RC(lu_guest_swap(g, &err), 0);
		if (steps > 4)
			CHECK_RC(lu_guest_destroy(g, &err), 0);
		leave(g, s);
		g = arrive(&s, &err);
		if (steps > 1) {
			CHECK_RC(lu_guest_restore(g, 0, &err), -EALREADY);
			CHECK(strstr(err.text, "reap"));
		}
		CHECK_RC(lu_guest_reap(g, 0, &err), 0);
		CHECK(!standin_restored() && !standin_incoming());
		leave(g, s);
	}
}

/* Whatever fails, the step can be tried again, and no output is written. */
static void each_call_fails(void)
{
	const int errors[] = { ENOMEM, EAGAIN, EBUSY, EIO };

	for (unsigned int i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		unsigned int n = 0, count;

		do {
			struct lu_error err = LU_ERROR_INIT;
			struct lu_session *s = NULL;
			struct lu_guest *g = NULL;
			int rc;

			standin_reset();
			vmm_jump("vm");
			standin_fail(++n, errors[i]);
			rc = lu_session_retrieve("vm", &s, &err);
			rc = rc ? rc : lu_guest_open(s, &g, &err);
			CHECK(!rc == !!g);
			rc = rc ? rc : lu_guest_restore(g, 0, &err);
			count = standin_fail(0, 0);
			if (rc)
				CHECK(err.code == rc && *err.text);
			if (!s)
				CHECK_RC(lu_session_retrieve("vm", &s, &err),
					 0);
			if (!g)
				CHECK_RC(lu_guest_open(s, &g, &err), 0);
			CHECK_RC(lu_guest_restore(g, 1000, &err), 0);
			CHECK(!standin_restored() && !standin_incoming());
			leave(g, s);
		} while (count >= n && n < 1000);
		CHECK(n > 10);
	}
}

static const char *const wrong_maps[] = {
	"",
	"{",
	"[]",
	"no json",
	"{\"version\":1}",
	"{\"version\":1,\"state\":{}}",
	"{\"version\":2,\"kind\":\"libliveupdate\"}",
	"{\"version\":\"1\",\"kind\":\"libliveupdate\"}",
	"{\"version\":1,\"kind\":\"libliveupdate\"}",
	"{\"version\":1,\"kind\":\"libliveupdate\",\"memfds\":{}}",
	"{\"version\":1,\"kind\":\"libliveupdate\",\"memfds\":[1]}",
	"{\"version\":1,\"kind\":\"libliveupdate\",\"memfds\":[{\"name\":\"a\","
	"\"token\":-1,\"bytes\":4096}],\"blobs\":[],\"iommufds\":[],"
	"\"hwpts\":[],\"maps\":[],\"devices\":[],\"bars\":[]}",
	"{\"version\":1,\"kind\":\"libliveupdate\",\"memfds\":[{\"name\":\"a\","
	"\"token\":1.5,\"bytes\":4096}],\"blobs\":[],\"iommufds\":[],"
	"\"hwpts\":[],\"maps\":[],\"devices\":[],\"bars\":[]}",
	"{\"version\":1,\"kind\":\"libliveupdate\",\"memfds\":[],\"blobs\":[],"
	"\"iommufds\":[{\"name\":\"i\",\"token\":5}],\"hwpts\":[{\"name\":"
	"\"h\",\"token\":6,\"iommufd\":\"j\",\"flags\":0}],\"maps\":[],"
	"\"devices\":[],\"bars\":[]}",
};

static void map_of_others(void)
{
	for (unsigned int i = 0; i < sizeof(wrong_maps) / sizeof(*wrong_maps);
	     i++) {
		struct lu_error err = LU_ERROR_INIT;
		struct lu_guest *g = NULL;
		struct lu_session *s;
		int fd, kept;

		standin_reset();
		fd = memfd_create("map", MFD_CLOEXEC);
		CHECK(write(fd, wrong_maps[i], strlen(wrong_maps[i])) >= 0);
		CHECK_RC(lu_session_create("vm", &s, &err), 0);
		CHECK_RC(lu_session_preserve(s, fd, 0, &err), 0);
		kept = dup(lu_session_fd(s));
		lu_session_free(s);
		close(fd);
		standin_kexec();
		close(kept);
		CHECK_RC(lu_session_retrieve("vm", &s, &err), 0);
		CHECK_RC(lu_guest_open(s, &g, &err), -EBADMSG);
		CHECK(err.why == LU_WHY_MAP && !g);
		lu_session_free(s);
	}
}

static void no_map(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	struct lu_guest *g;
	int kept;

	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	CHECK_RC(lu_guest_open(s, &g, &err), -EINVAL);
	CHECK(err.why == LU_WHY_DIRECTION);
	kept = dup(lu_session_fd(s));
	lu_session_free(s);
	standin_kexec();
	close(kept);
	CHECK_RC(lu_session_retrieve("vm", &s, &err), 0);
	CHECK_RC(lu_guest_open(s, &g, &err), -EBADMSG);
	CHECK(err.why == LU_WHY_MAP);
	lu_session_free(s);
}

const struct test guest_tests[] = {
	{ "restore", restore },
	{ "order", order },
	{ "attached", attached },
	{ "largest-ranges", largest_ranges },
	{ "bars", bars },
	{ "driver-late", driver_late },
	{ "without-a-device", without_a_device },
	{ "reap", reap },
	{ "each-call-fails-after", each_call_fails },
	{ "map-of-others", map_of_others },
	{ "no-map", no_map },
	{ NULL, NULL },
};
