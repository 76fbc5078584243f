// SPDX-License-Identifier: GPL-2.0-only
/*
 * All there is in a guest of the demo: it reads from the drive that is passed to it,
 * where every block of the first half says which one it is, writes to the second half
 * and reads that back, and answers numbered frames that the card takes. It sets its
 * clock by the host's, as chronyd does with ptp_kvm. Once a second it says on its
 * console what it has seen.
 *
 * With "DRIVE=none" on its kernel's command line it has a card only.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DRIVE "/dev/nvme0n1"
#define CARD "eth0"
#define HOST_CLOCK "/dev/ptp0"
/* More than this is not drift. */
#define STEP_S 0.5
#define BLOCK 512
#define BLOCKS 32768
#define FRAME_TYPE 0x88b5
#define ANSWER_TYPE 0x88b6
#define FRAME_MAGIC 0x4c55464d
#define MODULE_INIT_COMPRESSED_FILE 4

static atomic_uint_fast64_t reads, writes, bad, frames, gaps;

/* Each block has its number in front of each word's. */
static int is_block(const uint64_t *words, uint64_t lba)
{
	for (uint64_t i = 0; i < BLOCK / sizeof(*words); i++)
		if (le64toh(words[i]) != (lba << 8 | i))
			return 0;
	return 1;
}

static void *drive(void *unused)
{
	uint64_t words[BLOCK / 8] __attribute__((aligned(4096)));
	uint64_t lba = 1;
	int fd = open(DRIVE, O_RDONLY | O_DIRECT);

	(void)unused;
	if (fd < 0)
		printf("guest: " DRIVE ": %m\n");
	while (fd >= 0) {
		lba = (lba * 25173 + 13849) % (BLOCKS / 2);
		if (pread(fd, words, BLOCK, lba * BLOCK) != BLOCK ||
		    !is_block(words, lba))
			bad++;
		reads++;
	}
	return NULL;
}

/* A block that is written says how often that was done before. */
static void *writer(void *unused)
{
	uint64_t out[BLOCK / 8] __attribute__((aligned(4096)));
	uint64_t in[BLOCK / 8] __attribute__((aligned(4096)));
	int fd = open(DRIVE, O_RDWR | O_DIRECT);

	(void)unused;
	if (fd < 0)
		printf("guest: " DRIVE ": %m\n");
	for (uint64_t turn = 1; fd >= 0; turn++) {
		uint64_t lba = BLOCKS / 2 + turn % (BLOCKS / 2);

		for (size_t i = 0; i < BLOCK / sizeof(*out); i++)
			out[i] = htole64(turn << 32 ^ (lba << 8 | i));
		if (pwrite(fd, out, BLOCK, lba * BLOCK) != BLOCK ||
		    pread(fd, in, BLOCK, lba * BLOCK) != BLOCK ||
		    memcmp(in, out, BLOCK))
			bad++;
		writes++;
	}
	return NULL;
}

struct frame {
	uint8_t ethernet[14];
	uint32_t magic, stream;
	uint64_t number, sent;
} __attribute__((packed));

static int card_open(void)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(FRAME_TYPE) };
	/* It takes nothing before it is bound, so nothing is lost then. */
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	int room = 4 << 20;
	struct ifreq ifr = { .ifr_name = CARD };

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr))
		return -1;
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) || ioctl(fd, SIOCGIFINDEX, &ifr))
		return -1;
	at.sll_ifindex = ifr.ifr_ifindex;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return bind(fd, (struct sockaddr *)&at, sizeof(at)) ? -1 : fd;
}

/* The same, with the addresses the other way round. */
static void answer(int fd, struct frame *frame)
{
	uint8_t *head = frame->ethernet, to[6];

	memcpy(to, head + 6, sizeof(to));
	memcpy(head + 6, head, sizeof(to));
	head[6] &= ~1;
	memcpy(head, to, sizeof(to));
	head[12] = ANSWER_TYPE >> 8;
	head[13] = ANSWER_TYPE & 0xff;
	if (send(fd, frame, sizeof(*frame), 0) != sizeof(*frame))
		printf("guest: " CARD ": %m\n");
}

static void *card(void *unused)
{
	struct frame frame;
	uint64_t last = 0, number;
	int fd = card_open();

	(void)unused;
	if (fd < 0)
		printf("guest: " CARD ": %m\n");
	while (fd >= 0) {
		if (recv(fd, &frame, sizeof(frame), 0) != sizeof(frame) ||
		    le32toh(frame.magic) != FRAME_MAGIC)
			continue;
		number = le64toh(frame.number);
		if (last && number != last + 1)
			gaps++;
		last = number;
		frames++;
		answer(fd, &frame);
	}
	return NULL;
}

static void load_modules(void)
{
	static const char *const names[] = { "/failover.ko", "/net_failover.ko",
					     "/virtio_net.ko",
					     "/ptp_kvm.ko" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = open(names[i], O_RDONLY);

		if (fd >= 0 && syscall(SYS_finit_module, fd, "", 0))
			printf("guest: %s: %m\n", names[i]);
		if (fd >= 0)
			close(fd);
	}
}

static double seconds(const struct timespec *t)
{
	return t->tv_sec + t->tv_nsec / 1e9;
}

/* Returns how often it had to be done so far. */
static unsigned int set_clock(int host)
{
	static unsigned int steps;
	struct timespec theirs, ours;
	double off;

	/* A clock that is a file: clock_getres(2) */
	if (host < 0 || clock_gettime(~(clockid_t)host << 3 | 3, &theirs) ||
	    clock_gettime(CLOCK_REALTIME, &ours))
		return steps;
	off = seconds(&theirs) - seconds(&ours);
	if ((off > STEP_S || off < -STEP_S) &&
	    !clock_settime(CLOCK_REALTIME, &theirs))
		steps++;
	return steps;
}

static void say(uint64_t id, unsigned int steps)
{
	struct timespec up, now;

	clock_gettime(CLOCK_MONOTONIC, &up);
	clock_gettime(CLOCK_REALTIME, &now);
	printf("guest: id %016" PRIx64 " up %lld clock %lld.%03ld set %u reads %" PRIu64
	       " writes %" PRIu64 " bad %" PRIu64 " frames %" PRIu64
	       " gaps %" PRIu64 "\n",
	       id, (long long)up.tv_sec, (long long)now.tv_sec,
	       now.tv_nsec / 1000000, steps, (uint64_t)reads, (uint64_t)writes,
	       (uint64_t)bad, (uint64_t)frames, (uint64_t)gaps);
	fflush(stdout);
}

int main(void)
{
	static void *(*const work[])(void *) = { card, drive, writer };
	const char *has = getenv("DRIVE");
	unsigned int works = has && !strcmp(has, "none") ? 1 : 3;
	pthread_t thread;
	uint64_t id;
	int host;

	mount("dev", "/dev", "devtmpfs", 0, NULL);
	if (!freopen("/dev/console", "w", stdout))
		return 1;
	load_modules();
	getrandom(&id, sizeof(id), 0);
	/* A drive and a card are there when their drivers have found them. */
	while ((works > 1 && access(DRIVE, F_OK)) || !if_nametoindex(CARD))
		usleep(100000);
	host = open(HOST_CLOCK, O_RDWR);
	if (host < 0)
		printf("guest: " HOST_CLOCK ": %m\n");
	for (unsigned int i = 0; i < works; i++)
		if (pthread_create(&thread, NULL, work[i], NULL))
			return 1;
	for (;;) {
		say(id, set_clock(host));
		sleep(1);
	}
}
