// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-net on a tap (virtio 1.2, section 5.1): one queue pair, checksum
 * offload both ways, segmentation offload from the guest.
 *
 * The kernel's tap uses virtio's packet header itself (IFF_VNET_HDR), so
 * packets are passed between tap and guest buffers by one readv() or writev(),
 * and the kernel checks the header that the guest wrote.  Large receive offload
 * is not offered: without merged buffers the guest would need 64 KiB for each
 * of 256 buffers.
 *
 * The tap is polled only while the guest has buffers; other packets wait in the
 * tap's own queue, and are dropped there when it is full.
 */
#include "config.h"

#include <endian.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/dev/device.h"
#include "vmm/dev/virtio.h"
#include "vmm/kvm/vm.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"

enum { RX, TX, NR_QUEUES };

#define HDR_BYTES sizeof(struct virtio_net_hdr_v1)
/* 64 KiB of payload to be segmented, and room for headers. */
#define MAX_FRAME (68 * 1024)

struct virtio_net {
	struct virtio_device dev; /* must come first */
	struct virtio_net_config config;
	int tap_fd;		/* owned */
	struct event *tap;	/* owned; armed by the I/O thread only */
	bool tap_is_gone;	/* deleted on the host; I/O thread */
	struct log_limit limit;
};

static struct virtio_net *to_net(struct virtio_device *dev)
{
	return (struct virtio_net *)dev;
}

/* Polling a tap that was deleted would report an error for ever. */
static void note_read_error(struct virtio_net *net, int error)
{
	if (error != EBADFD || net->tap_is_gone)
		return;
	net->tap_is_gone = true;
	log_error("%s: the tap device was deleted: the guest has no network "
		  "any more; create the tap device again, and restart the VM",
		  net->dev.name);
}

/* 1: a packet was delivered; 0: no packet; -errno: invalid buffer. */
static int receive_one(struct virtio_net *net, struct virtqueue *vq,
		       struct virtqueue_chain *chain)
{
	uint16_t one = htole16(1);
	ssize_t n;

	if (chain->in_bytes <= HDR_BYTES)
		return virtqueue_break(vq, "a receive buffer that is too "
				       "small");
	n = readv(net->tap_fd, chain->iov + chain->nr_out, chain->nr_in);
	if (n <= (ssize_t)HDR_BYTES) {
		note_read_error(net, n < 0 ? errno : 0);
		virtqueue_unpop(vq);
		return 0;
	}
	virtio_device_charge(&net->dev, n / VMM_PAGE_SIZE);
	/* The tap does not set this field. */
	virtqueue_copy_in(chain, offsetof(struct virtio_net_hdr_v1,
					  num_buffers), &one, sizeof(one));
	virtqueue_push(vq, chain, n);
	return 1;
}

/* Tap to guest; true when it stopped with work left. */
static bool receive(struct virtio_net *net)
{
	struct virtqueue *vq = &net->dev.queues[RX];
	struct virtqueue_chain chain;
	int rc = 0;

	event_del(net->tap);
	virtqueue_forbid_notify(vq);
	while (net->dev.turn_left) {
		virtio_device_charge(&net->dev, VIRTIO_COST_REQUEST);
		rc = virtqueue_pop(vq, &chain);
		if (!rc && virtqueue_allow_notify(vq))
			continue;
		if (rc <= 0)
			break; /* no buffers: wait for the guest's kick */
		rc = receive_one(net, vq, &chain);
		if (!rc && !net->tap_is_gone)
			event_add(net->tap, NULL);
		if (rc <= 0)
			break;
	}
	virtio_device_signal_used(&net->dev, RX);
	if (rc < 0)
		virtio_device_needs_reset(&net->dev);
	return !net->dev.turn_left;
}

static int64_t transmit(struct virtio_device *dev,
			struct virtqueue_chain *chain)
{
	struct virtio_net *net = to_net(dev);

	if (chain->out_bytes <= HDR_BYTES)
		return -EINVAL;
	/* A packet that the tap does not accept is lost, as on a wire. */
	if (chain->out_bytes > HDR_BYTES + MAX_FRAME) {
		log_limited(&net->limit, LOG_LEVEL_DEBUG,
			    "virtio-net: dropped a packet of %zu bytes: too "
			    "long",
			    chain->out_bytes);
		return 0;
	}
	virtio_device_charge(dev, chain->out_bytes / VMM_PAGE_SIZE);
	if (writev(net->tap_fd, chain->iov, chain->nr_out) < 0)
		log_limited(&net->limit, LOG_LEVEL_DEBUG,
			    "virtio-net: dropped a packet: %s",
			    error_text(errno));
	return 0;
}

static bool serve(struct virtio_device *dev, unsigned int q)
{
	return q == RX ? receive(to_net(dev)) :
			 virtio_device_drain(dev, q, transmit);
}

static void on_tap(evutil_socket_t fd, short what, void *arg)
{
	struct virtio_net *net = arg;

	virtio_device_lock(&net->dev);
	virtio_device_begin_turn(&net->dev);
	if (!virtio_device_queue_ok(&net->dev, RX))
		event_del(net->tap); /* until the driver kicks again */
	else if (receive(net))
		virtio_device_schedule(&net->dev, RX);
	virtio_device_unlock(&net->dev);
}

/* Passes packets with partial checksums only to a guest that negotiated it. */
static void start(struct virtio_device *dev)
{
	unsigned int offload = virtio_device_has(dev, VIRTIO_NET_F_GUEST_CSUM) ?
			       TUN_F_CSUM : 0;

	if (ioctl(to_net(dev)->tap_fd, TUNSETOFFLOAD, offload) < 0)
		log_warn("%s: the tap device refuses offload flags %u: %s",
			 dev->name,
			 offload, error_text(errno));
	virtio_device_schedule(dev, RX);
}

static const struct virtio_device_ops net_ops = {
	.serve = serve,
	.start = start,
};

/*
 * The same address at each start, so that the guest recognizes its interface.
 */
static void make_mac(uint8_t mac[6], const char *vm, const char *tap)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (const char *s = vm; *s; s++)
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	h *= UINT64_C(0x100000001b3);
	for (const char *s = tap; *s; s++)
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	for (int i = 0; i < 6; i++)
		mac[i] = h >> (8 * i + 8);
	mac[0] = (mac[0] & 0xfc) | 2; /* unicast, locally administered */
}

/* The tap may be set up later, so this is no error. */
static void warn_if_down(const char *name)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(ifr.ifr_name, name);
	if (fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &ifr) &&
	    !(ifr.ifr_flags & IFF_UP))
		log_warn("net: tap '%s' is down, so no packet passes it: ip "
			 "link set %s up", name, name);
	if (fd >= 0)
		close(fd);
}

/* Returns rc. */
static int explain_tap_error(const char *problem, const char *name, int rc,
			     char *why, size_t len)
{
	snprintf(why, len, "net: %s tap '%s': %s; create it as root: ip tuntap "
		 "add dev %s mode tap user $USER && ip link set %s up", problem,
		 name, error_text(-rc), name, name);
	return rc;
}

static int open_tap(const char *name, int *fdp, char *why, size_t len)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int hdr_bytes = HDR_BYTES;
	int rc, fd;

	if (!*name || strlen(name) >= sizeof(ifr.ifr_name)) {
		snprintf(why, len, "net: '%s' is not the name of a network "
			 "interface", name);
		return -EINVAL;
	}
	/*
	 * For root the kernel would make one, which nothing is connected to,
	 * and which would be gone with the VM.
	 */
	if (!if_nametoindex(name))
		return explain_tap_error("there is no", name, -errno, why, len);
	strcpy(ifr.ifr_name, name);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		snprintf(why, len, "net: cannot open /dev/net/tun: %s; "
			 "load the module: modprobe tun", error_text(-rc));
		return rc;
	}
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		rc = -errno;
		if (rc == -EBUSY)
			snprintf(why, len, "net: tap '%s' is in use by another "
				 "program; give this VM its own", name);
		else
			explain_tap_error("cannot open", name, rc, why, len);
		close(fd);
		return rc;
	}
	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr_bytes) < 0) {
		rc = -errno;
		snprintf(why, len, "net: tap '%s' has no virtio header: %s; "
			 "it needs Linux 3.11 or later", name, error_text(-rc));
		close(fd);
		return rc;
	}
	warn_if_down(name);
	*fdp = fd;
	return 0;
}

int virtio_net_new(struct virtio_net **netp, struct vm *vm, const char *tap,
		   char *why, size_t len)
{
	struct virtio_net *net = virtio_device_alloc(sizeof(*net), why, len);
	int rc;

	if (!net)
		return -ENOMEM;
	rc = open_tap(tap, &net->tap_fd, why, len);
	if (rc < 0)
		goto fail_alloc;
	make_mac(net->config.mac, vm_name(vm), tap);
	net->dev.ops = &net_ops;
	net->dev.name = "virtio-net";
	net->dev.id = VIRTIO_ID_NET;
	net->dev.nr_queues = NR_QUEUES;
	net->dev.features = UINT64_C(1) << VIRTIO_NET_F_MAC |
			    UINT64_C(1) << VIRTIO_NET_F_CSUM |
			    UINT64_C(1) << VIRTIO_NET_F_GUEST_CSUM |
			    UINT64_C(1) << VIRTIO_NET_F_HOST_TSO4 |
			    UINT64_C(1) << VIRTIO_NET_F_HOST_TSO6;
	net->dev.config = &net->config;
	net->dev.config_bytes = sizeof(net->config.mac);
	rc = virtio_device_add(&net->dev, vm, why, len);
	if (rc < 0)
		goto fail_tap;
	net->tap = event_new(vm_event_base(vm), net->tap_fd,
			     EV_READ | EV_PERSIST, on_tap, net);
	if (!net->tap) {
		snprintf(why, len, "not enough memory for virtio-net");
		rc = -ENOMEM;
		goto fail_device;
	}
	*netp = net;
	return 0;

fail_device:
	virtio_device_remove(&net->dev);
fail_tap:
	close(net->tap_fd);
fail_alloc:
	free(net);
	return rc;
}

void virtio_net_free(struct virtio_net *net)
{
	if (!net)
		return;
	event_free(net->tap);
	virtio_device_remove(&net->dev);
	close(net->tap_fd);
	free(net);
}
