// SPDX-License-Identifier: GPL-2.0-only
/*
 * All there is in a guest of the demo: it reads from the drive that is passed to it,
 * where every block says which one it is, and takes numbered frames from the card.
 * Once a second it says on its console what it has seen.
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
#define BLOCK 512
#define BLOCKS 32768
#define FRAME_TYPE 0x88b5
#define FRAME_MAGIC 0x4c55464d
#define MODULE_INIT_COMPRESSED_FILE 4

static atomic_uint_fast64_t reads, bad, frames, gaps;

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
		lba = (lba * 25173 + 13849) % BLOCKS;
		if (pread(fd, words, BLOCK, lba * BLOCK) != BLOCK ||
		    !is_block(words, lba))
			bad++;
		reads++;
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
	int fd = socket(AF_PACKET, SOCK_RAW, htons(FRAME_TYPE));
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
	}
	return NULL;
}

static void load_modules(void)
{
	static const char *const names[] = { "/failover.ko", "/net_failover.ko",
					     "/virtio_net.ko" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = open(names[i], O_RDONLY);

		if (fd >= 0 && syscall(SYS_finit_module, fd, "", 0))
			printf("guest: %s: %m\n", names[i]);
		if (fd >= 0)
			close(fd);
	}
}

static void say(uint64_t id)
{
	struct timespec up, now;

	clock_gettime(CLOCK_MONOTONIC, &up);
	clock_gettime(CLOCK_REALTIME, &now);
	printf("guest: id %016" PRIx64 " up %lld clock %lld.%03ld reads %" PRIu64
	       " bad %" PRIu64 " frames %" PRIu64 " gaps %" PRIu64 "\n",
	       id, (long long)up.tv_sec, (long long)now.tv_sec,
	       now.tv_nsec / 1000000, (uint64_t)reads, (uint64_t)bad,
	       (uint64_t)frames, (uint64_t)gaps);
	fflush(stdout);
}

int main(void)
{
	pthread_t thread;
	uint64_t id;

	mount("dev", "/dev", "devtmpfs", 0, NULL);
	if (!freopen("/dev/console", "w", stdout))
		return 1;
	load_modules();
	getrandom(&id, sizeof(id), 0);
	/* A drive and a card are there when their drivers have found them. */
	while (access(DRIVE, F_OK) || !if_nametoindex(CARD))
		usleep(100000);
	if (pthread_create(&thread, NULL, drive, NULL) ||
	    pthread_create(&thread, NULL, card, NULL))
		return 1;
	for (;;) {
		say(id);
		sleep(1);
	}
}
