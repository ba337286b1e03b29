// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The flags of frames and their mappings are read at different times, and sent
 * in any order: the view's class of a frame must match the newer of both.  And
 * the lock is released during expensive messages.
 */
#include "config.h"

#include "tests/tap.h"
#include "vmm/guest/view-internal.h"
#include "vmm/policy/class.h"

#define FRAMES 16384u	/* several batches */
#define PAGE   RMAP_PAGE_SIZE
#define AT     UINT64_C(0x10000)
#define ANON   (PROTOCOL_PG_ANON | PROTOCOL_PG_SWAPBACKED)

static struct guest_mem *mem;
static struct view *view;
static uint64_t epoch;

#define SAY(t, ...) view_apply(view, &(struct protocol_message){ \
	.type = PROTOCOL_##t, __VA_ARGS__ })

static void hello(bool tells_flags)
{
	view_apply_reset(view);
	epoch = 0;
	SAY(HELLO, .hello = { 4096, PROTOCOL_FEAT_PFN |
			      (tells_flags ? PROTOCOL_FEAT_FLAGS : 0),
			      FRAMES });
}

static void begin(bool full)
{
	SAY(EPOCH_BEGIN, .epoch = { ++epoch, full });
}

static void end(void)
{
	SAY(EPOCH_END, .epoch = { epoch, 0 });
}

static void tell(uint64_t gfn, uint32_t nr, uint32_t flags)
{
	struct protocol_flags f = { gfn, nr, flags };

	SAY(FLAGS, .nr = 1, .flags = &f);
}

/* A process with one region, of a file or of none, with nr frames from gfn. */
static void process(uint32_t pid, uint64_t gfn, uint32_t nr, uint64_t ino)
{
	struct protocol_run r = { AT, gfn, nr, 0 };

	SAY(MM, .mm = { pid, 0, PROTOCOL_NO_PGD, "test" });
	SAY(VMA, .vma = { AT, AT + FRAMES * PAGE, 0, 0, ino, 3,
			  PROTOCOL_VMA_NEW });
	if (nr)
		SAY(RUNS, .nr = 1, .runs = &r);
	SAY(MM_END, .pid = pid);
}

static uint32_t flags_of(uint64_t gfn)
{
	return rmap_page_flags(view_map(view), gfn);
}

static enum frame_class class_of(uint64_t gfn)
{
	return frame_class_of(flags_of(gfn));
}

static void new_view(void)
{
	view_free(view);
	if (view_new(&view, mem))
		tap_bail("no memory");
	hello(true);
}

/* As vmm-guest-agent does it: first the flags, then the processes. */
static void test_report(void)
{
	new_view();
	for (int i = 0; i < 2; i++) {
		begin(true);
		tell(0, 10, ANON);
		tell(10, 10, PROTOCOL_PG_FILE);
		tell(20, 10, PROTOCOL_PG_FREE);
		tell(30, 10, PROTOCOL_PG_SLAB);
		process(1, 0, 8, 0);
		process(2, 10, 8, 77);
		end();
		ok(flags_of(0) == ANON && flags_of(9) == ANON &&
		   class_of(10) == CLASS_CLEAN_FILE &&
		   class_of(19) == CLASS_CLEAN_FILE &&
		   class_of(20) == CLASS_FREE && class_of(30) == CLASS_NEVER,
		   "%s full report: all is as it was told",
		   i ? "a second" : "a first");
	}
}

/* What was free minutes ago is mapped now. */
static void test_free_then_mapped(void)
{
	new_view();
	begin(true);
	tell(0, 100, PROTOCOL_PG_FREE);
	tell(100, 10, PROTOCOL_PG_SLAB);
	tell(110, 10, PROTOCOL_PG_PGTABLE);
	end();
	ok(class_of(5) == CLASS_FREE, "free, while nobody maps it");
	begin(false);
	process(1, 0, 120, 0);
	end();
	ok(!flags_of(0) && !flags_of(99) && class_of(50) == CLASS_UNKNOWN,
	   "mapped since: not free");
	ok(!flags_of(105) && !flags_of(115),
	   "nor the kernel's, which no process maps");
	begin(false);
	SAY(FORGET, .pid = 1);
	end();
	ok(class_of(0) == CLASS_UNKNOWN && !flags_of(105),
	   "unmapped since: what was told before is too old");
	begin(false);
	tell(1, 1, PROTOCOL_PG_DIRTY);
	end();
	ok(class_of(0) == CLASS_FREE && class_of(105) == CLASS_NEVER &&
	   flags_of(1) == PROTOCOL_PG_DIRTY,
	   "a new look at the flags: what it leaves out is as it was told");
}

/* Mapped first; then an agent says, late or lying, that it is free. */
static void test_mapped_then_free(void)
{
	new_view();
	begin(true);
	tell(0, 100, ANON);
	process(1, 0, 100, 0);
	end();
	begin(false);
	tell(0, 50, PROTOCOL_PG_FREE);
	ok(!flags_of(0) && class_of(49) == CLASS_UNKNOWN &&
	   class_of(50) == CLASS_ANON, "mapped, called free: mapped wins");
	end();
	ok(!flags_of(0), "and does after the report");
	/* The same epoch: the process had ended when the flags were read. */
	begin(false);
	tell(50, 50, PROTOCOL_PG_FREE);
	SAY(FORGET, .pid = 1);
	ok(class_of(50) == CLASS_FREE, "unmapped by the same look: it is free");
	end();
	ok(class_of(50) == CLASS_FREE && class_of(0) == CLASS_FREE,
	   "and so is what was told to be before");
	/* And one that was free then and mapped before its process was read. */
	begin(true);
	tell(0, 100, PROTOCOL_PG_FREE);
	process(1, 0, 10, 0);
	end();
	begin(false);
	SAY(FORGET, .pid = 1);
	end();
	ok(class_of(0) == CLASS_UNKNOWN && class_of(10) == CLASS_FREE,
	   "the mapping was younger: unmapped, it is unknown");
	begin(true);
	tell(0, 100, PROTOCOL_PG_FREE);
	process(1, 0, 10, 0);
	SAY(FORGET, .pid = 1);
	end();
	ok(class_of(0) == CLASS_UNKNOWN && class_of(10) == CLASS_FREE,
	   "also within one look");
}

static void test_unmapped(void)
{
	new_view();
	begin(true);
	tell(0, 10, ANON | PROTOCOL_PG_LOCKED);
	tell(10, 10, PROTOCOL_PG_FILE | PROTOCOL_PG_DIRTY | PROTOCOL_PG_LOCKED);
	tell(20, 10, ANON);
	process(1, 0, 10, 0);
	process(2, 10, 10, 77);
	end();
	ok(class_of(0) == CLASS_NEVER && class_of(10) == CLASS_NEVER &&
	   class_of(25) == CLASS_ANON, "locked; and in the swap cache");
	begin(false);
	SAY(FORGET, .pid = 1);
	SAY(FORGET, .pid = 2);
	end();
	ok(!flags_of(0), "anonymous and no longer mapped: unknown");
	ok(class_of(10) == CLASS_DIRTY_FILE,
	   "a file's and no longer mapped: in the page cache, not locked");
	ok(class_of(25) == CLASS_ANON, "never seen mapped: as told");
	begin(false);
	process(3, 10, 5, 77);
	process(4, 15, 5, 0);
	end();
	ok(class_of(10) == CLASS_DIRTY_FILE && !flags_of(15),
	   "mapped as a file's again: still; as anonymous memory: unknown");
	/* A look that leaves it out, since it is as it was, finds it gone. */
	begin(true);
	tell(60, 10, ANON);
	process(6, 60, 10, 0);
	end();
	begin(false);
	tell(0, 1, PROTOCOL_PG_SLAB);
	SAY(FORGET, .pid = 6);
	end();
	ok(!flags_of(60), "left out by a look, and mapped nowhere: unknown");
	/* Told anonymous in the look that finds it gone. */
	begin(true);
	tell(40, 10, ANON);
	process(5, 40, 10, 0);
	end();
	begin(true);
	tell(40, 10, ANON);
	end();
	ok(!flags_of(40), "told once more, and found mapped nowhere: unknown");
}

/* A private page of a file, written to, is anonymous in each report. */
static void test_kind(void)
{
	struct rmap_page_info info;

	new_view();
	for (int i = 0; i < 3; i++) {
		begin(true);
		tell(0, 1, ANON);
		tell(1, 1, PROTOCOL_PG_FILE);
		process(1, 0, 2, 77);
		end();
		rmap_page_info(view_map(view), 0, &info);
		ok(info.anon && info.flags == ANON &&
		   !rmap_page_info(view_map(view), 1, &info) && !info.anon,
		   "report %d: what was written to is not the file's", i);
	}
}

static void test_restart(void)
{
	new_view();
	begin(true);
	tell(0, 10, PROTOCOL_PG_FREE);
	tell(10, 10, ANON);
	process(1, 10, 10, 0);
	/* It ends in the middle of a report; another one comes. */
	hello(true);
	begin(true);
	process(1, 0, 5, 0);
	ok(!flags_of(0) && !flags_of(5),
	   "a new agent maps what was free: it is not, and the rest unknown");
	ok(!flags_of(10), "and the old one's look at flags is over");
	end();
	ok(!flags_of(10), "what the old one had mapped is no longer anonymous");
	hello(true);
	begin(true);
	tell(0, 20, PROTOCOL_PG_FREE);
	end();
	ok(class_of(0) == CLASS_FREE && class_of(19) == CLASS_FREE,
	   "its flags count when it tells them");
	hello(false);
	ok(!flags_of(0) && !flags_of(19),
	   "an agent that can't tell flags: those of the last one are gone");
}

/* The connection ends before a report has said all that has changed. */
static void test_incomplete(void)
{
	new_view();
	begin(true);
	tell(0, 100, PROTOCOL_PG_FREE);
	tell(100, 10, PROTOCOL_PG_FILE);
	tell(110, 10, ANON);
	end();
	begin(false);
	process(1, 0, 50, 0);
	end();
	begin(false);
	SAY(FORGET, .pid = 1);
	end();
	ok(!flags_of(0), "mapped for a while since: unknown");
	view_test_and_clear_changed(view, 1);
	begin(false);
	tell(60, 1, PROTOCOL_PG_SLAB);
	ok(class_of(0) == CLASS_FREE, "a new look at the flags begins");
	hello(true);
	ok(!flags_of(0), "but is not complete: still unknown");
	ok(!flags_of(70) && !flags_of(110) && class_of(100) == CLASS_CLEAN_FILE,
	   "as are all flags but those of the page cache");
	ok(view_test_and_clear_changed(view, 1), "their classes have changed");
	begin(true);
	tell(0, 100, PROTOCOL_PG_FREE);
	end();
	ok(class_of(0) == CLASS_FREE && class_of(60) == CLASS_FREE,
	   "the next complete one counts");
}

/*
 * Code that counts classes is notified when one has changed with the mappings.
 */
static void test_changed(void)
{
	new_view();
	begin(true);
	tell(0, FRAMES, PROTOCOL_PG_FREE);
	end();
	ok(view_test_and_clear_changed(view, 10) &&
		   !view_test_and_clear_changed(view, 10),
	   "flags told: a class is counted again, once");
	for (uint64_t w = 0; w < FRAMES / 64; w++)
		view_test_and_clear_changed(view, w);
	begin(false);
	process(1, 640, 1, 0);
	end();
	ok(view_test_and_clear_changed(view, 10) &&
		   !view_test_and_clear_changed(view, 9) &&
		   !view_test_and_clear_changed(view, 11),
	   "mapped: its class is counted again");
	begin(false);
	tell(640, 1, ANON);
	end();
	view_test_and_clear_changed(view, 10);
	begin(false);
	SAY(FORGET, .pid = 1);
	end();
	ok(view_test_and_clear_changed(view, 10), "unmapped: once more");
}

/* --- costs -------------------------------------------------------------------- */

/* At the end of service one message need not be applied to all of memory. */
static void test_stop(void)
{
	struct protocol_run r = { AT, 0, FRAMES, 0 };
	struct rmap_stats s;

	new_view();
	begin(true);
	view_apply_stop(view);
	tell(0, FRAMES, ANON);
	ok(flags_of(0) == ANON && !flags_of(FRAMES - 1),
	   "stopped: flags are set up to the next batch");
	SAY(MM, .mm = { 1, 0, PROTOCOL_NO_PGD, "test" });
	SAY(VMA, .vma = { AT, AT + FRAMES * PAGE, 0, 0, 0, 3,
			  PROTOCOL_VMA_NEW });
	SAY(RUNS, .nr = 1, .runs = &r);
	rmap_get_stats(view_map(view), &s);
	ok(s.nr_mappings && s.nr_mappings < FRAMES, "and pages mapped: %llu",
	   (unsigned long long)s.nr_mappings);
	r = (struct protocol_run){ AT, 0, FRAMES, PROTOCOL_RUN_UNMAPPED };
	atomic_store(&view->stop, false);
	SAY(RUNS, .nr = 1, .runs = &(struct protocol_run){ AT, 0, FRAMES, 0 });
	view_apply_stop(view);
	SAY(RUNS, .nr = 1, .runs = &r);
	rmap_get_stats(view_map(view), &s);
	ok(s.nr_mappings && s.nr_mappings < FRAMES, "or unmapped: %llu left",
	   (unsigned long long)s.nr_mappings);
	SAY(FORGET, .pid = 1);
	rmap_get_stats(view_map(view), &s);
	ok(s.nr_mappings && s.nr_mms == 1, "or forgotten: %llu left",
	   (unsigned long long)s.nr_mappings);
}

/* Pages of a process: replaced is no more than before. */
static void test_counts(void)
{
	struct view_process p = { 0 };

	new_view();
	begin(true);
	process(1, 0, 10, 0);
	end();
	begin(false);
	SAY(MM, .mm = { 1, PROTOCOL_MM_DELTA, PROTOCOL_NO_PGD, "test" });
	SAY(VMA, .vma = { AT, AT + FRAMES * PAGE, 0, 0, 0, 3,
			  PROTOCOL_VMA_KEEP });
	SAY(RUNS, .nr = 1, .runs = &(struct protocol_run){ AT, 100, 15, 0 });
	SAY(RUNS, .nr = 1, .runs = &(struct protocol_run){
		AT + 14 * PAGE, 0, 5, PROTOCOL_RUN_UNMAPPED });
	SAY(MM_END, .pid = 1);
	end();
	ok(view_find_process(view, 1, &p) && p.nr_mapped == 14,
	   "ten pages replaced, five more, one less: %llu",
	   (unsigned long long)p.nr_mapped);
}

/* A fact that the map can't hold: the old one must not stay either. */
static void test_dropped(void)
{
	struct rmap_page_info info;

	new_view();
	begin(true);
	for (uint32_t pid = 1; pid <= RMAP_WALK_MAX + 10; pid++)
		process(pid, 0, 2, 77);
	/* Frame 0 where frame 1 was, elsewhere in a file that many map. */
	SAY(MM, .mm = { 5000, 0, PROTOCOL_NO_PGD, "odd" });
	SAY(VMA, .vma = { AT, AT + 64 * PAGE, 0, 0, 77, 3, PROTOCOL_VMA_NEW });
	SAY(RUNS, .nr = 1, .runs = &(struct protocol_run){ AT + PAGE, 1, 1, 0 });
	rmap_page_info(view_map(view), 1, &info);
	is_int(info.mapcount, RMAP_WALK_MAX + 10, "a page of very many");
	SAY(RUNS, .nr = 1, .runs = &(struct protocol_run){ AT + PAGE, 0, 1, 0 });
	rmap_page_info(view_map(view), 1, &info);
	ok(view->nr_dropped == 1 && info.mapcount == RMAP_WALK_MAX + 9 &&
	   !rmap_page_info(view_map(view), 0, &info) &&
	   info.mapcount == RMAP_WALK_MAX + 9,
	   "a place that it can't be told at has not the old page either");
}

int main(void)
{
	if (guest_mem_new(&mem, FRAMES * PAGE, GUEST_MEM_ANON))
		tap_bail("no memory");
	test_report();
	test_free_then_mapped();
	test_mapped_then_free();
	test_unmapped();
	test_kind();
	test_restart();
	test_incomplete();
	test_changed();
	test_stop();
	test_counts();
	test_dropped();
	view_free(view);
	guest_mem_free(mem);
	return tap_done();
}
