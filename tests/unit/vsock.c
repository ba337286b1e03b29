// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-vsock with this program as guest and as host programs: packets in
 * rings on one side, unix sockets on the other.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_vsock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/unit/virtio-driver.h"
#include "vmm/dev/device.h"
#include "vmm/util/log.h"

enum { RX, TX };

#define CID	   7
#define HDR	   sizeof(struct virtio_vsock_hdr)
#define RX_BUF	   4096
#define NR_RX	   16
#define GUEST_PORT 5000
#define HOST_PORT  1024
#define CREDIT	   (256 * 1024)
#define BUF_BYTES  (64 * 1024) /* what the device promises to hold */

static char dir[] = "/tmp/vmm-vsock-XXXXXX";
static char path[64], path_port[80];
static struct virtio_vsock *vs;
static struct driver d;

/* The last packet the guest received. */
static struct virtio_vsock_hdr got;
static char got_data[RX_BUF];

static void give_buffer(uint16_t i)
{
	ring_desc(&d.ring[RX], i, driver_gpa(RX) + i * RX_BUF, RX_BUF,
		  VRING_DESC_F_WRITE, 0);
	ring_offer(&d.ring[RX], i);
}

static void give_buffers(void)
{
	for (int i = 0; i < NR_RX; i++)
		give_buffer(i);
	driver_write(&d, VIRTIO_MMIO_QUEUE_NOTIFY, RX);
}

static void start(void)
{
	if (!driver_start(&d, d.vm, vs, DRIVER_FEATURES))
		tap_bail("vsock does not start");
	give_buffers();
}

/* Takes a packet into got; gives the buffer back to the device. */
static bool take_packet(void)
{
	uint32_t id, len;
	char *p;

	if (!ring_take_used(&d.ring[RX], &id, &len))
		return false;
	p = driver_data(&d, RX) + id * RX_BUF;
	memcpy(&got, p, HDR);
	memcpy(got_data, p + HDR, len - HDR);
	if (len != HDR + got.len || got.src_cid != 2 || got.dst_cid != CID)
		tap_bail("a malformed packet from the device");
	give_buffer(id);
	driver_write(&d, VIRTIO_MMIO_QUEUE_NOTIFY, RX);
	return true;
}

static bool expect(uint16_t op, uint32_t guest_port, uint32_t host_port)
{
	if (!driver_wait(&d, take_packet()))
		return false;
	if (got.op == op && got.dst_port == guest_port &&
	    got.src_port == host_port)
		return true;
	printf("# op %u of %u:%u instead of op %u of %u:%u\n", got.op,
	       got.dst_port, got.src_port, op, guest_port, host_port);
	return false;
}

static bool silence(void)
{
	driver_run(&d);
	return !take_packet();
}

static uint32_t peer_alloc = CREDIT, guest_fwd, send_flags;

static bool guest_send(uint16_t op, uint32_t guest_port, uint32_t host_port,
		       const void *data, uint32_t len)
{
	struct virtio_vsock_hdr hdr = { .src_cid = CID, .dst_cid = 2,
		.src_port = guest_port, .dst_port = host_port, .len = len,
		.type = VIRTIO_VSOCK_TYPE_STREAM, .op = op,
		.flags = send_flags, .buf_alloc = peer_alloc,
		.fwd_cnt = guest_fwd };

	memcpy(driver_data(&d, TX), &hdr, HDR);
	if (len)
		memcpy(driver_data(&d, TX) + HDR, data, len);
	return driver_request(&d, TX, HDR + len, 0) == 0;
}

static void guest_shutdown(uint32_t guest_port, uint32_t host_port,
			   uint32_t flags)
{
	send_flags = flags;
	guest_send(VIRTIO_VSOCK_OP_SHUTDOWN, guest_port, host_port, NULL, 0);
	send_flags = 0;
}

static int unix_socket(const char *name, bool listening)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int rc;

	strcpy(a.sun_path, name);
	rc = listening ? bind(fd, (struct sockaddr *)&a, sizeof(a)) :
			 connect(fd, (struct sockaddr *)&a, sizeof(a));
	if (fd < 0 || rc < 0 || (listening && listen(fd, 300) < 0))
		tap_bail("unix socket %s: %s", name, strerror(errno));
	return fd;
}

/* Whether exactly these bytes come next. */
static bool host_reads(int fd, const void *want, size_t len)
{
	static char buf[1 << 20];
	size_t n = 0;

	while (n < len) {
		ssize_t r = -1;

		if (!driver_wait(&d, (r = read(fd, buf + n, len - n)) >= 0 ||
				     errno != EAGAIN) || r <= 0)
			return false;
		n += r;
	}
	return !memcmp(buf, want, len);
}

static bool host_eof(int fd)
{
	ssize_t r = -1;
	char c;

	return driver_wait(&d, (r = read(fd, &c, 1)) >= 0 ||
			   errno != EAGAIN) && !r;
}

static int listener;

/* The guest connects to HOST_PORT; returns the host's end. */
static int connect_guest(uint32_t guest_port)
{
	int fd = -1;

	guest_send(VIRTIO_VSOCK_OP_REQUEST, guest_port, HOST_PORT, NULL, 0);
	if (!expect(VIRTIO_VSOCK_OP_RESPONSE, guest_port, HOST_PORT) ||
	    !driver_wait(&d, (fd = accept4(listener, NULL, NULL,
					   SOCK_NONBLOCK)) >= 0))
		tap_bail("the guest cannot connect");
	return fd;
}

static void test_guest_connects(void)
{
	int fd = connect_guest(GUEST_PORT);

	ok(got.buf_alloc == BUF_BYTES, "guest connects to a unix socket");
	guest_send(VIRTIO_VSOCK_OP_RW, GUEST_PORT, HOST_PORT, "hello", 5);
	ok(host_reads(fd, "hello", 5), "guest to host");
	ok(write(fd, "world!", 6) == 6 &&
	   expect(VIRTIO_VSOCK_OP_RW, GUEST_PORT, HOST_PORT) && got.len == 6 &&
	   got.fwd_cnt == 5 && !memcmp(got_data, "world!", 6),
	   "host to guest, and its count of bytes");
	guest_send(VIRTIO_VSOCK_OP_CREDIT_REQUEST, GUEST_PORT, HOST_PORT, NULL,
		   0);
	ok(expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE, GUEST_PORT, HOST_PORT),
	   "credit when asked");

	/* The host's half close, then the guest's full one. */
	shutdown(fd, SHUT_WR);
	ok(expect(VIRTIO_VSOCK_OP_SHUTDOWN, GUEST_PORT, HOST_PORT) &&
	   got.flags == VIRTIO_VSOCK_SHUTDOWN_SEND, "half close is told");
	guest_send(VIRTIO_VSOCK_OP_RW, GUEST_PORT, HOST_PORT, "last", 4);
	guest_shutdown(GUEST_PORT, HOST_PORT, 3);
	ok(expect(VIRTIO_VSOCK_OP_RST, GUEST_PORT, HOST_PORT),
	   "the guest's shutdown is confirmed");
	ok(host_reads(fd, "last", 4) && host_eof(fd),
	   "the host reads to the end");
	close(fd);

	/* The host goes first. */
	fd = connect_guest(GUEST_PORT);
	if (write(fd, "bye", 3) != 3)
		tap_bail("write");
	close(fd);
	ok(expect(VIRTIO_VSOCK_OP_RW, GUEST_PORT, HOST_PORT) && got.len == 3 &&
	   expect(VIRTIO_VSOCK_OP_SHUTDOWN, GUEST_PORT, HOST_PORT) &&
	   got.flags == 3, "host's last words, then its close");
	guest_send(VIRTIO_VSOCK_OP_RW, GUEST_PORT, HOST_PORT, "late", 4);
	guest_send(VIRTIO_VSOCK_OP_RST, GUEST_PORT, HOST_PORT, NULL, 0);
	ok(silence(), "late bytes are dropped, a RST is not answered");

	guest_send(VIRTIO_VSOCK_OP_REQUEST, GUEST_PORT, 4444, NULL, 0);
	ok(expect(VIRTIO_VSOCK_OP_RST, GUEST_PORT, 4444),
	   "a port nobody listens on");
	guest_send(VIRTIO_VSOCK_OP_RW, 1, 1, "x", 1);
	ok(expect(VIRTIO_VSOCK_OP_RST, 1, 1), "bytes of no connection");
}

static void test_host_connects(void)
{
	int fd = unix_socket(path, false);
	struct stat st;
	char want[32];
	uint32_t port;

	ok(!stat(path, &st) && (st.st_mode & 0777) == 0600,
	   "only its owner may use the socket");
	/* In pieces, and with bytes behind it. */
	if (write(fd, "CONN", 4) != 4)
		tap_bail("write");
	driver_run(&d);
	if (write(fd, "ECT 5000\nearly", 14) != 14)
		tap_bail("write");
	ok(driver_wait(&d, take_packet()) && got.dst_port == GUEST_PORT &&
	   got.op == VIRTIO_VSOCK_OP_REQUEST, "CONNECT asks the guest");
	port = got.src_port;
	guest_send(VIRTIO_VSOCK_OP_RESPONSE, GUEST_PORT, port, NULL, 0);
	snprintf(want, sizeof(want), "OK %u\n", port);
	ok(host_reads(fd, want, strlen(want)), "the host is told OK");
	ok(expect(VIRTIO_VSOCK_OP_RW, GUEST_PORT, port) && got.len == 5 &&
	   !memcmp(got_data, "early", 5), "early bytes follow");
	guest_send(VIRTIO_VSOCK_OP_RST, GUEST_PORT, port, NULL, 0);
	ok(host_eof(fd), "the guest's RST closes it");
	close(fd);

	fd = unix_socket(path, false);
	if (write(fd, "CONNECT 99\n", 11) != 11 ||
	    !driver_wait(&d, take_packet()))
		tap_bail("no request");
	guest_send(VIRTIO_VSOCK_OP_RST, 99, got.src_port, NULL, 0);
	ok(host_eof(fd), "a port the guest does not listen on");
	close(fd);

	static const char *const bad[] = { "GET / HTTP/1.1\n", "CONNECT \n",
		"CONNECT -1\n", "CONNECT 4294967296\n", "CONNECT 1x\n",
		"CONNECT 00000000000000000000000000000000000000001\n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ssize_t r = 0;
		char c;

		fd = unix_socket(path, false);
		if (write(fd, bad[i], strlen(bad[i])) < 0)
			tap_bail("write");
		/* EOF, or a reset where it left bytes unread. */
		ok(driver_wait(&d, (r = read(fd, &c, 1)) >= 0 ||
			       errno != EAGAIN) && r <= 0,
		   "refused: %.*s", (int)strcspn(bad[i], "\n"), bad[i]);
		close(fd);
	}
	ok(silence(), "the guest hears nothing of those");
}

static int accepted_fd = -1;

static void on_accepted(int fd, void *arg)
{
	accepted_fd = fd;
	/* A listener may call back into the device. */
	if (virtio_vsock_listen(vs, 77, on_accepted, NULL) != -EADDRINUSE)
		tap_bail("a port taken twice");
}

static void test_listener(void)
{
	is_int(virtio_vsock_listen(vs, 77, on_accepted, NULL), 0,
	       "a listener in this process");
	guest_send(VIRTIO_VSOCK_OP_REQUEST, GUEST_PORT, 77, NULL, 0);
	ok(expect(VIRTIO_VSOCK_OP_RESPONSE, GUEST_PORT, 77) &&
	   driver_wait(&d, accepted_fd >= 0), "gets the connection");
	guest_send(VIRTIO_VSOCK_OP_RW, GUEST_PORT, 77, "abc", 3);
	ok(host_reads(accepted_fd, "abc", 3), "and its bytes");
	close(accepted_fd);
	ok(expect(VIRTIO_VSOCK_OP_SHUTDOWN, GUEST_PORT, 77) && got.flags == 3,
	   "its close is told");
	guest_shutdown(GUEST_PORT, 77, 3);
	ok(expect(VIRTIO_VSOCK_OP_RST, GUEST_PORT, 77), "and the end confirmed");
}

/* A host that does not read: bounded, and others go on. */
static void test_credit(void)
{
	static char block[16384], all[1 << 20];
	int slow = connect_guest(1), fast = connect_guest(2);
	size_t sent = 0, room = BUF_BYTES;
	uint32_t fwd = 0;
	bool intact = true;

	/* Everything the credit allows, until the device stops giving any. */
	while (sent + sizeof(block) <= sizeof(all) - BUF_BYTES) {
		if (room < sizeof(block)) {
			driver_run(&d);
			while (take_packet())
				fwd = got.fwd_cnt;
			room = BUF_BYTES - (sent - fwd);
			if (room < sizeof(block))
				break;
		}
		for (size_t i = 0; i < sizeof(block); i++)
			all[sent + i] = block[i] = (sent + i) * 31 >> 3;
		guest_send(VIRTIO_VSOCK_OP_RW, 1, HOST_PORT, block,
			   sizeof(block));
		sent += sizeof(block);
		room -= sizeof(block);
	}
	ok(room < sizeof(block) && sent < sizeof(all) - BUF_BYTES,
	   "a host that does not read costs at most its credit (%zu sent)",
	   sent);
	guest_send(VIRTIO_VSOCK_OP_RW, 2, HOST_PORT, "quick", 5);
	ok(host_reads(fast, "quick", 5), "another connection is not delayed");
	intact = host_reads(slow, all, sent);
	ok(intact, "when it reads at last it gets every byte");
	while (take_packet())
		fwd = got.fwd_cnt;
	ok(sent - fwd <= BUF_BYTES / 2, "and the guest gets credit again");

	/* Beyond the credit: the connection ends, nothing grows. */
	got.op = 0;
	for (int i = 0; i < 100 && got.op != VIRTIO_VSOCK_OP_RST; i++) {
		guest_send(VIRTIO_VSOCK_OP_RW, 1, HOST_PORT, block,
			   sizeof(block));
		while (take_packet())
			;
	}
	ok(got.op == VIRTIO_VSOCK_OP_RST && got.dst_port == 1,
	   "sending beyond the credit: RST");
	close(slow);
	close(fast);
	driver_run(&d);
	while (take_packet())
		;
	guest_send(VIRTIO_VSOCK_OP_RST, 2, HOST_PORT, NULL, 0);
}

/* Bytes of all packets that come now. */
static size_t bytes_received(void)
{
	size_t nr = 0;

	driver_run(&d);
	while (take_packet())
		nr += got.op == VIRTIO_VSOCK_OP_RW ? got.len : 0;
	return nr;
}

/* A guest that does not read: the host's bytes wait in its socket. */
static void test_guest_credit(void)
{
	static char block[8192];
	size_t nr = 0;
	int fd;

	peer_alloc = 1000;
	fd = connect_guest(1);
	if (write(fd, block, sizeof(block)) != sizeof(block))
		tap_bail("write");
	nr += bytes_received();
	is_int(nr, 1000, "no more than the guest's credit is sent");
	guest_fwd = 1000;
	guest_send(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 1, HOST_PORT, NULL, 0);
	nr += bytes_received();
	is_int(nr, 2000, "more when it has read");
	/* A count of bytes it never got must not open the flood. */
	guest_fwd = 0x7fffffff;
	guest_send(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 1, HOST_PORT, NULL, 0);
	nr += bytes_received();
	is_int(nr, 2000, "none for a false count");
	guest_fwd = 0;
	peer_alloc = CREDIT;
	guest_send(VIRTIO_VSOCK_OP_RST, 1, HOST_PORT, NULL, 0);
	close(fd);
}

static void test_many(void)
{
	enum { N = 200 };
	int fds[N];
	char c;
	int nr = 0;

	for (int i = 0; i < N; i++)
		fds[i] = connect_guest(10000 + i);
	for (int i = 0; i < N; i++) {
		c = i;
		guest_send(VIRTIO_VSOCK_OP_RW, 10000 + i, HOST_PORT, &c, 1);
	}
	for (int i = 0; i < N; i++) {
		c = i;
		nr += host_reads(fds[i], &c, 1);
	}
	is_int(nr, N, "200 connections at once");
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	for (int i = nr = 0; i < N; i++) {
		nr += host_eof(fds[i]);
		close(fds[i]);
	}
	is_int(nr, N, "a reset of the device closes them all");
	start();
	ok(silence(), "and leaves nothing for the next driver");
}

static void test_hostile(void)
{
	struct virtio_vsock_hdr hdr = { .src_cid = CID, .dst_cid = 2,
		.len = 100, .type = 1, .op = VIRTIO_VSOCK_OP_RW };
	struct ring *tx = &d.ring[TX];
	uint32_t id, len;
	int nr = 0, fd;

	/* Answers pile up while the guest gives no buffers. */
	driver_start(&d, d.vm, vs, DRIVER_FEATURES);
	for (int i = 0; i < DRIVER_RING; i++) {
		struct virtio_vsock_hdr h = { .src_cid = CID, .dst_cid = 2,
			.src_port = i, .type = 1, .op = VIRTIO_VSOCK_OP_RW };

		memcpy(driver_data(&d, TX) + i * 64, &h, HDR);
		ring_desc(tx, i, driver_gpa(TX) + i * 64, HDR, 0, 0);
	}
	for (int i = 0; i < DRIVER_RING; i++) {
		ring_offer(tx, i);
		driver_write(&d, VIRTIO_MMIO_QUEUE_NOTIFY, TX);
		nr += driver_wait(&d, ring_take_used(tx, &id, &len));
	}
	for (int i = 0; i < 8; i++)
		ring_offer(tx, i);
	driver_write(&d, VIRTIO_MMIO_QUEUE_NOTIFY, TX);
	driver_run(&d);
	ok(nr == 64 && !ring_take_used(tx, &id, &len),
	   "answers nobody takes hold only their own guest up");
	give_buffers();
	for (nr = 0; nr < 72 && driver_wait(&d, take_packet()); nr++)
		;
	is_int(nr, 72, "and all arrive once there are buffers");

	hdr.src_cid = 9;
	hdr.len = 0;
	memcpy(driver_data(&d, TX), &hdr, HDR);
	while (ring_take_used(tx, &id, &len))
		;
	driver_request(&d, TX, HDR, 0);
	ok(silence(), "a packet under another's name is ignored");
	guest_send(99, 1, 1, NULL, 0);
	ok(expect(VIRTIO_VSOCK_OP_RST, 1, 1), "an unknown operation: RST");
	fd = connect_guest(3);
	guest_send(99, 3, HOST_PORT, NULL, 0);
	ok(expect(VIRTIO_VSOCK_OP_RST, 3, HOST_PORT) && host_eof(fd),
	   "on a connection too: RST, and the host's end closes");
	close(fd);
	fd = connect_guest(3);
	guest_send(VIRTIO_VSOCK_OP_REQUEST, 3, HOST_PORT, NULL, 0);
	ok(expect(VIRTIO_VSOCK_OP_RST, 3, HOST_PORT) && host_eof(fd),
	   "a REQUEST on an open connection ends it");
	close(fd);

	hdr.src_cid = CID;
	hdr.len = 100;
	memcpy(driver_data(&d, TX), &hdr, HDR);
	driver_request(&d, TX, HDR + 99, 0);
	ok(driver_wait(&d, driver_needs_reset(&d)),
	   "a length beyond the packet breaks the queue");
	start();
	driver_request(&d, TX, HDR - 1, 0);
	ok(driver_wait(&d, driver_needs_reset(&d)), "half a header, too");
	start();
	ring_desc(&d.ring[RX], 20, driver_gpa(RX), HDR, VRING_DESC_F_WRITE, 0);
	for (int i = 0; i < NR_RX; i++)
		d.ring[RX].avail->ring[i] = 20;
	guest_send(VIRTIO_VSOCK_OP_RW, 1, 1, NULL, 0);
	ok(driver_wait(&d, driver_needs_reset(&d)),
	   "a receive buffer without room for data, too");
	start();
	fd = connect_guest(4);
	ok(fd >= 0, "after a reset all is well");
	close(fd);
}

static uint64_t rng_state = 0x5eed;

static uint32_t rnd(uint32_t n)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state % n;
}

/* Any packet at any time, on few ports, with host programs coming and going. */
static void test_random(void)
{
	enum { N = 30000, FDS = 16 };
	static char block[4096];
	unsigned int nr_taken = 0, nr_accepted = 0;
	int fds[FDS], fd;

	start();
	for (int i = 0; i < FDS; i++)
		fds[i] = -1;
	for (int i = 0; i < N; i++) {
		int *slot = &fds[rnd(FDS)];
		uint32_t port = rnd(2) ? got.src_port : HOST_PORT;

		peer_alloc = rnd(3) * 2000;
		guest_fwd = rnd(4) * 1000;
		send_flags = rnd(4);
		if (!guest_send(rnd(9), rnd(8), port, block, rnd(4096)))
			break;
		while (take_packet())
			nr_taken++;
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		if (fd < 0 && !rnd(20)) {
			fd = unix_socket(path, false);
			dprintf(fd, "CONNECT %u\n", rnd(8));
		}
		if (fd >= 0 || !rnd(10)) {
			if (*slot >= 0)
				close(*slot);
			*slot = fd;
			nr_accepted += fd >= 0;
		} else if (*slot >= 0 && read(*slot, block, rnd(4096)) < 0 &&
			   write(*slot, block, rnd(4096)) < 0) {
			shutdown(*slot, rnd(3));
		}
	}
	for (int i = 0; i < FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		close(fd);
	peer_alloc = CREDIT;
	guest_fwd = send_flags = 0;
	printf("# %u packets from the device, %u connections\n", nr_taken,
	       nr_accepted);
	ok(nr_taken > 1000 && nr_accepted > 100 && !driver_needs_reset(&d),
	   "%d random packets do no harm", N);
	start();
	fd = connect_guest(GUEST_PORT);
	guest_send(VIRTIO_VSOCK_OP_RW, GUEST_PORT, HOST_PORT, "hello", 5);
	ok(host_reads(fd, "hello", 5), "and all works as before");
	close(fd);
}

int main(void)
{
	struct vm *vm = driver_vm();
	struct virtio_vsock *other;
	char why[256];
	int rc;

	log_set_level(LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN); /* for this program's own writes */
	if (!mkdtemp(dir))
		tap_bail("no temporary directory");
	snprintf(path, sizeof(path), "%s/v", dir);
	snprintf(path_port, sizeof(path_port), "%s_%u", path, HOST_PORT);
	/* A socket file left over by a VM that was killed is no obstacle. */
	close(unix_socket(path, true));
	if (virtio_vsock_new(&vs, vm, path, CID, why, sizeof(why)) < 0)
		tap_bail("%s", why);
	rc = virtio_vsock_new(&other, vm, path, CID + 1, why, sizeof(why));
	ok(rc == -EADDRINUSE, "a path in use is refused: %s", why);
	rc = virtio_vsock_new(&other, vm, NULL, 2, why, sizeof(why));
	ok(rc == -EINVAL, "the host's CID is refused: %s", why);
	listener = unix_socket(path_port, true);
	d.vm = vm;
	start();
	test_guest_connects();
	test_host_connects();
	test_listener();
	test_credit();
	test_guest_credit();
	test_many();
	test_hostile();
	test_random();
	virtio_vsock_free(vs);
	ok(access(path, F_OK) < 0, "the socket file is gone");
	vm_free(vm);
	close(listener);
	unlink(path_port);
	rmdir(dir);
	return tap_done();
}
