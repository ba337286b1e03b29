// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The states of the store sink's pages, step by step, with events that are made
 * to happen while a page is put into the store, read from it or dropped: our
 * functions wrap these (-Wl,--wrap).
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>

#include "tests/unit/sink-fixture.h"

#define G 300u		/* the page in question */
#define H 700u		/* another, in a block that is watched, too */

static struct world w;
static int (*on_put)(uint64_t key), (*on_get)(uint64_t key);	/* atomic */
static uint64_t kept_gfn;	/* atomic; can't be dropped; 0: all can */

int __real_store_put(struct store *s, struct page_coder *c, uint64_t key,
		     const void *page);
int __wrap_store_put(struct store *s, struct page_coder *c, uint64_t key,
		     const void *page);
int __real_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page);
int __wrap_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page);
int __real_madvise(void *p, size_t len, int advice);
int __wrap_madvise(void *p, size_t len, int advice);

static int call(int (**hook)(uint64_t key), uint64_t key)
{
	int (*fn)(uint64_t key) = __atomic_load_n(hook, __ATOMIC_ACQUIRE);

	return fn ? fn(key) : 0;
}

static void set(int (**hook)(uint64_t key), int (*fn)(uint64_t key))
{
	__atomic_store_n(hook, fn, __ATOMIC_RELEASE);
}

/* The hook comes after: a page that was put, and whose put fails all the same. */
int __wrap_store_put(struct store *s, struct page_coder *c, uint64_t key,
		     const void *page)
{
	int rc = __real_store_put(s, c, key, page);
	int hook_rc = call(&on_put, key);

	if (!rc && hook_rc) {
		store_drop(s, key);
		rc = hook_rc;
	}
	return rc;
}

int __wrap_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page)
{
	int rc = call(&on_get, key);

	return rc ? rc : __real_store_get(s, c, key, page);
}

int __wrap_madvise(void *p, size_t len, int advice)
{
	uint64_t gfn = __atomic_load_n(&kept_gfn, __ATOMIC_ACQUIRE);
	uintptr_t at = gfn ? (uintptr_t)words_at(&w, gfn) : 0;

	if (at && (advice == MADV_DONTNEED || advice == MADV_REMOVE) &&
	    at >= (uintptr_t)p && at < (uintptr_t)p + len) {
		errno = ENOMEM;
		return -1;
	}
	return __real_madvise(p, len, advice);
}

static struct toucher other;

static int write_to(uint64_t gfn)
{
	set(&on_put, NULL);
	other = (struct toucher){ .writes = true, .value = 0x77 };
	toucher_start(&other, &w, gfn);
	/* It is not to wait until the eviction is over. */
	toucher_join(&other);
	return 0;
}

static int write_to_copied(uint64_t key)
{
	return key == G ? write_to(G) : 0;
}

static int write_to_next(uint64_t key)
{
	return key == G ? write_to(G + 1) : 0;
}

static int read_copied(uint64_t key)
{
	set(&on_put, NULL);
	other = (struct toucher){ 0 };
	toucher_start(&other, &w, G);
	toucher_join(&other);
	return 0;
}

static void open_filled(enum guest_mem_backing backing)
{
	world_open(&w, 8 * MIB, backing, "shards=1");
	for (uint64_t g = G; g < G + 8; g++)
		set_number(&w, g, g);
	/* Its block is watched, and the page itself nowhere. */
	set_number(&w, H, 1);
	if (world_evict(&w, H, 1) != 1 || world_discard(&w, H, 1))
		tap_bail("no page that is nowhere");
}

static void check_cancelled(uint64_t gfn, const char *name, const char *what)
{
	struct reclaim_sink_stats s = world_stats(&w);

	ok(s.nr_cancelled == 1 && s.store.nr_pages == 1,
	   "%s: %s: it stays, the other goes", name, what);
	ok(*words_at(&w, gfn) == 0x77 && words_at(&w, gfn)[1] == word(gfn, 1) &&
	   has_number(&w, 2 * G + 1 - gfn, 2 * G + 1 - gfn),
	   "%s: %s: no word is lost", name, what);
}

static void test_cancel(enum guest_mem_backing backing, const char *name)
{
	open_filled(backing);
	set(&on_put, write_to_copied);
	is_int(world_evict(&w, G, 2), 1, "a page is written to after its copy");
	check_cancelled(G, name, "written to after its copy");
	world_close(&w);

	open_filled(backing);
	set(&on_put, write_to_next);
	is_int(world_evict(&w, G, 2), 1, "a page is written to before its "
	       "copy");
	check_cancelled(G + 1, name, "written to before its copy");
	world_close(&w);

	open_filled(backing);
	set(&on_put, read_copied);
	is_int(world_evict(&w, G, 2), 2, "a page is read: it goes");
	ok(!world_stats(&w).nr_cancelled && other.value == word(G, 0),
	   "%s: and is read right", name);
	world_close(&w);
}

static struct {
	bool held, go, queued, gone;	/* atomic */
} late;

static void say(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

static void wait_for_flag(bool *flag, const char *name)
{
	uint64_t give_up = clock_now_ns() + GIVE_UP_NS;

	while (!is_done(flag)) {
		if (clock_now_ns() > give_up)
			tap_bail("it never comes to this: %s", name);
		usleep(1000);
	}
}

static bool fault_is_queued(void *arg)
{
	struct pollfd fd = { .fd = store_sink(&w)->faults->shards[0].fd,
			     .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

/* In the shard's thread, which so does not see the write. */
static int hold_shard(uint64_t key)
{
	set(&on_get, NULL);
	say(&late.held);
	wait_for_flag(&late.go, "the page is being evicted");
	other = (struct toucher){ .writes = true, .value = 0x77 };
	toucher_start(&other, &w, G);
	if (!wait_until(fault_is_queued, NULL))
		tap_bail("no fault");
	say(&late.queued);
	wait_for_flag(&late.gone, "the page has gone");
	return 0;
}

static int write_unseen(uint64_t key)
{
	set(&on_put, NULL);
	say(&late.go);
	wait_for_flag(&late.queued, "the page is written to");
	return 0;
}

/* A write whose fault is served after the page has gone. */
static void test_late(enum guest_mem_backing backing, const char *name)
{
	struct toucher t = { 0 };

	open_filled(backing);
	if (world_evict(&w, G + 4, 1) != 1)
		tap_bail("not evicted");
	memset(&late, 0, sizeof(late));
	set(&on_get, hold_shard);
	toucher_start(&t, &w, G + 4);
	wait_for_flag(&late.held, "the shard's thread is held");
	set(&on_put, write_unseen);
	is_int(world_evict(&w, G, 1), 1, "a page goes before a write to it is "
	       "seen");
	say(&late.gone);
	toucher_join(&t);
	toucher_join(&other);
	ok(*words_at(&w, G) == 0x77 && words_at(&w, G)[1] == word(G, 1),
	   "%s: it comes back for it, and no word is lost", name);
	ok(t.value == word(G + 4, 0) && !world_stats(&w).store.nr_pages,
	   "%s: and nothing stays in the store", name);
	world_close(&w);
}

static int touch_rc;

/* In the engine's thread, without the lock: somebody wants the page, too. */
static int touch_loading(uint64_t key)
{
	uint64_t before = nr_fault_messages(&w);

	set(&on_get, NULL);
	other = (struct toucher){ 0 };
	toucher_start(&other, &w, G);
	while (nr_fault_messages(&w) == before)
		usleep(1000);
	/* Served after the other, by the same thread. */
	if (!has_number(&w, H, 0))
		tap_bail("no zeros");
	return touch_rc;
}

static void test_prefetch(enum guest_mem_backing backing, const char *name)
{
	for (touch_rc = 0; touch_rc >= -EIO; touch_rc -= EIO) {
		open_filled(backing);
		if (world_evict(&w, G, 1) != 1)
			tap_bail("not evicted");
		set(&on_get, touch_loading);
		is_int(world_prefetch(&w, G, 1), touch_rc,
		       touch_rc ? "a page can't be brought back" :
				  "a page is brought back");
		toucher_join(&other);
		ok(other.value == word(G, 0) && has_number(&w, G, G) &&
		   !world_stats(&w).store.nr_pages,
		   "%s: who touched it meanwhile has it", name);
		ok(!world_stats(&w).nr_waiting && !world_stats(&w).last_error[0] ==
		   !touch_rc, "%s: %s", name, touch_rc ? "and it is told" :
		   "nothing failed");
		world_close(&w);
	}
}

static int fail_third(uint64_t key)
{
	return key == G + 2 ? -EIO : 0;
}

static void test_put_fails(enum guest_mem_backing backing, const char *name)
{
	const struct gfn_range r = { GFN(G), 6 };
	struct reclaim_result res = { 0 };
	uint64_t nr_faults, wrong = 0;

	open_filled(backing);
	set(&on_put, fail_third);
	is_int(w.sink->ops->evict(w.sink, &r, 1, &res), -EIO, "the third of "
	       "six can't be put");
	set(&on_put, NULL);
	ok(res.evicted == 2 && res.kept == 4 &&
	   world_stats(&w).store.nr_pages == 2, "%s: two go, the others stay",
	   name);
	ok(strstr(world_stats(&w).last_error, strerror(EIO)) != NULL,
	   "%s: and it is told", name);
	nr_faults = nr_fault_messages(&w);
	for (uint64_t g = G + 2; g < G + 6; g++)
		set_number(&w, g, g);
	is_int(nr_fault_messages(&w) - nr_faults, 0, "what stays is not "
	       "protected any more");
	for (uint64_t g = G; g < G + 6; g++)
		wrong += !has_number(&w, g, g);
	is_int(wrong, 0, "all are as they were");
	world_close(&w);
}

static void test_drop_fails(enum guest_mem_backing backing, const char *name)
{
	uint64_t wrong = 0;

	open_filled(backing);
	__atomic_store_n(&kept_gfn, G + 3, __ATOMIC_RELEASE);
	is_int(world_evict(&w, G, 6), 5, "one of six can't be dropped");
	ok(world_stats(&w).store.nr_pages == 5 &&
	   !guest_mem_is_evicted(w.mem, GFN(G + 3)) &&
	   guest_mem_is_evicted(w.mem, GFN(G + 4)),
	   "%s: it stays, the others are in the store", name);
	__atomic_store_n(&kept_gfn, 0, __ATOMIC_RELEASE);
	set_number(&w, G + 3, 0x33);
	for (uint64_t g = G; g < G + 6; g++)
		wrong += !has_number(&w, g, g == G + 3 ? 0x33 : g);
	is_int(wrong, 0, "all are right");
	world_close(&w);
}

/* A range that was resident when it was checked, and is no longer. */
static int discard_next(uint64_t key)
{
	set(&on_put, NULL);
	return world_discard(&w, G + 1, 2);
}

static void test_gone(enum guest_mem_backing backing, const char *name)
{
	open_filled(backing);
	set(&on_put, discard_next);
	is_int(world_evict(&w, G, 4), 4, "two of four are given back before "
	       "they are copied");
	ok(has_number(&w, G + 1, 0) && has_number(&w, G + 2, 0) &&
	   has_number(&w, G, G) && has_number(&w, G + 3, G + 3) &&
	   !world_stats(&w).store.nr_pages, "%s: they are zeros, the others "
	   "as they were", name);
	world_close(&w);
}

int main(void)
{
	world_require();
	for (size_t i = 0; i < NR_BACKINGS; i++) {
		test_cancel(backings[i].backing, backings[i].name);
		test_late(backings[i].backing, backings[i].name);
		test_prefetch(backings[i].backing, backings[i].name);
		test_put_fails(backings[i].backing, backings[i].name);
		test_drop_fails(backings[i].backing, backings[i].name);
		test_gone(backings[i].backing, backings[i].name);
	}
	return tap_done();
}
