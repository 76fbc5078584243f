// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "load.h"

static const struct {
	int code;
	const char *why;
} reasons[] = {
	{ EPERM, "that takes root, and a kernel that lets an image be loaded" },
	{ ENOSYS, "this kernel has no kexec_file_load()" },
	{ ENOEXEC, "it is no kernel image" },
	{ EADDRNOTAVAIL,
	  "there is no room for it: boot with a larger kho_scratch=" },
	{ EKEYREJECTED, "this kernel does not trust its signature" },
	{ ENOKEY, "this kernel has no key for its signature" },
	{ ENODATA, "it has no signature, and has to have one here" },
	{ EBUSY, "somebody else is loading one" },
};

static const char *reason(int code)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].code == code)
			return reasons[i].why;
	return strerror(code);
}

static int open_or_say(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	fd = -errno;
	complain("%s cannot be read: %s.", path, strerror(-fd));
	return fd;
}

static int call(int kernel, int initrd, const char *line)
{
	unsigned long flags = initrd < 0 ? KEXEC_FILE_NO_INITRAMFS : 0;

	return syscall(SYS_kexec_file_load, kernel, initrd, strlen(line) + 1,
		       line, flags) ?
		       -errno :
		       0;
}

int load_image(const char *image, const char *initrd, const char *line)
{
	int kernel, disk = -1, rc;

	kernel = open_or_say(image);
	if (kernel < 0)
		return kernel;
	if (initrd) {
		disk = open_or_say(initrd);
		if (disk < 0) {
			close(kernel);
			return disk;
		}
	}
	rc = call(kernel, disk, line);
	close(kernel);
	if (disk >= 0)
		close(disk);
	if (rc) {
		complain("%s cannot be loaded: %s.", image, reason(-rc));
		return rc;
	}
	rc = loaded_note(image, initrd, line);
	if (rc)
		complain("it is loaded, but /run/luctl cannot be written: %s.",
			 strerror(-rc));
	return 0;
}

int load_nothing(void)
{
	if (syscall(SYS_kexec_file_load, -1, -1, 0ul, NULL, KEXEC_FILE_UNLOAD))
		return -errno;
	loaded_note(NULL, NULL, NULL);
	return 0;
}

static int unload(void)
{
	int rc = load_nothing();

	if (!rc)
		return EXIT_TAKEN;
	complain("what is loaded cannot be dropped: %s.", reason(-rc));
	return EXIT_REFUSED;
}

int verb_load(const struct request *req)
{
	struct check c;
	int code;

	if (!req->subject == !req->unload) {
		complain("either luctl load IMAGE, or luctl load --unload.");
		return EXIT_CANNOT;
	}
	if (req->unload)
		return unload();
	check_begin(&c, req);
	check_next(&c);
	code = findings_code(&c.found);
	if (code)
		findings_print(&c.found, stderr);
	else if (load_image(c.path, c.initrd, c.line))
		code = EXIT_REFUSED;
	check_end(&c);
	return code;
}
