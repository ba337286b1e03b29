// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For any input the decoder never reads past its end, every message it accepts
 * is within its bounds and encodes to the same frame, and errors are sticky.
 * With -DVMM_LIBFUZZER -fsanitize=fuzzer (clang) a libFuzzer target; else a
 * test with frames from a fixed seed, mostly valid so as to reach deep states.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-agent/protocol.h"

#define FRAMES 4096

static struct protocol_decoder dec;
static unsigned long nr_good, nr_bad;

#define check(cond) do {                                                    \
	if (!(cond)) {                                                      \
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);  \
		abort();                                                    \
	}                                                                   \
} while (0)

static void check_message(const struct protocol_message *m)
{
	static uint8_t frame[PROTOCOL_MAX_FRAME];
	size_t len = protocol_encode(m, frame, sizeof(frame));

	check(len && !memcmp(frame, dec.buf, len));
	if (m->type == PROTOCOL_RUNS)
		for (uint32_t i = 0; i < m->nr; i++)
			check(m->runs[i].gfn + m->runs[i].count <= FRAMES ||
			      m->runs[i].flags);
	if (m->type == PROTOCOL_VMA)
		check(m->vma.start < m->vma.end &&
		      m->vma.end <= PROTOCOL_MAX_ADDR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct protocol_message msg;
	size_t at = 0, used;
	int rc;

	if (!size)
		return 0;
	protocol_decoder_init(&dec, data[0] & 1 ? PROTOCOL_FROM_HOST :
			      PROTOCOL_FROM_GUEST, FRAMES);
	for (at = 1; (rc = protocol_decode(&dec, data + at, size - at, &used,
					   &msg)) == 1; at += used) {
		check(used && used <= size - at);
		check_message(&msg);
		nr_good++;
	}
	if (rc < 0) {
		check(-rc < PROTOCOL_NR_ERRORS);
		check(protocol_decode(&dec, data, size, &used, &msg) == rc);
		nr_bad++;
	} else {
		check(used == size - at);
	}
	return 0;
}

#ifndef VMM_LIBFUZZER
static uint64_t seed = 1;

static uint64_t rnd(uint64_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (seed >> 33) % n;
}

static size_t make(uint8_t *buf, size_t len)
{
	struct protocol_run runs[4];
	struct protocol_flags flags[4];
	size_t n = 1;

	buf[0] = rnd(16) == 0;
	for (int i = 0; i < 24; i++) {
		static const uint8_t order[] = { 1, 2, 8, 9, 4, 6, 7, 6, 7, 5,
						 10, 3, 2, 4, 6, 6, 7, 5, 3 };
		struct protocol_message m = { 0 };
		uint64_t base = (uint64_t)i << 20;

		m.type = buf[0] ? PROTOCOL_DROP_CACHE :
				  order[i % sizeof(order)];
		m.nr = 1 + rnd(4);
		for (uint32_t k = 0; k < 4; k++) {
			runs[k] = (struct protocol_run){ base + k * 0x4000,
				rnd(FRAMES), 1 + rnd(4), rnd(40) == 0 };
			flags[k] = (struct protocol_flags){ k * 100 + rnd(90),
				1 + rnd(10), rnd(0x800) };
		}
		switch (m.type) {
		case PROTOCOL_HELLO:
			m.hello = (struct protocol_hello){ 4096, 3, FRAMES };
			break;
		case PROTOCOL_EPOCH_BEGIN:
			m.epoch = (struct protocol_epoch){ 1 + i / 12, i < 12 };
			break;
		case PROTOCOL_EPOCH_END:
			m.epoch.number = 1 + i / 13;
			break;
		case PROTOCOL_MM:
			m.mm.pid = 7;
			m.mm.flags = i > 12;
			m.mm.pgd = rnd(FRAMES) * 4096;
			break;
		case PROTOCOL_VMA:
			m.vma = (struct protocol_vma){ base, base + 0x100000,
				rnd(100), 1, rnd(9), rnd(0x80),
				i > 12 ? rnd(3) : 0 };
			break;
		case PROTOCOL_RUNS:
			for (int k = 0; k < 4; k++)
				runs[k].vaddr -= 1 << 20;
			m.runs = runs;
			break;
		case PROTOCOL_FLAGS: m.flags = flags; break;
		case PROTOCOL_DROP_CACHE: m.drop_bytes = 1; break;
		default: m.pid = 7;
		}
		n += protocol_encode(&m, buf + n, len - n);
	}
	for (uint64_t k = rnd(3); k; k--)
		buf[rnd(n)] = rnd(4) ? rnd(256) : 0;
	return rnd(8) ? n : rnd(n) + 1;
}

int main(void)
{
	static uint8_t buf[8192];

	for (int i = 0; i < 200000; i++) {
		size_t n = make(buf, sizeof(buf));
		/* Exactly sized, so that a sanitizer sees a byte too many. */
		uint8_t *copy = malloc(n);

		check(copy);
		memcpy(copy, buf, n);
		LLVMFuzzerTestOneInput(copy, n);
		free(copy);
	}
	printf("%sok 1 - 200000 streams: %lu messages, %lu refusals\n1..1\n",
	       nr_good > 1000000 && nr_bad > 1000 ? "" : "not ", nr_good, nr_bad);
	return !(nr_good > 1000000 && nr_bad > 1000);
}
#endif
