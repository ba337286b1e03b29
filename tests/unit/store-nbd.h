/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store on a real NBD server, with pages in memory and on the server. */
#ifndef TESTS_UNIT_STORE_NBD_H
#define TESTS_UNIT_STORE_NBD_H

#include "tests/unit/nbd-server.h"
#include "tests/unit/stderr-lines.h"
#include "tests/unit/store-pages.h"

#define NR	600	/* 2.3 MiB, of which memory takes less than 1 */
#define SECONDS(n) ((n) * NSEC_PER_SEC)
/* So long that a server that runs answers, on a busy host, too. */
#define TIMEOUT_NS SECONDS(2)

struct setting {
	struct nbd_server server;
	struct store *store;
	struct page_coder *coder;
	uint32_t numbers[NR];
};

static inline void new_server(struct setting *t)
{
	memset(t, 0, sizeof(*t));
	nbd_server_new(&t->server);
}

static inline int put(struct setting *t, uint64_t key, uint32_t number)
{
	return put_number(t->store, t->coder, t->numbers, key, number);
}

/* Each page, though the host may be so busy that one or the other times out. */
static inline int put_all(struct setting *t, uint32_t number)
{
	int rc = 0;

	for (uint64_t k = 0; k < NR; k++)
		for (int i = 0; i < 600 && (rc = put(t, k, number + k)); i++)
			usleep(100000);
	return rc;
}

static inline void open_store(struct setting *t, const char *const *args,
			      uint64_t timeout_ns)
{
	struct store_device *dev;
	char why[256];

	nbd_server_start(&t->server, args);
	if (store_nbd_open(&dev, t->server.uri, 0, why, sizeof(why)))
		tap_bail("%s", why);
	t->store = new_store_on(NR, MIB, dev, timeout_ns);
	t->coder = new_page_coder(PAGE_RAW);
	if (put_all(t, 1))
		tap_bail("can't put the pages");
}

static inline void close_store(struct setting *t)
{
	store_free(t->store);
	page_coder_free(t->coder);
	nbd_server_free(&t->server);
}

static inline int get(struct setting *t, uint64_t key)
{
	return check_number(t->store, t->coder, key, t->numbers[key]);
}

/* Puts pages there is no room for, until one is refused. */
static inline int put_until_refused(struct setting *t, uint32_t number)
{
	int rc = 0;

	for (uint64_t k = 0; !rc && k < NR; k++)
		rc = put(t, k, number + k);
	return rc;
}

static inline bool comes_to(struct setting *t, enum device_state state)
{
	uint64_t until = clock_now_ns() + SECONDS(120);

	while (store_stats_of(t->store).device_state != state) {
		if (clock_now_ns() > until)
			return false;
		usleep(10000);
	}
	return true;
}

static inline void make_disk(struct setting *t, char *disk, size_t len)
{
	int fd;

	snprintf(disk, len, "%s/disk", t->server.dir);
	fd = open(disk, O_CREAT | O_WRONLY, 0600);
	if (fd < 0 || ftruncate(fd, 64 * MIB))
		tap_bail("no disk");
	close(fd);
}

#endif
