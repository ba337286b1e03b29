// SPDX-License-Identifier: GPL-2.0-or-later
/* The transport and rng, blk, balloon and net, from the driver's side. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/unit/virtio-driver.h"
#include "vmm/client/client.h"
#include "vmm/control/server.h"
#include "vmm/dev/device.h"
#include "vmm/service/providers.h"
#include "vmm/util/log.h"

static char why[256];

static void test_transport(struct vm *vm)
{
	struct virtio_rng *rng;
	struct driver d;
	uint8_t byte = 0xaa;
	bool differ = false;

	if (virtio_rng_new(&rng, vm, why, sizeof(why)) < 0)
		tap_bail("%s", why);
	ok(!driver_start(&d, vm, rng,
			 ~(UINT64_C(1) << VIRTIO_F_VERSION_1)),
	   "mmio: a driver without VERSION_1 is refused");
	ok(driver_start(&d, vm, rng, DRIVER_FEATURES), "mmio: features agreed");
	ok(driver_read(&d, VIRTIO_MMIO_MAGIC_VALUE) == 0x74726976 &&
	   driver_read(&d, VIRTIO_MMIO_VERSION) == 2 &&
	   driver_read(&d, VIRTIO_MMIO_DEVICE_ID) == VIRTIO_ID_RNG,
	   "mmio: magic, version, device");
	is_int(driver_read(&d, VIRTIO_MMIO_QUEUE_READY), 1, "mmio: queue ready");
	bus_read(vm_mmio(vm), d.dev->window.v, &byte, 1);
	is_int(byte, 0, "mmio: a register read of one byte gives 0");
	driver_write(&d, VIRTIO_MMIO_QUEUE_SEL, 1000);
	is_int(driver_read(&d, VIRTIO_MMIO_QUEUE_NUM_MAX), 0,
	       "mmio: queue 1000 does not exist");
	driver_write(&d, VIRTIO_MMIO_QUEUE_READY, 1);
	driver_write(&d, VIRTIO_MMIO_QUEUE_NOTIFY, 1000);

	/* Unwanted features, one the device does not have. */
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	is_int(driver_read(&d, VIRTIO_MMIO_STATUS), 0, "mmio: reset");
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES, 1); /* VERSION_1 */
	driver_write(&d, VIRTIO_MMIO_STATUS, 3 | VIRTIO_CONFIG_S_FEATURES_OK);
	is_int(driver_read(&d, VIRTIO_MMIO_STATUS), 3,
	       "mmio: a feature not offered is refused");
	driver_write(&d, VIRTIO_MMIO_STATUS, 3 | VIRTIO_CONFIG_S_DRIVER_OK);
	is_int(driver_read(&d, VIRTIO_MMIO_STATUS), 3,
	       "mmio: no DRIVER_OK before FEATURES_OK");

	/* rng */
	driver_start(&d, vm, rng, DRIVER_FEATURES);
	is_int(driver_request(&d, 0, 0, 64), 64, "rng: 64 bytes");
	for (int i = 1; i < 64; i++)
		differ |= driver_data(&d, 0)[i] != driver_data(&d, 0)[0];
	ok(differ, "rng: bytes differ");
	ok(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_VRING,
	   "mmio: interrupt status tells of the queue");
	driver_write(&d, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	is_int(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS), 0,
	       "mmio: interrupt acknowledged");
	ok(driver_request(&d, 0, 0, DRIVER_DATA_MAX) < 4096,
	   "rng: a request of 1 MiB is answered with a little");
	driver_request(&d, 0, 0, 16);
	ring_desc(&d.ring[0], 0, UINT64_MAX, 16, VRING_DESC_F_WRITE, 0);
	ring_offer(&d.ring[0], 0);
	driver_write(&d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	ok(driver_wait(&d, driver_needs_reset(&d)),
	   "rng: a bad address makes it need a reset");
	ok(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG,
	   "mmio: and the driver is told");
	ok(driver_start(&d, vm, rng, DRIVER_FEATURES) &&
	   driver_request(&d, 0, 0, 16) == 16, "rng: works after the reset");
	virtio_rng_free(rng);
}

/* A disk request; returns its status byte. */
static int disk(struct driver *d, uint32_t type, uint64_t sector,
		const void *out, uint32_t out_len, void *in, uint32_t in_len)
{
	struct virtio_blk_outhdr hdr = { .type = type, .sector = sector };
	char *data = driver_data(d, 0);
	int64_t len;

	memcpy(data, &hdr, sizeof(hdr));
	if (out_len)
		memcpy(data + sizeof(hdr), out, out_len);
	data += sizeof(hdr) + out_len;
	data[in_len] = 0x55;
	len = driver_request(d, 0, sizeof(hdr) + out_len, in_len + 1);
	if (in_len)
		memcpy(in, data, in_len);
	return len < 1 ? -1 : data[in_len];
}

#define SECTORS 64

static void test_blk(struct vm *vm)
{
	struct virtio_blk_discard_write_zeroes zero = { .sector = 2,
							.num_sectors = 1 };
	char path[] = "/tmp/vmm-blk-XXXXXX", buf[1024], id[20], other[1024];
	int fd = mkstemp(path);
	struct virtio_blk *blk, *second;
	struct driver d;
	uint64_t capacity = 0;
	int rc;

	if (fd < 0 || ftruncate(fd, SECTORS * 512) < 0)
		tap_bail("no temporary file");
	rc = virtio_blk_new(&blk, vm, "/nonexistent/disk", false, why,
			    sizeof(why));
	ok(rc == -ENOENT && strstr(why, "/nonexistent/disk"),
	   "blk: a missing image is named: %s", why);
	rc = virtio_blk_new(&blk, vm, "/tmp", true, why, sizeof(why));
	ok(rc == -EINVAL, "blk: a directory is refused: %s", why);
	if (virtio_blk_new(&blk, vm, path, false, why, sizeof(why)) < 0)
		tap_bail("%s", why);
	rc = virtio_blk_new(&second, vm, path, true, why, sizeof(why));
	ok(rc == -EBUSY, "blk: an image in use is refused: %s", why);
	driver_start(&d, vm, blk, DRIVER_FEATURES);
	bus_read(vm_mmio(vm), d.dev->window.v + VIRTIO_MMIO_CONFIG, &capacity,
		 8);
	is_int(capacity, SECTORS, "blk: capacity");

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = i * 7;
	is_int(disk(&d, VIRTIO_BLK_T_OUT, 2, buf, 1024, NULL, 0), 0,
	       "blk: write");
	ok(pread(fd, other, 1024, 1024) == 1024 && !memcmp(buf, other, 1024),
	   "blk: the image has it");
	memset(other, 0, sizeof(other));
	ok(!disk(&d, VIRTIO_BLK_T_IN, 2, NULL, 0, other, 1024) &&
	   !memcmp(buf, other, 1024), "blk: read it back");
	is_int(disk(&d, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0), 0,
	       "blk: flush");
	ok(!disk(&d, VIRTIO_BLK_T_GET_ID, 0, NULL, 0, id, sizeof(id)) &&
	   !memcmp(id, path + 5, strlen(path + 5)), "blk: id");
	ok(!disk(&d, VIRTIO_BLK_T_WRITE_ZEROES, 0, &zero, sizeof(zero), NULL,
		 0) && !disk(&d, VIRTIO_BLK_T_IN, 2, NULL, 0, other, 1024) &&
	   !other[1] && !memcmp(buf + 512, other + 512, 512),
	   "blk: write zeroes to one sector only");
	zero.sector = 3;
	ok(!disk(&d, VIRTIO_BLK_T_DISCARD, 0, &zero, sizeof(zero), NULL, 0),
	   "blk: discard");
	zero.num_sectors = SECTORS;
	is_int(disk(&d, VIRTIO_BLK_T_DISCARD, 0, &zero, sizeof(zero), NULL, 0),
	       VIRTIO_BLK_S_IOERR, "blk: discard past the end");
	is_int(disk(&d, VIRTIO_BLK_T_OUT, SECTORS - 1, buf, 1024, NULL, 0),
	       VIRTIO_BLK_S_IOERR, "blk: write past the end");
	is_int(disk(&d, VIRTIO_BLK_T_IN, UINT64_MAX, NULL, 0, other, 512),
	       VIRTIO_BLK_S_IOERR, "blk: read at sector 2^64-1");
	is_int(disk(&d, VIRTIO_BLK_T_OUT, UINT64_C(1) << 55, buf, 512, NULL, 0),
	       VIRTIO_BLK_S_IOERR, "blk: write at byte 2^64");
	is_int(disk(&d, VIRTIO_BLK_T_IN, 0, NULL, 0, other, 100),
	       VIRTIO_BLK_S_IOERR, "blk: part of a sector");
	is_int(disk(&d, 99, 0, NULL, 0, NULL, 0), VIRTIO_BLK_S_UNSUPP,
	       "blk: an unknown request");
	ok(!fstat(fd, &(struct stat){ 0 }) && lseek(fd, 0, SEEK_END) ==
	   SECTORS * 512, "blk: the image kept its size");
	driver_request(&d, 0, 16, 0);
	ok(driver_wait(&d, driver_needs_reset(&d)),
	   "blk: a request without a status breaks the queue");
	virtio_blk_free(blk);

	if (virtio_blk_new(&blk, vm, path, true, why, sizeof(why)) < 0)
		tap_bail("%s", why);
	rc = virtio_blk_new(&second, vm, path, true, why, sizeof(why));
	ok(!rc, "blk: two may read one image");
	driver_start(&d, vm, blk, DRIVER_FEATURES);
	ok(virtio_device_has(d.dev, VIRTIO_BLK_F_RO), "blk: ro is told");
	is_int(disk(&d, VIRTIO_BLK_T_OUT, 0, buf, 512, NULL, 0),
	       VIRTIO_BLK_S_IOERR, "blk: ro refuses a write");
	is_int(disk(&d, VIRTIO_BLK_T_DISCARD, 0, &zero, sizeof(zero), NULL, 0),
	       VIRTIO_BLK_S_IOERR, "blk: ro refuses a discard");
	is_int(disk(&d, VIRTIO_BLK_T_IN, 0, NULL, 0, other, 512), 0,
	       "blk: ro reads");
	virtio_blk_free(second);
	virtio_blk_free(blk);
	unlink(path);
	close(fd);
}

static unsigned int nr_resident(struct vm *vm, uint64_t gpa, unsigned int nr)
{
	unsigned char vec[256];
	unsigned int n = 0;

	if (mincore(guest_mem_ptr(vm_mem(vm), GPA(gpa), nr * 4096), nr * 4096,
		    vec) < 0)
		return ~0u;
	for (unsigned int i = 0; i < nr; i++)
		n += vec[i] & 1;
	return n;
}

static bool put_balloon(const char *path, const char *body)
{
	json_t *json = json_loads(body, 0, NULL), *answer = NULL;
	int rc = stat_request(path, "/balloon", json, &answer, why,
			      sizeof(why));

	json_decref(json);
	json_decref(answer);
	return !rc;
}

/* By the socket, as an operator does. */
static void test_balloon_resource(struct vm *vm,
				  struct virtio_balloon *balloon,
				  struct driver *d)
{
	static const char *const wrong[] = {
		"[]", "{}", "{\"target\": -1}", "{\"target\": \"1M\"}",
		"{\"target\": 67108865}", "{\"target\": 1, \"more\": 2}",
	};
	char path[64];
	struct stat_server_config config = {
		.path = path, .name = "balloon", .mem = vm_mem(vm),
		.vm = service_vm_provider(vm),
		.balloon = service_balloon_provider(balloon),
	};
	struct stat_server *server;
	json_t *answer = NULL;

	snprintf(path, sizeof(path), "/tmp/vmm-balloon-%d", (int)getpid());
	if (stat_server_new(&server, &config, why, sizeof(why)))
		tap_bail("%s", why);
	virtio_device_lock(d->dev);
	ok(put_balloon(path, "{\"target\": 8192000}"),
	   "PUT /balloon waits for no turn of the device");
	virtio_device_unlock(d->dev);
	ok(driver_wait(d, driver_read(d, VIRTIO_MMIO_CONFIG) == 2000),
	   "PUT /balloon reaches the driver");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ok(!put_balloon(path, wrong[i]) && strstr(why, "target"),
		   "PUT /balloon %s is refused: %s", wrong[i], why);
	ok(!stat_request(path, "/balloon", NULL, &answer, why, sizeof(why)) &&
	   json_integer_value(json_object_get(answer, "target")) == 8192000 &&
	   json_integer_value(json_object_get(answer, "actual")) == 409600,
	   "GET /balloon: what was asked and what was given");
	json_decref(answer);
	stat_server_free(server);
}

static void test_balloon(struct vm *vm)
{
	const uint64_t area = 0x1000000;
	struct virtio_balloon_stats stats;
	struct virtio_balloon *balloon;
	struct driver d;
	uint32_t pfns[101], gen, actual = 100;
	uint32_t *words;

	if (virtio_balloon_new(&balloon, vm, why, sizeof(why)) < 0)
		tap_bail("%s", why);
	driver_start(&d, vm, balloon, DRIVER_FEATURES);
	gen = driver_read(&d, VIRTIO_MMIO_CONFIG_GENERATION);
	/* A turn has the lock, and may wait for a page of the guest's. */
	virtio_device_lock(d.dev);
	virtio_balloon_set_target(balloon, 100 * 4096);
	is_int(virtio_balloon_inflate_and_deflate(balloon, 4096), -EBUSY,
	       "balloon: a cycle waits for no turn");
	virtio_device_unlock(d.dev);
	ok(driver_wait(&d, driver_read(&d, VIRTIO_MMIO_CONFIG) == 100) &&
	   driver_read(&d, VIRTIO_MMIO_CONFIG_GENERATION) != gen &&
	   (driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS) &
	    VIRTIO_MMIO_INT_CONFIG), "balloon: a target is announced");
	driver_write(&d, VIRTIO_MMIO_CONFIG + 4, actual);
	driver_write(&d, VIRTIO_MMIO_CONFIG, 7);
	virtio_balloon_get_stats(balloon, &stats);
	ok(stats.actual_bytes == 100 * 4096 && stats.target_bytes == 100 * 4096,
	   "balloon: the driver tells what it gave, not what we want");
	test_balloon_resource(vm, balloon, &d);
	virtio_balloon_set_target(balloon, UINT64_MAX);
	virtio_balloon_get_stats(balloon, &stats);
	is_int(stats.target_bytes, 64 << 20,
	       "balloon: a target beyond RAM is RAM");

	memset(guest_mem_ptr(vm_mem(vm), GPA(area), 256 * 4096), 1, 256 * 4096);
	is_int(nr_resident(vm, area, 256), 256, "balloon: the area is resident");
	/* From the top down, one twice, one outside RAM. */
	for (int i = 0; i < 99; i++)
		pfns[i] = (area >> 12) + 199 - i;
	pfns[99] = pfns[0];
	pfns[100] = 0xfffffff0;
	memcpy(driver_data(&d, 0), pfns, sizeof(pfns));
	is_int(driver_request(&d, 0, sizeof(pfns), 0), 0, "balloon: inflate");
	is_int(nr_resident(vm, area, 256), 256 - 99,
	       "balloon: those 99 pages are gone, no other");
	words = guest_mem_ptr(vm_mem(vm), GPA(area + 150 * 4096), 4096);
	is_int(words[5], 0, "balloon: and read as zeros");
	is_int(driver_request(&d, 1, sizeof(pfns), 0), 0, "balloon: deflate");

	ring_desc(&d.ring[2], 0, area, 64 * 4096, VRING_DESC_F_WRITE, 0);
	ring_offer(&d.ring[2], 0);
	driver_write(&d, VIRTIO_MMIO_QUEUE_NOTIFY, 2);
	driver_wait(&d, d.ring[2].used->idx == 1);
	virtio_balloon_get_stats(balloon, &stats);
	ok(stats.nr_reported == 64 && !nr_resident(vm, area, 64) &&
	   nr_resident(vm, area + 64 * 4096, 32) == 32,
	   "balloon: 64 pages reported free are gone, no other");
	ring_desc(&d.ring[2], 0, area + 64 * 4096 + 8, 4096,
		  VRING_DESC_F_WRITE, 0);
	ring_offer(&d.ring[2], 0);
	driver_write(&d, VIRTIO_MMIO_QUEUE_NOTIFY, 2);
	ok(driver_wait(&d, driver_needs_reset(&d)) &&
	   nr_resident(vm, area + 64 * 4096, 32) == 32,
	   "balloon: half pages are refused");
	virtio_balloon_free(balloon);
}

/* Brings the interface up and opens a raw socket on it, or -1. */
static int open_peer(const char *name)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL),
				    .sll_ifindex = if_nametoindex(name) };
	struct ifreq ifr = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			htons(ETH_P_ALL));

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -1;
	strcpy(ifr.ifr_name, name);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return -1;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) < 0 ? -1 : fd;
}

/* Whether a frame that begins with the 14 bytes `head` comes out of fd. */
static bool frame_arrives(int fd, const char *head)
{
	char buf[2048];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (n >= 14 && !memcmp(buf, head, 14))
			return true;
	return false;
}

static bool guest_got(struct driver *d, const char *head)
{
	uint32_t id, len;

	while (ring_take_used(&d->ring[0], &id, &len)) {
		const char *p = driver_data(d, 0) + id * 2048 + 12;

		if (len >= 12 + 14 && !memcmp(p, head, 14))
			return true;
		ring_offer(&d->ring[0], id);
		driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	}
	return false;
}

/* Makes a tap that stays without a user, or, off, removes it.  0 or -errno. */
static int keep_tap(const char *name, int on)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	strcpy(ifr.ifr_name, name);
	if (ioctl(fd, TUNSETIFF, &ifr) || ioctl(fd, TUNSETPERSIST, on))
		rc = -errno;
	close(fd);
	return rc;
}

/* As `ip link del` does.  0 or -errno. */
static int delete_link(const char *name)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} req = {
		{ .nlmsg_len = sizeof(req), .nlmsg_type = RTM_DELLINK,
		  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		{ .ifi_index = if_nametoindex(name) },
	};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} answer = { .e = { .error = -EPROTO } };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, &req, sizeof(req), 0) != sizeof(req) ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		answer.e.error = -errno;
	close(fd);
	return answer.e.error;
}

static void offer_16(struct driver *d)
{
	for (int i = 0; i < 16; i++) {
		ring_desc(&d->ring[0], i, driver_gpa(0) + i * 2048, 2048,
			  VRING_DESC_F_WRITE, 0);
		ring_offer(&d->ring[0], i);
	}
	driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	driver_run(d);
}

static int nr_armed(struct vm *vm)
{
	return event_base_get_num_events(vm_event_base(vm),
					 EVENT_BASE_COUNT_ADDED);
}

/* Its descriptor reports an error for ever. */
static void test_tap_deleted(struct vm *vm, const char *tap)
{
	struct virtio_net *net;
	struct driver d;
	int before;

	if (keep_tap(tap, 1) ||
	    virtio_net_new(&net, vm, tap, why, sizeof(why))) {
		ok(false, "net: a tap to delete: %s", why);
		return;
	}
	driver_start(&d, vm, net, DRIVER_FEATURES);
	offer_16(&d);
	before = nr_armed(vm);
	is_int(delete_link(tap), 0, "net: the host deletes the tap");
	ok(driver_wait(&d, nr_armed(vm) == before - 1),
	   "net: its descriptor is no longer polled");
	driver_write(&d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	driver_run(&d);
	is_int(nr_armed(vm), before - 1, "net: nor after the guest's kick");
	virtio_net_free(net);
}

static void test_net(struct vm *vm)
{
	const char tx_head[] = "\xff\xff\xff\xff\xff\xff\x02vmm00\x88\xb5";
	const char rx_head[] = "\xff\xff\xff\xff\xff\xff\x02vmm01\x88\xb5";
	struct virtio_net *net;
	char frame[64] = { 0 };
	char tap[16];
	struct driver d;
	int fd, rc;

	rc = virtio_net_new(&net, vm, "a-name-much-too-long", why, sizeof(why));
	ok(rc == -EINVAL, "net: a bad name is refused: %s", why);
	snprintf(tap, sizeof(tap), "vmt%u", (unsigned int)getpid() % 100000);
	rc = virtio_net_new(&net, vm, tap, why, sizeof(why));
	ok(rc < 0 && (strstr(why, "tap") || strstr(why, "tun")),
	   "net: so is a tap that does not exist, with the remedy: %s", why);
	rc = keep_tap(tap, 1);
	if (rc) {
		if (tap_lacks_root(rc))
			tap_skip("net: frames", "no tap may be opened here: "
				 "run as root");
		else
			ok(false, "net: frames: no tap: modprobe tun, and run "
			   "as root with CAP_NET_ADMIN");
		return;
	}
	rc = virtio_net_new(&net, vm, tap, why, sizeof(why));
	if (!ok(!rc, "net: one that does is used")) {
		keep_tap(tap, 0);
		return;
	}
	fd = open_peer(tap);
	ok(fd >= 0, "net: the tap comes up");
	driver_start(&d, vm, net, DRIVER_FEATURES);
	ok((driver_read(&d, VIRTIO_MMIO_CONFIG) & 3) == 2,
	   "net: a local unicast address");

	memset(driver_data(&d, 1), 0, 12);
	memcpy(driver_data(&d, 1) + 12, tx_head, 14);
	ok(driver_request(&d, 1, 12 + 60, 0) == 0 &&
	   driver_wait(&d, frame_arrives(fd, tx_head)),
	   "net: a frame from the guest arrives");

	offer_16(&d);
	memcpy(frame, rx_head, 14);
	ok(send(fd, frame, sizeof(frame), 0) == sizeof(frame) &&
	   driver_wait(&d, guest_got(&d, rx_head)),
	   "net: a frame to the guest arrives");
	driver_request(&d, 1, 12, 0);
	ok(driver_wait(&d, driver_needs_reset(&d)),
	   "net: a frame of nothing breaks the queue");
	virtio_net_free(net);
	close(fd);
	ok(!keep_tap(tap, 0), "net: the tap is free again");
	test_tap_deleted(vm, tap);
}

int main(void)
{
	struct vm *vm = driver_vm();

	log_set_level(LOG_LEVEL_ERROR); /* broken rings are part of it */
	test_transport(vm);
	test_blk(vm);
	test_balloon(vm);
	test_net(vm);
	vm_free(vm);
	return tap_done();
}
