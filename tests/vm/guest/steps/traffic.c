// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <unistd.h>

#include "report.h"
#include "wire.h"
#include "traffic.h"

/* The host gives up first. */
#define HOST_SECONDS 300
/* Looks in a row, 10 ms apart, that have to find nothing. */
#define QUIET_LOOKS 30

static uint64_t frames_so_far(const struct vm *vm)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < vm->devices; i++)
		if (device_frames(&vm->device[i]))
			sum += device_progress(&vm->device[i]);
	return sum;
}

bool traffic_stop_host(void)
{
	int rc;

	event("stop-sending");
	rc = wire_wait("stop", HOST_SECONDS);
	return check("host-stopped", !rc, "%s", errno_name(rc));
}

bool traffic_reads_home(const char *name)
{
	int rc;

	event("reads-home");
	rc = wire_wait("reads-home", HOST_SECONDS);
	return check(name, !rc, "%s", errno_name(rc));
}

void traffic_quiet(struct vm *vm)
{
	uint64_t last = 0;
	int quiet = 0;

	while (quiet < QUIET_LOOKS) {
		uint64_t now = frames_so_far(vm);

		quiet = now == last ? quiet + 1 : 0;
		last = now;
		usleep(10000);
	}
	pump_stop(&vm->pump);
}

void traffic_drain(struct vm *vm)
{
	traffic_stop_host();
	traffic_quiet(vm);
}

void traffic_rate(unsigned int frames_per_second)
{
	char answer[32];

	event("rate n=%u", frames_per_second);
	snprintf(answer, sizeof(answer), "rate-%u", frames_per_second);
	if (wire_wait(answer, HOST_SECONDS))
		value_text("rate", "the host did not answer");
	else
		value("rate", frames_per_second);
}

static void check_frames(const char *name, const struct frame_tally *s)
{
	check(name, s->received && !frames_errors(s),
	      "%llu received, %llu missing, %llu repeated, %llu damaged, "
	      "%llu foreign, %llu slots passed over",
	      (unsigned long long)s->received, (unsigned long long)s->missing,
	      (unsigned long long)s->repeated, (unsigned long long)s->damaged,
	      (unsigned long long)s->foreign, (unsigned long long)s->holes);
}

static void check_nvme(const char *name, const struct nvme_state *s)
{
	check(name,
	      s->completed && !s->data_errors && !s->status_errors && !s->stray,
	      "%llu of %llu reads done, %llu with wrong data, %llu refused, "
	      "%llu never asked for",
	      (unsigned long long)s->completed,
	      (unsigned long long)s->submitted,
	      (unsigned long long)s->data_errors,
	      (unsigned long long)s->status_errors,
	      (unsigned long long)s->stray);
}

void traffic_check(struct vm *vm, const char *suffix)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		const struct frame_tally *frames =
			device_frames(&vm->device[i]);
		const struct device_state *s = vm->device[i].state;
		char name[64];

		if (frames) {
			snprintf(name, sizeof(name), "frames-%s%s", s->bdf,
				 suffix);
			check_frames(name, frames);
		} else {
			snprintf(name, sizeof(name), "reads-%s%s", s->bdf,
				 suffix);
			check_nvme(name, &s->nvme);
		}
	}
}

void traffic_blob(const char *name, const struct memory *m,
		  const struct device *nic)
{
	const struct frame_tally *frames = device_frames(nic);

	wire_blob(name, memory_at(m, frames->log),
		  frames->log_count * sizeof(struct frame_record));
}

void traffic_blobs(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		const struct frame_tally *frames =
			device_frames(&vm->device[i]);
		char name[32] = "frames";

		if (!frames)
			continue;
		if (frames->stream)
			snprintf(name, sizeof(name), "frames-%s",
				 vm->device[i].state->bdf);
		traffic_blob(name, &vm->memory, &vm->device[i]);
	}
}

void traffic_values(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		const struct frame_tally *frames =
			device_frames(&vm->device[i]);
		const struct device_state *s = vm->device[i].state;
		char name[48];

		if (!frames) {
			snprintf(name, sizeof(name), "cq-%s", s->bdf);
			value_text(name, "%#llx",
				   (unsigned long long)memory_iova(s->nvme.cq));
			continue;
		}
		snprintf(name, sizeof(name), "stream-%s", s->bdf);
		if (frames->stream != STREAM_ANY)
			value(name, frames->stream);
		snprintf(name, sizeof(name), "received-%s", s->bdf);
		value(name, frames->received);
	}
}
