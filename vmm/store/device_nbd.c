// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A handle of libnbd takes one request at a time, so each thread that comes
 * gets one of a few connections; a server that allows only one gets one.
 */
#include "config.h"

#include <errno.h>
#include <libnbd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/store/device.h"

#define MAX_CONNECTIONS 4

struct nbd_device {
	struct store_device dev;
	pthread_mutex_t lock;
	pthread_cond_t returned;
	struct nbd_handle *idle[MAX_CONNECTIONS];	/* owned */
	unsigned int nr_idle, nr;
	char *uri;		/* owned */
	bool can_trim;
};

static struct nbd_handle *connect_to(const char *uri)
{
	struct nbd_handle *nbd = nbd_create();

	if (!nbd)
		return NULL;
	nbd_set_uri_allow_local_file(nbd, true);
	if (!nbd_connect_uri(nbd, uri))
		return nbd;
	nbd_close(nbd);
	return NULL;
}

static struct nbd_handle *take(struct nbd_device *d)
{
	struct nbd_handle *nbd;

	pthread_mutex_lock(&d->lock);
	while (!d->nr_idle)
		pthread_cond_wait(&d->returned, &d->lock);
	nbd = d->idle[--d->nr_idle];
	pthread_mutex_unlock(&d->lock);
	return nbd;
}

static void give(struct nbd_device *d, struct nbd_handle *nbd)
{
	pthread_mutex_lock(&d->lock);
	d->idle[d->nr_idle++] = nbd;
	pthread_cond_signal(&d->returned);
	pthread_mutex_unlock(&d->lock);
}

static int error_of(void)
{
	int e = nbd_get_errno();

	return e > 0 ? -e : -EIO;
}

enum request { READ, WRITE, TRIM };

/* Once more over a new connection, when the one it had has broken. */
static int request(struct nbd_device *d, enum request what, void *buf,
		   size_t len, uint64_t offset)
{
	struct nbd_handle *nbd = take(d);
	int rc = -EIO;

	for (int tries = 0; tries < 2; tries++) {
		if (tries || nbd_aio_is_dead(nbd) || nbd_aio_is_closed(nbd)) {
			struct nbd_handle *fresh = connect_to(d->uri);

			if (!fresh) {
				rc = error_of();
				break;
			}
			nbd_close(nbd);
			nbd = fresh;
		}
		if (what == READ)
			rc = nbd_pread(nbd, buf, len, offset, 0);
		else if (what == WRITE)
			rc = nbd_pwrite(nbd, buf, len, offset, 0);
		else
			rc = nbd_trim(nbd, len, offset, 0);
		if (!rc)
			break;
		rc = error_of();
		if (!nbd_aio_is_dead(nbd) && !nbd_aio_is_closed(nbd))
			break;
	}
	give(d, nbd);
	return rc;
}

static int nbd_read(struct store_device *dev, void *buf, size_t len,
		    uint64_t offset)
{
	return request((struct nbd_device *)dev, READ, buf, len, offset);
}

static int nbd_write(struct store_device *dev, const void *buf, size_t len,
		     uint64_t offset)
{
	return request((struct nbd_device *)dev, WRITE, (void *)buf, len,
		       offset);
}

static void nbd_discard(struct store_device *dev, size_t len, uint64_t offset)
{
	struct nbd_device *d = (struct nbd_device *)dev;

	if (d->can_trim)
		request(d, TRIM, NULL, len, offset);
}

static void nbd_close_all(struct store_device *dev)
{
	struct nbd_device *d = (struct nbd_device *)dev;

	for (unsigned int i = 0; i < d->nr_idle; i++) {
		nbd_shutdown(d->idle[i], 0);
		nbd_close(d->idle[i]);
	}
	pthread_cond_destroy(&d->returned);
	pthread_mutex_destroy(&d->lock);
	free(d->uri);
	free(d);
}

static const struct store_device_ops nbd_ops = {
	.read = nbd_read,
	.write = nbd_write,
	.discard = nbd_discard,
	.close = nbd_close_all,
};

static int check_export(struct nbd_device *d, uint64_t bytes, char *why,
			size_t len)
{
	struct nbd_handle *nbd = d->idle[0];
	int64_t size = nbd_get_size(nbd);

	if (nbd_is_read_only(nbd)) {
		snprintf(why, len, "%s can't be written to: export it "
			 "read-write", d->uri);
		return -EROFS;
	}
	if (size <= 0 || bytes > (uint64_t)size) {
		snprintf(why, len, "%s has %lld bytes, fewer than asked for",
			 d->uri, (long long)(size < 0 ? 0 : size));
		return -EFBIG;
	}
	d->dev.bytes = bytes ? bytes : (uint64_t)size;
	d->can_trim = nbd_can_trim(nbd) > 0;
	return 0;
}

int store_nbd_open(struct store_device **devp, const char *uri, uint64_t bytes,
		   char *why, size_t len)
{
	struct nbd_device *d = calloc(1, sizeof(*d));
	unsigned int want = 1;
	int rc;

	if (!d || !(d->uri = strdup(uri))) {
		free(d);
		snprintf(why, len, "no memory for %s", uri);
		return -ENOMEM;
	}
	d->dev.ops = &nbd_ops;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->returned, NULL);
	d->idle[0] = connect_to(uri);
	if (!d->idle[0]) {
		rc = error_of();
		snprintf(why, len, "%s: %s", uri, nbd_get_error());
		goto err;
	}
	d->nr = d->nr_idle = 1;
	rc = check_export(d, bytes, why, len);
	if (rc)
		goto err;
	if (nbd_can_multi_conn(d->idle[0]) > 0)
		want = MAX_CONNECTIONS;
	while (d->nr < want) {
		d->idle[d->nr] = connect_to(uri);
		if (!d->idle[d->nr])
			break;
		d->nr_idle = ++d->nr;
	}
	*devp = &d->dev;
	return 0;

err:
	nbd_close_all(&d->dev);
	return rc;
}
