/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test's own file system: one file, "disk", served by a thread over
 * /dev/fuse, which exists or has to be created.  Its reads wait while the gate
 * is closed, and it can refuse O_DIRECT as some file systems do: not when a
 * file is opened, but when it is read.  One for each program; the kernel
 * removes it when the program ends.
 */
#ifndef TESTS_UNIT_FUSE_DISK_H
#define TESTS_UNIT_FUSE_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/util/clock.h"

#define FUSE_DISK_BYTES	  (1u << 20)
#define FUSE_DISK_BYTE	  0x5a	/* all of it */
#define FUSE_DISK_NODE	  (FUSE_ROOT_ID + 1)
#define FUSE_DISK_VALID_S 1000	/* names and attributes; they do not change */
#define FUSE_DISK_MAX_READ (128u << 10)
#define FUSE_DISK_HELD	  8

struct fuse_disk {
	int fd;
	char dir[32], path[48];
	uint32_t open_flags;	/* FOPEN_*; set before it is opened */
	bool no_direct;		/* with O_DIRECT: EINVAL; the same */
	bool missing;		/* until it is made; the same */
	pthread_mutex_t lock;	/* of the rest */
	bool closed;		/* the gate */
	unsigned int nr_held;	/* reads that wait for it */
	struct held_read {
		uint64_t unique;
		struct fuse_read_in in;
	} held[FUSE_DISK_HELD];
};

static struct fuse_disk fuse_disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void fuse_answer(uint64_t unique, int error, const void *data,
			size_t len)
{
	struct fuse_out_header h = { .len = sizeof(h) + len, .error = error,
				     .unique = unique };
	struct iovec iov[] = { { &h, sizeof(h) }, { (void *)data, len } };

	if (writev(fuse_disk.fd, iov, len ? 2 : 1) < 0)
		printf("# FUSE: %s\n", strerror(errno));
}

static struct fuse_attr fuse_attr_of(uint64_t node)
{
	bool is_dir = node == FUSE_ROOT_ID;

	return (struct fuse_attr){
		.ino = node, .nlink = 1, .blksize = 4096,
		.mode = is_dir ? S_IFDIR | 0755 : S_IFREG | 0600,
		.size = is_dir ? 0 : FUSE_DISK_BYTES,
	};
}

static void fuse_answer_read(const struct held_read *r)
{
	static char data[FUSE_DISK_MAX_READ];

	if (fuse_disk.no_direct && r->in.flags & O_DIRECT) {
		fuse_answer(r->unique, -EINVAL, NULL, 0);
		return;
	}
	memset(data, FUSE_DISK_BYTE, sizeof(data));
	fuse_answer(r->unique, 0, data, r->in.size);
}

static void fuse_disk_gate(bool open)
{
	pthread_mutex_lock(&fuse_disk.lock);
	fuse_disk.closed = !open;
	while (open && fuse_disk.nr_held)
		fuse_answer_read(&fuse_disk.held[--fuse_disk.nr_held]);
	pthread_mutex_unlock(&fuse_disk.lock);
}

static void fuse_take_read(uint64_t unique, const struct fuse_read_in *in)
{
	const struct held_read r = { unique, *in };

	pthread_mutex_lock(&fuse_disk.lock);
	if (!fuse_disk.closed || fuse_disk.nr_held == FUSE_DISK_HELD)
		fuse_answer_read(&r);
	else
		fuse_disk.held[fuse_disk.nr_held++] = r;
	pthread_mutex_unlock(&fuse_disk.lock);
}

/* Returns when so many reads wait at the gate. */
static void fuse_disk_await_reads(unsigned int nr)
{
	uint64_t give_up = clock_now_ns() + 120 * NSEC_PER_SEC;
	unsigned int n;

	do {
		usleep(1000);
		pthread_mutex_lock(&fuse_disk.lock);
		n = fuse_disk.nr_held;
		pthread_mutex_unlock(&fuse_disk.lock);
	} while (n < nr && clock_now_ns() < give_up);
	if (n < nr)
		tap_bail("%u reads of the disk have come, not %u", n, nr);
}

static void fuse_serve_one(const struct fuse_in_header *h, const void *in)
{
	const struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = 31,
		.flags = FUSE_ASYNC_READ, .max_write = FUSE_DISK_MAX_READ,
		.max_readahead = FUSE_DISK_MAX_READ,
	};
	const struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} made = {
		{ .nodeid = FUSE_DISK_NODE, .attr_valid = FUSE_DISK_VALID_S,
		  .entry_valid = FUSE_DISK_VALID_S,
		  .attr = fuse_attr_of(FUSE_DISK_NODE) },
		{ .open_flags = fuse_disk.open_flags },
	};
	const struct fuse_attr_out attr = {
		.attr_valid = FUSE_DISK_VALID_S,
		.attr = fuse_attr_of(h->nodeid),
	};

	switch (h->opcode) {
	case FUSE_INIT:
		fuse_answer(h->unique, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		if (fuse_disk.missing)
			fuse_answer(h->unique, -ENOENT, NULL, 0);
		else
			fuse_answer(h->unique, 0, &made.entry,
				    sizeof(made.entry));
		break;
	case FUSE_CREATE:
		fuse_answer(h->unique, 0, &made, sizeof(made));
		break;
	case FUSE_GETATTR:
		fuse_answer(h->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		fuse_answer(h->unique, 0, &made.open, sizeof(made.open));
		break;
	case FUSE_READ:
		fuse_take_read(h->unique, in);
		break;
	case FUSE_UNLINK:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		fuse_answer(h->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;		/* these have no answer */
	default:
		fuse_answer(h->unique, -ENOSYS, NULL, 0);
	}
}

static void *fuse_serve(void *arg)
{
	static union {
		struct fuse_in_header h;
		char bytes[FUSE_DISK_MAX_READ + (64 << 10)];
	} in;

	(void)arg;
	for (;;) {
		ssize_t n = read(fuse_disk.fd, &in, sizeof(in));

		if (n >= (ssize_t)sizeof(in.h))
			fuse_serve_one(&in.h, &in.h + 1);
		else if (n >= 0 || (errno != EINTR && errno != ENOENT))
			return NULL;	/* it is unmounted */
	}
}

/* Mounts it, in a mount namespace of ours; fuse_disk.path is the file. */
static void fuse_disk_start(void)
{
	char dir[] = "/tmp/vmm-disk-XXXXXX", opts[96];
	struct fuse_disk *f = &fuse_disk;
	pthread_t thread;

	f->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (f->fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		tap_skip_all("this kernel has no FUSE (CONFIG_FUSE_FS)");
	if (f->fd < 0)
		tap_refused(-errno, "/dev/fuse can't be opened: run as root");
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		tap_refused(-errno, "nothing can be mounted: run as root");
	if (!mkdtemp(dir))
		tap_bail("no directory in /tmp");
	snprintf(f->dir, sizeof(f->dir), "%s", dir);
	snprintf(f->path, sizeof(f->path), "%s/disk", dir);
	snprintf(opts, sizeof(opts), "fd=%d,rootmode=%o,user_id=%u,group_id=%u",
		 f->fd, S_IFDIR, geteuid(), getegid());
	if (mount("disk", dir, "fuse", MS_NOSUID | MS_NODEV, opts)) {
		int rc = -errno;

		rmdir(dir);
		tap_refused(rc, "FUSE can't be mounted: run as root");
	}
	if (pthread_create(&thread, NULL, fuse_serve, NULL))
		tap_bail("no thread");
	pthread_detach(thread);
}

static void fuse_disk_stop(void)
{
	umount2(fuse_disk.dir, MNT_DETACH);
	rmdir(fuse_disk.dir);
}

#endif
