/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An access source that replays a recorded trace, for tests of the engine: no
 * KVM, no privilege, the same result each time.
 *
 * A trace is text: a line a window, the young frames of that window as ranges.
 *
 *	# hot: 0-15 always; frame 40 once
 *	0-15
 *	0-15 40
 *	-		(a window without accesses)
 *
 * Each harvest of a frame takes what happened to it since its last harvest:
 * the union of the windows between.  access_fake_step() ends a window.
 * After the last line the trace begins anew.
 */
#ifndef VMM_ACCESS_FAKE_H
#define VMM_ACCESS_FAKE_H

#include "vmm/access/source.h"

/*
 * -EINVAL: the trace is wrong: why names the line; -ENOMEM.  A frame beyond
 * nr_frames is wrong.  The source begins inside the first window.
 */
int access_fake_open(struct access_source **srcp, const char *trace,
		     uint64_t nr_frames, char *why, size_t len);

/* The window ends, the next begins. */
void access_fake_step(struct access_source *src);

/* From now on these frames count as young without a look: ops->assumed(). */
void access_fake_assume(struct access_source *src, struct gfn_range range);

/* Makes the next nr harvests fail with -err (0: none). */
void access_fake_fail(struct access_source *src, int err, unsigned int nr);

/* Harvests so far, those that failed too. */
unsigned int access_fake_nr_harvests(const struct access_source *src);

#endif
