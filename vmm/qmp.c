// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "files.h"
#include "qmp.h"

/* The next object that QEMU says; NULL with @why. */
static json_object *hear(struct qmp *qmp, struct why *why)
{
	struct pollfd ready = { .fd = qmp->fd, .events = POLLIN };
	json_object *object;
	ssize_t got;

	for (;;) {
		if (qmp->begin < qmp->end) {
			object = json_tokener_parse_ex(qmp->parser,
						       qmp->text + qmp->begin,
						       qmp->end - qmp->begin);
			qmp->begin += json_tokener_get_parse_end(qmp->parser);
			if (object)
				return object;
			if (json_tokener_get_error(qmp->parser) !=
			    json_tokener_continue) {
				because(why, -EPROTO,
					"what QEMU's monitor says is not JSON");
				return NULL;
			}
		}
		if (poll(&ready, 1, qmp->timeout_ms) == 0) {
			because(why, -ETIMEDOUT,
				"QEMU's monitor does not answer");
			return NULL;
		}
		got = read(qmp->fd, qmp->text, sizeof(qmp->text));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			because(why, -EPIPE, "QEMU's monitor is gone");
			return NULL;
		}
		qmp->begin = 0;
		qmp->end = got;
	}
}

static int say(struct qmp *qmp, json_object *object, struct why *why)
{
	const char *text = json_object_to_json_string(object);
	size_t length = text ? strlen(text) : 0;

	while (length) {
		ssize_t put = send(qmp->fd, text, length, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return because(why, -errno,
				       "QEMU's monitor is gone: %m");
		text += put;
		length -= put;
	}
	return 0;
}

/* Events are nobody's business here. */
static json_object *answer(struct qmp *qmp, const char *command,
			   struct why *why)
{
	json_object *object, *part;

	while ((object = hear(qmp, why))) {
		if (json_object_object_get_ex(object, "return", &part)) {
			json_object_get(part);
			json_object_put(object);
			return part;
		}
		if (json_object_object_get_ex(object, "error", &part)) {
			because(why, -EREMOTEIO, "QEMU refuses %s: %s", command,
				text_of(part, "desc"));
			json_object_put(object);
			return NULL;
		}
		json_object_put(object);
	}
	return NULL;
}

json_object *qmp_ask(struct qmp *qmp, const char *command, json_object *args,
		     struct why *why)
{
	json_object *object = json_object_new_object();
	int rc;

	json_object_object_add(object, "execute",
			       json_object_new_string(command));
	if (args)
		json_object_object_add(object, "arguments", args);
	rc = say(qmp, object, why);
	json_object_put(object);
	return rc ? NULL : answer(qmp, command, why);
}

int qmp_do(struct qmp *qmp, const char *command, json_object *args,
	   struct why *why)
{
	json_object *got = qmp_ask(qmp, command, args, why);

	json_object_put(got);
	return got ? 0 : -EREMOTEIO;
}

static int number_at(json_object *object, const char *key)
{
	return json_object_get_int(json_object_object_get(object, key));
}

static int greet(struct qmp *qmp, struct why *why)
{
	json_object *hello = hear(qmp, why), *part = NULL;
	bool known = json_object_object_get_ex(hello, "QMP", &part) &&
		     json_object_object_get_ex(part, "version", &part) &&
		     json_object_object_get_ex(part, "qemu", &part);

	if (!hello)
		return -EPROTO;
	qmp->major = number_at(part, "major");
	qmp->minor = number_at(part, "minor");
	json_object_put(hello);
	if (!known)
		return because(why, -EPROTO,
			       "what listens there is not QEMU's monitor");
	return qmp_do(qmp, "qmp_capabilities", NULL, why);
}

static int reach(struct qmp *qmp, const char *path, struct why *why)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (strlen(path) >= sizeof(to.sun_path))
		return because(why, -ENAMETOOLONG,
			       "%s is too long for a socket", path);
	strcpy(to.sun_path, path);
	qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (qmp->fd < 0)
		return because(why, -errno, "no socket: %m");
	if (connect(qmp->fd, (struct sockaddr *)&to, sizeof(to)) ||
	    getsockopt(qmp->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		return because(why, -errno,
			       "QEMU's monitor %s cannot be reached: %m", path);
	qmp->pid = peer.pid;
	qmp->parser = json_tokener_new();
	return qmp->parser ? 0 : because(why, -ENOMEM, "no memory");
}

int qmp_open(struct qmp *qmp, const struct request *req, struct why *why)
{
	char path[PATH_MAX];
	int rc = 0;

	*qmp = (struct qmp){ .fd = -1, .timeout_ms = req->timeout_ms };
	if (!req->monitor)
		rc = file_path(path, req, FILE_MONITOR, why);
	if (!rc)
		rc = reach(qmp, req->monitor ? req->monitor : path, why);
	if (!rc)
		rc = greet(qmp, why);
	if (rc)
		qmp_close(qmp);
	return rc;
}

void qmp_close(struct qmp *qmp)
{
	if (qmp->fd >= 0)
		close(qmp->fd);
	qmp->fd = -1;
	if (qmp->parser)
		json_tokener_free(qmp->parser);
	qmp->parser = NULL;
}

/* Its reason comes with the state, and is all that QEMU has to say of it. */
static int failed(struct qmp *qmp, struct why *why)
{
	json_object *got = qmp_ask(qmp, "query-migrate", NULL, why);

	if (!got)
		return -EREMOTEIO;
	because(why, -EREMOTEIO, "QEMU cannot save it: %s",
		*text_of(got, "error-desc") ? text_of(got, "error-desc") :
					      "its own log says why");
	json_object_put(got);
	return -EREMOTEIO;
}

int qmp_await_exec(struct qmp *qmp, struct why *why)
{
	json_object *said, *data;
	struct why gone;
	bool broken;

	/* It takes as long as it takes; the end of the connection is the exec. */
	qmp->timeout_ms = -1;
	while ((said = hear(qmp, &gone))) {
		broken = !strcmp(text_of(said, "event"), "MIGRATION") &&
			 json_object_object_get_ex(said, "data", &data) &&
			 !strcmp(text_of(data, "status"), "failed");
		json_object_put(said);
		if (broken)
			return failed(qmp, why);
	}
	return 0;
}
