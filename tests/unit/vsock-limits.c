// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections of a guest against the limit of open files: it is refused before
 * the process runs out, and served again when it closes some.
 */
#include "config.h"

#include <errno.h>
#include <linux/virtio_vsock.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/virtio-driver.h"
#include "vmm/dev/device.h"
#include "vmm/util/fd-limit.h"
#include "vmm/util/log.h"

#define CID	 7
#define PORT	 99
#define NR_RX	 32
#define RX_BYTES 4096
#define MOST	 20	/* connections for which there are descriptors */

enum { RX, TX };

static char why[256];
static char path[64];
static struct virtio_vsock *vs;
static struct driver d;
static int accepted[64];
static unsigned int nr_accepted;
static unsigned int nr_response, nr_rst;

static void on_accept(int fd, void *arg)
{
	if (nr_accepted < 64)
		accepted[nr_accepted++] = fd;
	else
		close(fd);
}

static void give(uint16_t i)
{
	ring_desc(&d.ring[RX], i, driver_gpa(RX) + i * RX_BYTES, RX_BYTES,
		  VRING_DESC_F_WRITE, 0);
	ring_offer(&d.ring[RX], i);
}

static unsigned int take_answers(void)
{
	uint32_t id, len;

	while (ring_take_used(&d.ring[RX], &id, &len)) {
		struct virtio_vsock_hdr hdr;

		memcpy(&hdr, driver_data(&d, RX) + id * RX_BYTES, sizeof(hdr));
		nr_response += hdr.op == VIRTIO_VSOCK_OP_RESPONSE;
		nr_rst += hdr.op == VIRTIO_VSOCK_OP_RST;
		give(id);
	}
	driver_write(&d, VIRTIO_MMIO_QUEUE_NOTIFY, RX);
	return nr_response + nr_rst;
}

static void packet(uint16_t op, uint32_t guest_port)
{
	struct virtio_vsock_hdr hdr = {
		.src_cid = CID, .dst_cid = 2, .src_port = guest_port,
		.dst_port = PORT, .type = VIRTIO_VSOCK_TYPE_STREAM, .op = op,
		.buf_alloc = 65536,
	};

	memcpy(driver_data(&d, TX), &hdr, sizeof(hdr));
	if (driver_request(&d, TX, sizeof(hdr), 0))
		tap_bail("the device takes no packet");
}

static void limit_files(rlim_t soft)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = soft;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		tap_bail("the limit of open files can't be lowered");
}

static void begin(struct vm *vm)
{
	if (virtio_vsock_new(&vs, vm, path, CID, why, sizeof(why)) ||
	    virtio_vsock_listen(vs, PORT, on_accept, NULL))
		tap_bail("%s", why);
	driver_start(&d, vm, vs, DRIVER_FEATURES);
	for (uint16_t i = 0; i < NR_RX; i++)
		give(i);
	driver_write(&d, VIRTIO_MMIO_QUEUE_NOTIFY, RX);
}

/* Its connection is closed at once; else it would be waited for a greeting. */
static bool host_is_refused(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bool refused;
	char c;

	strcpy(a.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		tap_bail("the device does not listen");
	for (int i = 0; i < 50; i++)
		driver_run(&d);
	refused = !recv(fd, &c, 1, 0);
	close(fd);
	return refused;
}

static void test_connections(void)
{
	unsigned int nr = 0;

	for (uint32_t port = 1; port <= 2 * MOST; port++) {
		packet(VIRTIO_VSOCK_OP_REQUEST, port);
		driver_wait(&d, take_answers() == port);
	}
	ok(nr_response == MOST && nr_rst == MOST,
	   "of %d connections %u are taken, %u refused", 2 * MOST, nr_response,
	   nr_rst);
	driver_wait(&d, nr_accepted == MOST);
	is_int(nr_accepted, MOST, "those are the listener's");

	for (uint32_t port = 1; port <= 5; port++)
		packet(VIRTIO_VSOCK_OP_RST, port);
	nr_response = nr_rst = 0;
	for (uint32_t port = 101; port <= 110; port++) {
		packet(VIRTIO_VSOCK_OP_REQUEST, port);
		driver_wait(&d, take_answers() == port - 100);
	}
	ok(nr_response == 5 && nr_rst == 5,
	   "as many as it closed are taken again");
	ok(host_is_refused(), "nor has a host program one then");
	while (nr < nr_accepted)
		close(accepted[nr++]);
}

static void test_raise(void)
{
	struct rlimit limit, before;

	getrlimit(RLIMIT_NOFILE, &before);
	limit_files(300);
	fd_limit_raise();
	getrlimit(RLIMIT_NOFILE, &limit);
	ok(limit.rlim_cur == (before.rlim_max < FD_LIMIT_MOST ?
			      before.rlim_max : FD_LIMIT_MOST) &&
	   limit.rlim_max == before.rlim_max,
	   "the soft limit is raised, the hard one stays");
	if (before.rlim_max > FD_LIMIT_MOST) {
		limit_files(FD_LIMIT_MOST + 1);
		fd_limit_raise();
		getrlimit(RLIMIT_NOFILE, &limit);
		is_int(limit.rlim_cur, FD_LIMIT_MOST + 1,
		       "one that is higher is not lowered");
		is_int(fd_limit_for_guests(), FD_LIMIT_MOST - FD_LIMIT_RESERVED,
		       "and is not for guests");
	}
	limit_files(FD_LIMIT_RESERVED / 2);
	is_int(fd_limit_for_guests(), 0, "where there are few, guests get none");
}

int main(void)
{
	struct vm *vm = driver_vm();

	log_set_level(LOG_LEVEL_ERROR);
	snprintf(path, sizeof(path), "/tmp/vmm-limits-%d", (int)getpid());
	test_raise();
	limit_files(FD_LIMIT_RESERVED + 2 * MOST);
	begin(vm);
	test_connections();
	virtio_vsock_free(vs);
	vm_free(vm);
	return tap_done();
}
