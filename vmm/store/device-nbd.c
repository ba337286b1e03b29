// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each worker has its own connection and reconnects when it breaks; a server
 * that allows only one connection has one worker. libnbd's asynchronous calls
 * are used, so that a request can be abandoned by closing its connection.
 */
#include "config.h"

#include <errno.h>
#include <libnbd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "vmm/store/store-device.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"

#define CONNECT_NS   (5 * NSEC_PER_SEC)
#define CONNECT_AGAIN_MS 100
#define TCP_GONE_MS  10000	/* until a silent host counts as unreachable */
#define TCP_PROBE_S  3

struct nbd_device {
	struct store_device dev;
	struct nbd_handle *conns[STORE_DEVICE_WORKERS];	/* owned; NULL: none */
	char uri[];
};

enum request { READ, WRITE, TRIM };

static int error_of(void)
{
	int e = nbd_get_errno();

	return e > 0 ? -e : -EIO;
}

static bool is_broken(struct nbd_handle *nbd)
{
	return nbd_aio_is_dead(nbd) || nbd_aio_is_closed(nbd);
}

static void drop(struct nbd_device *d, unsigned int i)
{
	if (d->conns[i])
		nbd_close(d->conns[i]);
	d->conns[i] = NULL;
}

/*
 * Lets libnbd make progress once.  0; -ETIMEDOUT: no event until then;
 * -ECANCELED; or -errno: the connection is broken.
 */
static int step(struct nbd_handle *nbd, const struct store_worker *w,
		uint64_t until_ns)
{
	unsigned int dir = nbd_aio_get_direction(nbd);
	uint64_t now = clock_now_ns();
	struct pollfd fds[2] = {
		{ .fd = nbd_aio_get_fd(nbd),
		  .events = (dir & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
			    (dir & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0) },
		{ .fd = w ? w->cancel_fd : -1, .events = POLLIN },
	};
	int ms = until_ns == UINT64_MAX ? -1 : until_ns <= now ? 0 :
		 (int)((until_ns - now) / NSEC_PER_MSEC + 1);
	int n = poll(fds, 2, ms), rc = 0;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (!n)
		return -ETIMEDOUT;
	if (fds[1].revents)
		return -ECANCELED;
	if (dir & LIBNBD_AIO_DIRECTION_READ &&
	    fds[0].revents & (POLLIN | POLLHUP | POLLERR))
		rc = nbd_aio_notify_read(nbd);
	else if (dir & LIBNBD_AIO_DIRECTION_WRITE &&
		 fds[0].revents & (POLLOUT | POLLHUP | POLLERR))
		rc = nbd_aio_notify_write(nbd);
	else
		return -ECONNRESET;
	return rc ? error_of() : 0;
}

/*
 * An unreachable host is detected in seconds, not after a quarter of an hour.
 */
static void watch_peer(struct nbd_handle *nbd)
{
	int fd = nbd_aio_get_fd(nbd), on = 1, s = TCP_PROBE_S;
	unsigned int ms = TCP_GONE_MS;

	/* These fail on a Unix socket, where they are not needed. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &s, sizeof(s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &s, sizeof(s));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

static int connect_once(struct nbd_handle **nbdp, const char *uri,
			const struct store_worker *w, uint64_t until)
{
	struct nbd_handle *nbd = nbd_create();
	int rc;

	if (!nbd)
		return -ENOMEM;
	nbd_set_uri_allow_local_file(nbd, true);
	rc = nbd_aio_connect_uri(nbd, uri) ? error_of() : 0;
	while (!rc && !nbd_aio_is_ready(nbd))
		rc = is_broken(nbd) ? -ECONNRESET : step(nbd, w, until);
	if (rc) {
		nbd_close(nbd);
		return rc;
	}
	watch_peer(nbd);
	*nbdp = nbd;
	return 0;
}

/*
 * The worker may be NULL.  A Unix socket with a full backlog, whose server
 * accepts no connections, returns EAGAIN: that counts as no response, too.
 */
static int connect_to(struct nbd_handle **nbdp, const char *uri,
		      const struct store_worker *w)
{
	struct pollfd cancel = { .fd = w ? w->cancel_fd : -1, .events = POLLIN };
	uint64_t until = clock_now_ns() + CONNECT_NS;
	int rc;

	while ((rc = connect_once(nbdp, uri, w, until)) == -EAGAIN) {
		if (clock_now_ns() > until)
			return -ETIMEDOUT;
		if (poll(&cancel, 1, CONNECT_AGAIN_MS) > 0)
			return -ECANCELED;
	}
	return rc;
}

/* After a reconnect the export must be as large as before, and writable. */
static bool is_usable(const struct nbd_device *d, struct nbd_handle *nbd)
{
	int64_t size = nbd_get_size(nbd);

	return size >= 0 && (uint64_t)size >= d->dev.bytes &&
	       !nbd_is_read_only(nbd);
}

/*
 * Makes the worker's connection usable: a new one, if there is none or the
 * server has closed it since the last request.
 */
static int get_connection(struct nbd_device *d, const struct store_worker *w)
{
	struct nbd_handle **nbd = &d->conns[w->index];
	int rc = 0;

	while (*nbd && !is_broken(*nbd) && !rc)
		rc = step(*nbd, NULL, 0);
	if (*nbd && rc == -ETIMEDOUT)
		return 0;
	drop(d, w->index);
	rc = connect_to(nbd, d->uri, w);
	if (!rc && !is_usable(d, *nbd)) {
		drop(d, w->index);
		rc = -ENXIO;
	}
	return rc;
}

/*
 * Tries a request over the worker's connection, which is dropped when it is
 * unusable.  *sent: the server may have received the request.
 */
static int try(struct nbd_device *d, const struct store_worker *w,
	       enum request what, void *buf, size_t len, uint64_t offset,
	       bool *sent)
{
	struct nbd_handle *nbd;
	int64_t cookie;
	int done = 0, rc = get_connection(d, w);

	*sent = false;
	if (rc)
		return rc;
	nbd = d->conns[w->index];
	cookie = what == READ ? nbd_aio_pread(nbd, buf, len, offset,
					      NBD_NULL_COMPLETION, 0) :
		 what == WRITE ? nbd_aio_pwrite(nbd, buf, len, offset,
						NBD_NULL_COMPLETION, 0) :
				 nbd_aio_trim(nbd, len, offset,
					      NBD_NULL_COMPLETION, 0);
	*sent = cookie >= 0;
	if (cookie < 0)
		rc = error_of();
	while (!rc && !done) {
		done = nbd_aio_command_completed(nbd, cookie);
		if (done < 0)
			rc = error_of();
		else if (!done)
			rc = is_broken(nbd) ? -ECONNRESET :
					      step(nbd, w, UINT64_MAX);
	}
	/* An error returned by the server: the connection is fine. */
	if (done < 0 && !is_broken(nbd))
		*sent = false;
	else if (rc)
		drop(d, w->index);
	return rc;
}

static int nbd_read(struct store_device *dev, const struct store_worker *w,
		    void *buf, size_t len, uint64_t offset)
{
	struct nbd_device *d = (struct nbd_device *)dev;
	bool sent;
	int rc = try(d, w, READ, buf, len, offset, &sent);

	/* Retry once over a new connection, as the old one has broken. */
	if (rc && sent && rc != -ECANCELED)
		rc = try(d, w, READ, buf, len, offset, &sent);
	return rc;
}

static int nbd_write(struct store_device *dev, const struct store_worker *w,
		     const void *buf, size_t len, uint64_t offset)
{
	bool sent;
	int rc = try((struct nbd_device *)dev, w, WRITE, (void *)buf, len,
		     offset, &sent);

	return rc && sent ? -ENOLINK : rc;
}

static int nbd_discard(struct store_device *dev, const struct store_worker *w,
		       size_t len, uint64_t offset)
{
	struct nbd_device *d = (struct nbd_device *)dev;
	bool sent;
	int rc = try(d, w, TRIM, NULL, len, offset, &sent);

	return rc && sent ? -ENOLINK : rc;
}

static void nbd_close_all(struct store_device *dev)
{
	struct nbd_device *d = (struct nbd_device *)dev;

	for (unsigned int i = 0; i < STORE_DEVICE_WORKERS; i++)
		drop(d, i);
	free(d);
}

static const struct store_device_ops nbd_ops = {
	.read = nbd_read,
	.write = nbd_write,
	.discard = nbd_discard,
	.close = nbd_close_all,
};

static const struct store_device_ops nbd_ops_without_trim = {
	.read = nbd_read,
	.write = nbd_write,
	.close = nbd_close_all,
};

static int check_export(struct nbd_device *d, uint64_t bytes, char *why,
			size_t len)
{
	struct nbd_handle *nbd = d->conns[0];
	int64_t size = nbd_get_size(nbd);

	if (nbd_is_read_only(nbd)) {
		snprintf(why, len, "%s is read-only: export it read-write",
			 d->uri);
		return -EROFS;
	}
	if (size <= 0) {
		snprintf(why, len, "%s %s: export a device or a file of 4M or "
			 "more", d->uri, size ? "does not report its size" :
			 "has 0 bytes");
		return -EFBIG;
	}
	if (bytes > (uint64_t)size) {
		snprintf(why, len, "%s has %lld bytes, fewer than size=: give "
			 "a smaller size, or leave it out",
			 d->uri, (long long)size);
		return -EFBIG;
	}
	d->dev.bytes = bytes ? bytes : (uint64_t)size;
	d->dev.ops = nbd_can_trim(nbd) > 0 ? &nbd_ops : &nbd_ops_without_trim;
	d->dev.nr_workers = nbd_can_multi_conn(nbd) > 0 ?
		STORE_DEVICE_WORKERS : 1;
	return 0;
}

int store_nbd_open(struct store_device **devp, const char *uri, uint64_t bytes,
		   char *why, size_t len)
{
	struct nbd_device *d = calloc(1, sizeof(*d) + strlen(uri) + 1);
	int rc;

	if (!d) {
		snprintf(why, len, "not enough memory for %s", uri);
		return -ENOMEM;
	}
	strcpy(d->uri, uri);
	d->dev.ops = &nbd_ops;
	d->dev.name = d->uri;
	rc = connect_to(&d->conns[0], uri, NULL);
	if (rc == -ETIMEDOUT)
		snprintf(why, len, "%s: the server does not answer", uri);
	else if (rc)
		snprintf(why, len, "%s: %s", uri,
			 nbd_get_error() ? nbd_get_error() : error_text(-rc));
	else
		rc = check_export(d, bytes, why, len);
	if (rc) {
		nbd_close_all(&d->dev);
		return rc;
	}
	*devp = &d->dev;
	return 0;
}
