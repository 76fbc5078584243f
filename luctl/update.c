// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks, loads, jumps. The kernel can refuse as long as nothing has been stopped;
 * systemd-shutdown would boot the machine anew when its reboot() is refused. So
 * through systemctl it is done only after a check that has found nothing, and
 * what luctl has loaded is dropped again when it does not come to the jump: a
 * mere reboot would jump into it.
 */
#include <errno.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "check.h"
#include "command.h"
#include "load.h"

static const struct {
	int code;
	const char *why;
} reasons[] = {
	{ EPROTONOSUPPORT,
	  "its kernel does not read what this one writes; the kernel log says what" },
	{ EINVAL, "what is loaded takes no handover" },
	{ EBUSY,
	  "a preserved device is being changed, or not awake; the kernel log names it" },
	{ ENOENT,
	  "memory of a device that is not preserved is mapped; the kernel log has the range" },
	{ EPERM, "that takes root" },
};

static const char *reason(int code)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].code == code)
			return reasons[i].why;
	return strerror(code);
}

static void drop(void)
{
	int rc = load_nothing();

	if (rc)
		complain(
			"what is loaded cannot be dropped: %s. Before any reboot: luctl load --unload.",
			strerror(-rc));
}

static int jump_now(void)
{
	int err;

	sync();
	reboot(LINUX_REBOOT_CMD_KEXEC);
	err = errno;
	drop();
	complain("the kernel has refused: %s. Everything goes on.",
		 reason(err));
	return EXIT_REFUSED;
}

static int jump_by_systemctl(void)
{
	static const char *const argv[] = { "systemctl", "kexec", NULL };
	int code = command_run(argv);

	if (!code)
		return EXIT_TAKEN;
	drop();
	complain("'systemctl kexec' has failed (%d). Everything goes on.",
		 code);
	return EXIT_REFUSED;
}

static int do_it(struct check *c)
{
	if (load_image(c->path, c->initrd, c->line))
		return EXIT_REFUSED;
	return c->now ? jump_now() : jump_by_systemctl();
}

int verb_update(const struct request *req)
{
	struct check c;
	int code;

	check_begin(&c, req);
	check_all(&c);
	code = findings_code(&c.found);
	/* What is ignored cannot be what there is to load. */
	if (!code && !c.path) {
		complain("which image? luctl update IMAGE.");
		code = EXIT_CANNOT;
	} else if (code) {
		findings_print(&c.found, stderr);
	} else {
		code = do_it(&c);
	}
	check_end(&c);
	return code;
}
