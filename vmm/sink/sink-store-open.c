// SPDX-License-Identifier: GPL-2.0-or-later
/* The store sink: options, open, close, and the operations for the engine. */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/sink/sink-store-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/clock.h"
#include "vmm/util/key-value.h"
#include "vmm/util/min-max.h"
#include "vmm/util/size.h"

#define MAX_SHARDS 8
#define RUN_PAGES  64		/* protected, and dropped, by one call each */

struct options {
	uint64_t mem_bytes, device_bytes;
	unsigned int timeout_ms;	/* 0: the store's default */
	enum page_kind kind;
	int level;			/* of zstd; 0: its default */
	unsigned int nr_shards;
	const char *file, *nbd;
};

static int parse_codec(const char *value, void *to)
{
	struct options *o = to;
	char *end;
	long level;

	if (!strcmp(value, "lz4") || !strcmp(value, "none")) {
		o->kind = *value == 'l' ? PAGE_LZ4 : PAGE_RAW;
		return 0;
	}
	if (strncmp(value, "zstd", 4))
		return -EINVAL;
	o->kind = PAGE_ZSTD;
	if (!value[4])
		return 0;
	/* strtol() also accepts spaces and a sign. */
	if (value[4] != ':' || value[5] < '0' || value[5] > '9')
		return -EINVAL;
	level = strtol(value + 5, &end, 10);
	if (*end || level < 1 || level > 19)
		return -EINVAL;
	o->level = level;
	return 0;
}

static const char *const codecs[] = { "lz4", "zstd", "none", NULL };

static const struct key keys[] = {
	{ "mem", KEY_SIZE, KEY_MEMBER(struct options, mem_bytes) },
	{ "codec", KEY_OTHER, .parse = parse_codec, .words = codecs,
	  .expects = "lz4, none, zstd or zstd:LEVEL with a level from 1 to "
		     "19" },
	{ "file", KEY_TEXT, KEY_MEMBER(struct options, file) },
	{ "nbd", KEY_TEXT, KEY_MEMBER(struct options, nbd) },
	{ "size", KEY_SIZE, KEY_MEMBER(struct options, device_bytes) },
	{ "timeout", KEY_DURATION, KEY_MEMBER(struct options, timeout_ms),
	  .min = 10, .max = 60 * 1000 },
	{ "shards", KEY_NUMBER, KEY_MEMBER(struct options, nr_shards),
	  .min = 1, .max = MAX_SHARDS },
	{ .name = NULL },
};

/* Splits text in place: o->file and o->nbd point into it. */
static int parse_options(char *text, struct options *o, char *why, size_t len)
{
	int rc = *text ? key_list_cut(keys, text, o, why, len) : 0;

	if (rc)
		return rc;
	if (o->file && o->nbd) {
		snprintf(why, len, "store: file= and nbd= exclude each other: "
			 "give one of them");
		return -EINVAL;
	}
	if (!o->file && !o->nbd && (o->device_bytes || o->timeout_ms)) {
		snprintf(why, len, "store: %s= applies to a device: name the "
			 "device with file=PATH or nbd=URI; to limit memory "
			 "use mem=SIZE",
			 o->device_bytes ? "size" : "timeout");
		return -EINVAL;
	}
	return 0;
}

static int sink_store_check_options(const char *options, char *why, size_t len)
{
	__cleanup_free char *copy = strdup(options);
	struct options o = { 0 };

	if (copy)
		return parse_options(copy, &o, why, len);
	snprintf(why, len, "out of memory");
	return -ENOMEM;
}

static int sink_store_probe(const struct guest_mem *mem, char *why, size_t len)
{
	if (guest_mem_pid(mem) != getpid()) {
		snprintf(why, len, "the store can only handle page faults of "
			 "its own process: for the guest of another process "
			 "use --sink swap");
		return -EOPNOTSUPP;
	}
	if (guest_mem_is_hugetlb(mem)) {
		snprintf(why, len, "the store cannot evict hugetlb pages: "
			 "start the guest with --mem-backing anon, thp or "
			 "memfd");
		return -EOPNOTSUPP;
	}
	return 0;
}

static void sink_store_close(struct reclaim_sink *sink)
{
	struct sink_store *s = (struct sink_store *)sink;

	guest_mem_set_owner(s->mem, NULL, NULL);
	guest_faults_free(s->faults);
	store_free(s->store);
	for (unsigned int i = 0; i < s->nr_shards; i++) {
		page_coder_free(s->shards[i].coder);
		free(s->shards[i].waiting);
		pthread_mutex_destroy(&s->shards[i].lock);
	}
	pthread_mutex_destroy(&s->trouble.lock);
	page_coder_free(s->coder);
	free(s->states);
	sink_census_free(&s->census);
	free(s);
}

static int open_store(struct sink_store *s, const struct options *o, char *why,
		      size_t len)
{
	struct store_config config = {
		.nr_keys = guest_mem_nr_frames(s->mem),
		.mem_bytes = o->mem_bytes,
		.timeout_ns = o->timeout_ms * NSEC_PER_MSEC,
	};
	char mem[16];
	int rc = 0;

	if (o->file)
		rc = store_file_open(&config.device, o->file, o->device_bytes,
				     why, len);
	else if (o->nbd)
		rc = store_nbd_open(&config.device, o->nbd, o->device_bytes,
				    why, len);
	if (rc)
		return rc;
	rc = store_new(&s->store, &config);
	if (!rc)
		return 0;
	if (config.device)
		config.device->ops->close(config.device);
	if (rc == -EINVAL)
		snprintf(why, len, "store: mem=%s is too small: it must be 1M "
			 "or more",
			 size_format(o->mem_bytes, mem, sizeof(mem)));
	else if (rc == -EFBIG)
		snprintf(why, len, "store: %s is smaller than the 4M that are "
			 "needed: give a larger size=SIZE",
			 o->file ? o->file : o->nbd);
	else
		snprintf(why, len, "not enough memory for the store");
	return rc;
}

static int alloc_parts(struct sink_store *s, const struct options *o)
{
	uint64_t nr = guest_mem_nr_frames(s->mem);
	int rc = page_coder_new(&s->coder, o->kind, o->level);

	for (unsigned int i = 0; !rc && i < s->nr_shards; i++) {
		s->shards[i].waiting = bitmap_new(nr);
		rc = s->shards[i].waiting ?
			page_coder_new(&s->shards[i].coder, o->kind, o->level) :
			-ENOMEM;
	}
	s->states = calloc(nr, 1);
	if (!rc)
		rc = s->states ? sink_census_init(&s->census, s->mem) : -ENOMEM;
	/* The first call allocates the bitmap of evicted pages. */
	return rc ? rc : guest_mem_set_evicted(s->mem, GFN(0), false);
}

static int new_sink(struct sink_store **sp, struct guest_mem *mem,
		    const struct options *o, char *why, size_t len)
{
	struct sink_store *s = calloc(1, sizeof(*s) +
				      o->nr_shards * sizeof(s->shards[0]));
	int rc = -ENOMEM;

	snprintf(why, len, "not enough memory for the store");
	if (!s)
		return rc;
	s->sink.ops = &sink_store;
	s->mem = mem;
	s->nr_shards = o->nr_shards;
	for (unsigned int i = 0; i < s->nr_shards; i++)
		pthread_mutex_init(&s->shards[i].lock, NULL);
	pthread_mutex_init(&s->trouble.lock, NULL);
	rc = alloc_parts(s, o);
	if (!rc)
		rc = open_store(s, o, why, len);
	if (!rc)
		rc = guest_faults_new(&s->faults, mem, s->nr_shards,
				      &sink_store_faults, s, why, len);
	if (rc) {
		sink_store_close(&s->sink);
		return rc;
	}
	guest_mem_set_owner(mem, sink_store_discard, s);
	*sp = s;
	return 0;
}

static int sink_store_open(struct reclaim_sink **sinkp, struct guest_mem *mem,
			   const char *options, char *why, size_t len)
{
	__cleanup_free char *text = strdup(options ? options : "");
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct options o = {
		.mem_bytes = guest_mem_nr_pages(mem) << VMM_PAGE_SHIFT,
		.kind = PAGE_LZ4,
		.nr_shards = cpus < 1 ? 1 : cpus > MAX_SHARDS ? MAX_SHARDS :
								cpus,
	};
	struct sink_store *s = NULL;
	int rc = sink_store_probe(mem, why, len);

	if (!rc && !text) {
		snprintf(why, len, "not enough memory for the store");
		rc = -ENOMEM;
	}
	if (!rc)
		rc = parse_options(text, &o, why, len);
	if (!rc)
		rc = new_sink(&s, mem, &o, why, len);
	if (!rc)
		*sinkp = &s->sink;
	return rc;
}

/* Calls fn for runs of set bits, each of up to RUN_PAGES and in one shard. */
static int for_each_run(struct sink_store *s, const uint64_t *map,
			struct gfn_range range,
			int (*fn)(struct sink_store *s, struct gfn_range r))
{
	uint64_t g = range.start.v, end = g + range.nr, to;
	int rc = 0;

	for (; !rc && (g = bitmap_next(map, g, end)) < end; g = to) {
		to = min_u64(bitmap_next_zero(map, g, end), g + RUN_PAGES);
		to = min_u64(to, guest_faults_shard_end(GFN(g)).v);
		rc = fn(s, (struct gfn_range){ GFN(g), to - g });
	}
	return rc;
}

static int sink_store_evict(struct reclaim_sink *sink,
			    const struct gfn_range *ranges, size_t nr,
			    struct reclaim_result *res)
{
	struct sink_store *s = (struct sink_store *)sink;
	int failed = 0, rc = sink_census_before(&s->census, ranges, nr);

	for (size_t i = 0; !rc && !failed && i < nr; i++)
		failed = for_each_run(s, s->census.before, ranges[i],
				      sink_store_evict_run);
	if (!rc)
		rc = sink_census_after(&s->census, ranges, nr, res);
	/* Full: the rest stays resident, and is counted as kept. */
	return rc ? rc : failed == -ENOSPC ? 0 : failed;
}

/*
 * The engine waits meanwhile, so no page is begun after the store's timeout: a
 * slow device gets no more time than one that does not respond.  Pages that are
 * left then stay evicted until they are touched.
 */
static int sink_store_prefetch_ranges(struct reclaim_sink *sink,
				      const struct gfn_range *ranges, size_t nr)
{
	struct sink_store *s = (struct sink_store *)sink;
	uint64_t timeout = store_timeout_ns(s->store);
	uint64_t until = timeout ? clock_now_ns() + timeout : UINT64_MAX;
	int rc = 0;

	for (size_t i = 0; !rc && i < nr; i++)
		rc = guest_mem_is_ram(s->mem, ranges[i]) ?
			sink_store_prefetch(s, ranges[i], until) : -EFAULT;
	return rc;
}

/* The members before last_error_ns are copied as 64-bit words. */
#define NR_COUNTS (offsetof(struct reclaim_sink_stats, last_error_ns) / 8)

static void sink_store_get_stats(struct reclaim_sink *sink,
				 struct reclaim_sink_stats *stats)
{
	struct sink_store *s = (struct sink_store *)sink;
	const uint64_t *from = (const uint64_t *)&s->stats;
	uint64_t *to = (uint64_t *)stats;

	/*
	 * Take each lock once, so that all faults completed by now are counted.
	 */
	for (unsigned int i = 0; i < s->nr_shards; i++) {
		pthread_mutex_lock(&s->shards[i].lock);
		pthread_mutex_unlock(&s->shards[i].lock);
	}
	for (size_t i = 0; i < NR_COUNTS; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	store_get_stats(s->store, &stats->store);
	stats->evictor = (struct evictor_stats){ 0 };
	pthread_mutex_lock(&s->trouble.lock);
	stats->last_error_ns = s->trouble.when_ns;
	memcpy(stats->last_error, s->trouble.text, sizeof(stats->last_error));
	pthread_mutex_unlock(&s->trouble.lock);
}

const struct reclaim_sink_ops sink_store = {
	.name = "store",
	.serves_faults = true,
	.check_options = sink_store_check_options,
	.probe = sink_store_probe,
	.open = sink_store_open,
	.evict = sink_store_evict,
	.prefetch = sink_store_prefetch_ranges,
	.get_stats = sink_store_get_stats,
	.close = sink_store_close,
};
