/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Constructors of devices.  Each adds its device to the VM's buses, and is
 * called before vm_start(); the device is freed by its own _free after
 * vm_wait().  0 or -errno; on failure why names the problem and the remedy
 * (such as a missing disk image, or a tap that may not be opened).
 */
#ifndef VMM_DEV_DEVICE_H
#define VMM_DEV_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;
struct virtio_blk;
struct virtio_net;
struct virtio_rng;
struct virtio_balloon;
struct virtio_vsock;

int virtio_blk_new(struct virtio_blk **blkp, struct vm *vm, const char *path,
		   bool read_only, char *why, size_t len);
void virtio_blk_free(struct virtio_blk *blk);

int virtio_net_new(struct virtio_net **netp, struct vm *vm, const char *tap,
		   char *why, size_t len);
void virtio_net_free(struct virtio_net *net);

int virtio_rng_new(struct virtio_rng **rngp, struct vm *vm, char *why,
		   size_t len);
void virtio_rng_free(struct virtio_rng *rng);

/*
 * Inflated pages and pages reported free are returned to the host by
 * guest_mem_discard().
 */
int virtio_balloon_new(struct virtio_balloon **bp, struct vm *vm, char *why,
		       size_t len);
void virtio_balloon_free(struct virtio_balloon *balloon);
/*
 * Requests that the guest give up nr_bytes of its memory in all (0: none); any
 * thread; returns at once: the I/O thread notifies the guest.
 */
void virtio_balloon_set_target(struct virtio_balloon *balloon,
			       uint64_t nr_bytes);
/*
 * Inflates the balloon by nr_bytes and deflates it at once, which returns the
 * guest's free memory to the host.  It ends after some seconds at the latest,
 * with what the guest could give up.  0: started; -EBUSY: the balloon is
 * changing its size, or its lock is taken; -ENODEV: the guest has no driver;
 * -EINVAL: nr_bytes is 0, or more than the guest has; -ENOMEM.
 */
int virtio_balloon_inflate_and_deflate(struct virtio_balloon *balloon,
				       uint64_t nr_bytes);

struct virtio_balloon_stats {
	uint64_t target_bytes, actual_bytes;
	uint64_t nr_reported;	/* pages discarded by free page reporting */
};

void virtio_balloon_get_stats(const struct virtio_balloon *balloon,
			      struct virtio_balloon_stats *stats);

/*
 * Stream sockets between guest and host, as Firecracker and Cloud Hypervisor
 * map them to unix sockets:
 *  - the guest connects to CID 2 port P: we connect to `<path>_P`, unless a
 *    listener in this process has the port (virtio_vsock_listen());
 *  - a host program connects to `path` and sends "CONNECT P\n"; we answer
 *    "OK <our port>\n" and pass bytes to the guest's listener on P.
 * path may be NULL: then there are only in-process listeners.
 */
int virtio_vsock_new(struct virtio_vsock **vp, struct vm *vm, const char *path,
		     uint64_t guest_cid, char *why, size_t len);
void virtio_vsock_free(struct virtio_vsock *vsock);
/*
 * accept() is called in the I/O thread, without locks, with our end (a
 * connected, non-blocking stream socket, owned by the callee) of each guest
 * connection to the port.
 * Any thread.  0, -EADDRINUSE or -ENOMEM.
 */
int virtio_vsock_listen(struct virtio_vsock *vsock, uint32_t port,
			void (*accept)(int fd, void *arg), void *arg);

#endif
