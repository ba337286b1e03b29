/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An access source that replays a recorded trace, for tests of the engine: no
 * KVM, no privilege, the same result each time.
 *
 * A trace is text: one line for each window, with the young frames of that
 * window as ranges.
 *
 *	# hot: 0-15 always; frame 40 once
 *	0-15
 *	0-15 40
 *	-		(a window without accesses)
 *
 * Each harvest of a frame returns its accesses since its last harvest: the
 * union of the windows between. access_fake_step() ends a window.  After the
 * last line the trace starts over.
 */
#ifndef TESTS_UNIT_FAKE_SOURCE_H
#define TESTS_UNIT_FAKE_SOURCE_H

#include "vmm/access/source.h"

/*
 * -EINVAL: the trace is malformed or has a frame beyond nr_frames; why names
 * the line.  -ENOMEM.  The source starts inside the first window.
 */
int access_fake_open(struct access_source **srcp, const char *trace,
		     uint64_t nr_frames, char *why, size_t len);

/* The window ends, the next begins. */
void access_fake_step(struct access_source *src);

/*
 * From now on these frames are reported young without a scan: see
 * ops->assumed().
 */
void access_fake_assume(struct access_source *src, struct gfn_range range);

/* Makes the next nr harvests fail with -err (0: none). */
void access_fake_fail(struct access_source *src, int err, unsigned int nr);

#endif
