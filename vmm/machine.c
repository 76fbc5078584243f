// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "machine.h"

/* The first that can become another program, and the last that was seen */
#define FIRST_MAJOR 10
#define FIRST_MINOR 2
#define LAST_MAJOR 11

#define DEVICES "/machine/peripheral"
#define NAMELESS "/machine/peripheral-anon"

static int check_version(const struct qmp *qmp, struct why *why)
{
	if ((qmp->major > FIRST_MAJOR || (qmp->major == FIRST_MAJOR &&
					  qmp->minor >= FIRST_MINOR)) &&
	    qmp->major <= LAST_MAJOR)
		return 0;
	return because(why, -ENOTSUP,
		       "QEMU %d.%d is not known here, from %d.%d to %d are",
		       qmp->major, qmp->minor, FIRST_MAJOR, FIRST_MINOR,
		       LAST_MAJOR);
}

static int check_state(struct qmp *qmp, struct why *why)
{
	json_object *got = qmp_ask(qmp, "query-status", NULL, why);
	char state[32];

	if (!got)
		return -EPROTO;
	snprintf(state, sizeof(state), "%s", text_of(got, "status"));
	json_object_put(got);
	if (!strcmp(state, "running") || !strcmp(state, "paused"))
		return 0;
	return because(why, -EBUSY, "the guest is in state '%s'", state);
}

/* Memory that is not a file of its own is lost. */
static int check_memory(struct qmp *qmp, struct why *why)
{
	json_object *got = qmp_ask(qmp, "query-memdev", NULL, why), *one;
	int rc = 0;

	if (!got)
		return -EPROTO;
	for (size_t i = 0; i < json_object_array_length(got) && !rc; i++) {
		one = json_object_array_get_idx(got, i);
		if (!json_object_get_boolean(
			    json_object_object_get(one, "share")))
			rc = because(why, -ENOTSUP,
				     "the guest's memory '%s' is not shared; it takes -object memory-backend-memfd,share=on",
				     text_of(one, "id"));
	}
	if (!rc && !json_object_array_length(got))
		rc = because(why, -ENOTSUP,
			     "the guest's memory is QEMU's own; it takes -object memory-backend-memfd,share=on and -M memory-backend=");
	json_object_put(got);
	return rc;
}

int machine_set_mode(struct qmp *qmp, const char *mode, struct why *why)
{
	json_object *args = json_object_new_object();

	json_object_object_add(args, "mode", json_object_new_string(mode));
	return qmp_do(qmp, "migrate-set-parameters", args, why);
}

static int ask_blockers(struct qmp *qmp, struct why *why)
{
	json_object *got = qmp_ask(qmp, "query-migrate", NULL, why), *list;
	int rc = 0;

	if (!got)
		return -EPROTO;
	if (json_object_object_get_ex(got, "blocked-reasons", &list) &&
	    json_object_array_length(list))
		rc = because(why, -ENOTSUP, "QEMU says: %s",
			     json_object_get_string(
				     json_object_array_get_idx(list, 0)));
	json_object_put(got);
	return rc;
}

/* QEMU says what stands against the way that is set. That stays as it was. */
static int check_blockers(struct qmp *qmp, struct why *why)
{
	json_object *was = qmp_ask(qmp, "query-migrate-parameters", NULL, why);
	struct why other;
	int rc = was ? machine_set_mode(qmp, "cpr-exec", why) : -EPROTO;

	if (!rc) {
		rc = ask_blockers(qmp, why);
		machine_set_mode(qmp, text_of(was, "mode"), &other);
	}
	json_object_put(was);
	return rc;
}

/* A property of an object; NULL with @why. */
static json_object *property(struct qmp *qmp, const char *path,
			     const char *name, struct why *why)
{
	json_object *args = json_object_new_object();

	json_object_object_add(args, "path", json_object_new_string(path));
	json_object_object_add(args, "property", json_object_new_string(name));
	return qmp_ask(qmp, "qom-get", args, why);
}

static int check_shared(struct qmp *qmp, struct why *why)
{
	json_object *got = property(qmp, "/machine", "aux-ram-share", why);
	bool on = json_object_get_boolean(got);

	if (!got)
		return -EPROTO;
	json_object_put(got);
	if (on)
		return 0;
	return because(why, -ENOTSUP,
		       "memory of QEMU's devices is not shared; it takes -M aux-ram-share=on");
}

static json_object *children(struct qmp *qmp, const char *path,
			     struct why *why)
{
	json_object *args = json_object_new_object();

	json_object_object_add(args, "path", json_object_new_string(path));
	return qmp_ask(qmp, "qom-list", args, why);
}

static bool is_vfio(json_object *child)
{
	return !strncmp(text_of(child, "type"), "child<vfio-", 11);
}

/* Of query-pci: the device with that id on @list and below its bridges, or NULL */
static json_object *find_pci(json_object *list, const char *id)
{
	json_object *bridge, *below, *found = NULL;

	for (size_t i = 0; list && i < json_object_array_length(list) && !found;
	     i++) {
		json_object *one = json_object_array_get_idx(list, i);

		if (!strcmp(text_of(one, "qdev_id"), id))
			return one;
		if (json_object_object_get_ex(one, "pci_bridge", &bridge) &&
		    json_object_object_get_ex(bridge, "devices", &below))
			found = find_pci(below, id);
	}
	return found;
}

static json_object *bars_of(json_object *device)
{
	json_object *bars = json_object_new_array(), *regions = NULL, *bar;

	json_object_object_get_ex(device, "regions", &regions);
	for (size_t i = 0; regions && i < json_object_array_length(regions);
	     i++) {
		json_object *one = json_object_array_get_idx(regions, i);

		if (strcmp(text_of(one, "type"), "memory"))
			continue;
		bar = json_object_new_object();
		json_object_object_add(
			bar, "bar",
			json_object_get(json_object_object_get(one, "bar")));
		json_object_object_add(
			bar, "address",
			json_object_get(
				json_object_object_get(one, "address")));
		json_object_object_add(
			bar, "size",
			json_object_get(json_object_object_get(one, "size")));
		json_object_array_add(bars, bar);
	}
	return bars;
}

static json_object *find_on_buses(struct qmp *qmp, const char *id,
				  struct why *why)
{
	json_object *buses = qmp_ask(qmp, "query-pci", NULL, why), *list;
	json_object *found = NULL, *bars;

	if (!buses)
		return NULL;
	for (size_t i = 0; i < json_object_array_length(buses) && !found; i++)
		if (json_object_object_get_ex(
			    json_object_array_get_idx(buses, i), "devices",
			    &list))
			found = find_pci(list, id);
	bars = found ? bars_of(found) : NULL;
	if (!bars)
		because(why, -ENOENT,
			"QEMU does not say where the BARs of '%s' are", id);
	json_object_put(buses);
	return bars;
}

/*
 * A device that has no reset of its own QEMU takes for one that needs to be reset
 * with its bus, also when its guest comes back: it would switch it off.
 */
static int check_reset(const char *host, struct why *why)
{
	char path[128], *methods, *save, *word;
	bool own = false;
	size_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.40s/reset_method",
		 host);
	methods = file_read(path, &length);
	for (word = methods ? strtok_r(methods, " \n", &save) : NULL; word;
	     word = strtok_r(NULL, " \n", &save))
		own = own || !strcmp(word, "flr") || !strcmp(word, "af_flr");
	free(methods);
	if (own)
		return 0;
	return because(why, -ENOTSUP,
		       "device %s has no function level reset, and QEMU would switch it off when the guest comes back",
		       host);
}

/* One vfio-pci device, by its id; NULL with @why. */
static json_object *look_device(struct qmp *qmp, const char *id,
				struct why *why)
{
	json_object *host, *iommufd, *bars, *device;
	char path[256];
	const char *last;

	snprintf(path, sizeof(path), DEVICES "/%s", id);
	host = property(qmp, path, "host", why);
	if (host && check_reset(json_object_get_string(host), why)) {
		json_object_put(host);
		return NULL;
	}
	iommufd = host ? property(qmp, path, "iommufd", why) : NULL;
	bars = iommufd ? find_on_buses(qmp, id, why) : NULL;
	if (!bars) {
		json_object_put(host);
		json_object_put(iommufd);
		return NULL;
	}
	last = strrchr(json_object_get_string(iommufd), '/');
	device = json_object_new_object();
	json_object_object_add(device, "name", host);
	json_object_object_add(device, "iommufd",
			       json_object_new_string(last ? last + 1 : ""));
	json_object_object_add(device, "bars", bars);
	json_object_put(iommufd);
	if (last)
		return device;
	because(why, -ENOTSUP,
		"device '%s' does not use iommufd; it takes -object iommufd and iommufd=",
		id);
	json_object_put(device);
	return NULL;
}

static int look_devices(struct qmp *qmp, json_object *devices, struct why *why)
{
	json_object *list = children(qmp, DEVICES, why), *one;
	int rc = list ? 0 : -EPROTO;

	for (size_t i = 0; !rc && i < json_object_array_length(list); i++) {
		one = json_object_array_get_idx(list, i);
		if (!is_vfio(one))
			continue;
		one = look_device(qmp, text_of(one, "name"), why);
		rc = one ? json_object_array_add(devices, one) : -EPROTO;
	}
	json_object_put(list);
	return rc;
}

/* A device without an id cannot be told from others. */
static int check_nameless(struct qmp *qmp, struct why *why)
{
	json_object *list = children(qmp, NAMELESS, why);
	int rc = list ? 0 : -EPROTO;

	for (size_t i = 0; !rc && i < json_object_array_length(list); i++)
		if (is_vfio(json_object_array_get_idx(list, i)))
			rc = because(why, -ENOTSUP,
				     "each vfio-pci device takes an id= on QEMU's command line");
	json_object_put(list);
	return rc;
}

/*
 * As QEMU was started, but for what is to come in, and for -S: whether the guest
 * runs is in its state.
 */
static json_object *command_line(const struct qmp *qmp, struct why *why)
{
	json_object *argv = json_object_new_array();
	char path[64], *text;
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)qmp->pid);
	text = file_read(path, &length);
	if (!text || !length) {
		because(why, -ESRCH, "%s cannot be read", path);
		free(text);
		json_object_put(argv);
		return NULL;
	}
	for (size_t at = 0; at < length; at += strlen(text + at) + 1) {
		if (!strcmp(text + at, "-incoming") ||
		    !strcmp(text + at, "--incoming")) {
			at += strlen(text + at) + 1;
			if (at >= length)
				break;
			continue;
		}
		if (!strcmp(text + at, "-S") || !strcmp(text + at, "--S"))
			continue;
		json_object_array_add(argv, json_object_new_string(text + at));
	}
	free(text);
	return argv;
}

json_object *machine_look(struct qmp *qmp, struct why *why)
{
	json_object *seen = json_object_new_object();
	json_object *devices = json_object_new_array(), *argv;

	json_object_object_add(seen, "devices", devices);
	if (check_version(qmp, why) || check_state(qmp, why) ||
	    check_memory(qmp, why) || check_shared(qmp, why) ||
	    check_blockers(qmp, why) || check_nameless(qmp, why) ||
	    look_devices(qmp, devices, why)) {
		json_object_put(seen);
		return NULL;
	}
	argv = command_line(qmp, why);
	if (!argv) {
		json_object_put(seen);
		return NULL;
	}
	json_object_object_add(seen, "argv", argv);
	return seen;
}
