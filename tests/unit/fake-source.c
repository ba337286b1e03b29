// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "tests/unit/fake-source.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/util/bitmap.h"

struct fake {
	struct access_source base;	/* first */
	uint64_t nr_frames;
	uint64_t **windows;		/* owned, and so is each */
	size_t nr_windows, current;
	uint64_t *accessed;		/* owned: simulated accessed bits */
	uint64_t *unseen, *guessed;	/* owned: unscanned; assumed */
	int fail_err;
	unsigned int nr_fail;
};

static const struct access_source_ops fake_ops;

/* Parses "12", "3-15" or "-".  Returns the character after it, or NULL. */
static const char *parse_range(const char *text, uint64_t nr_frames,
			       uint64_t *bits)
{
	unsigned long long first, last;
	char *end;

	if (*text == '-')
		return text + 1;
	if (!isdigit((unsigned char)*text))
		return NULL;
	first = last = strtoull(text, &end, 10);
	if (*end == '-') {
		if (!isdigit((unsigned char)end[1]))
			return NULL;
		last = strtoull(end + 1, &end, 10);
	}
	if (last < first || last >= nr_frames)
		return NULL;
	bitmap_set_range(bits, first, last + 1);
	return end;
}

/* One line, without comment; -EAGAIN when it is empty. */
static int parse_line(const char *line, const char *end, uint64_t nr_frames,
		      uint64_t *bits)
{
	bool any = false;

	while (line < end) {
		if (isblank((unsigned char)*line)) {
			line++;
			continue;
		}
		line = parse_range(line, nr_frames, bits);
		if (!line || line > end ||
		    (line < end && !isblank((unsigned char)*line)))
			return -EINVAL;
		any = true;
	}
	return any ? 0 : -EAGAIN;
}

static int add_window(struct fake *fake, uint64_t *bits)
{
	uint64_t **windows = realloc(fake->windows, (fake->nr_windows + 1) *
				     sizeof(*windows));

	if (!windows)
		return -ENOMEM;
	fake->windows = windows;
	fake->windows[fake->nr_windows++] = bits;
	return 0;
}

static int parse_trace(struct fake *fake, const char *trace, char *why,
		       size_t len)
{
	for (unsigned int line_nr = 1; *trace; line_nr++) {
		size_t line_len = strcspn(trace, "\n");
		uint64_t *bits = bitmap_new(fake->nr_frames);
		int err = -ENOMEM;

		if (bits)
			err = parse_line(trace, trace + strcspn(trace, "#\n"),
					 fake->nr_frames, bits);
		if (!err)
			err = add_window(fake, bits);
		if (err)
			free(bits);
		if (err == -EINVAL)
			snprintf(why, len, "line %u: expected frames such as "
				 "\"0-15 40\" below %llu, or \"-\"", line_nr,
				 (unsigned long long)fake->nr_frames);
		if (err && err != -EAGAIN)
			return err;
		trace += line_len + (trace[line_len] == '\n');
	}
	if (!fake->nr_windows) {
		snprintf(why, len, "the trace has no window");
		return -EINVAL;
	}
	return 0;
}

static void begin_window(struct fake *fake)
{
	const uint64_t *bits = fake->windows[fake->current];

	for (uint64_t w = 0; w < BITMAP_WORDS(fake->nr_frames); w++)
		fake->accessed[w] |= bits[w];
}

static void fake_close(struct access_source *src)
{
	struct fake *fake = (struct fake *)src;

	for (size_t i = 0; i < fake->nr_windows; i++)
		free(fake->windows[i]);
	free(fake->windows);
	free(fake->accessed);
	free(fake->unseen);
	free(fake->guessed);
	free(fake);
}

int access_fake_open(struct access_source **srcp, const char *trace,
		     uint64_t nr_frames, char *why, size_t len)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	int err;

	if (!fake)
		return -ENOMEM;
	fake->base = (struct access_source){
		.ops = &fake_ops,
		.granule_pages = 1,
		.cost = ACCESS_COST_WALK,
	};
	fake->nr_frames = nr_frames;
	fake->accessed = bitmap_new(nr_frames);
	fake->unseen = bitmap_new(nr_frames);
	fake->guessed = bitmap_new(nr_frames);
	err = fake->accessed && fake->unseen && fake->guessed ?
		      parse_trace(fake, trace, why, len) : -ENOMEM;
	if (err) {
		fake_close(&fake->base);
		return err;
	}
	begin_window(fake);
	*srcp = &fake->base;
	return 0;
}

void access_fake_step(struct access_source *src)
{
	struct fake *fake = (struct fake *)src;

	fake->current = (fake->current + 1) % fake->nr_windows;
	begin_window(fake);
}

void access_fake_assume(struct access_source *src, struct gfn_range range)
{
	struct fake *fake = (struct fake *)src;

	bitmap_set_range(fake->unseen, range.start.v,
			 range.start.v + range.nr);
}

void access_fake_fail(struct access_source *src, int err, unsigned int nr)
{
	struct fake *fake = (struct fake *)src;

	fake->fail_err = err;
	fake->nr_fail = err ? nr : 0;
}

static int fake_probe(const struct access_target *target, char *why, size_t len)
{
	return 0;
}

/* Not possible without a trace: use access_fake_open(). */
static int fake_open(struct access_source **srcp,
		     const struct access_target *target, char *why, size_t len)
{
	snprintf(why, len, "the fake source needs a trace");
	return -ENOTSUP;
}

static int fake_arm(struct access_source *src, struct gfn_range range)
{
	struct fake *fake = (struct fake *)src;

	if (range.start.v + range.nr > fake->nr_frames)
		return -EINVAL;
	bitmap_clear_range(fake->accessed, range.start.v,
			   range.start.v + range.nr);
	return 0;
}

static int fake_harvest(struct access_source *src, struct gfn_range range,
			uint64_t *young)
{
	struct fake *fake = (struct fake *)src;
	uint64_t start = range.start.v, end = start + range.nr;

	if (fake->nr_fail) {
		fake->nr_fail--;
		return -fake->fail_err;
	}
	if (end > fake->nr_frames)
		return -EINVAL;
	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++) {
		uint64_t mask = bitmap_word_mask(w, start, end);

		fake->guessed[w] =
			(fake->guessed[w] & ~mask) |
			(fake->unseen[w] & ~fake->accessed[w] & mask);
		young[w] = (young[w] & ~mask) |
			   ((fake->accessed[w] | fake->unseen[w]) & mask);
		fake->accessed[w] &= ~mask;
	}
	return 0;
}

static void fake_assumed(struct access_source *src, struct gfn_range range,
			 uint64_t *assumed)
{
	const struct fake *fake = (const struct fake *)src;

	bitmap_copy_range(assumed, fake->guessed, range.start.v,
			  range.start.v + range.nr);
}

static const struct access_source_ops fake_ops = {
	.name = "fake",
	.what = "a recorded trace, for tests",
	.probe = fake_probe,
	.open = fake_open,
	.arm = fake_arm,
	.harvest = fake_harvest,
	.assumed = fake_assumed,
	.close = fake_close,
};
