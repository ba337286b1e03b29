// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The codec: each message is decoded unchanged, at once or byte by byte, and
 * each invalid field is refused with its own error.
 */
#include "config.h"

#include <string.h>

#include "guest-agent/protocol.h"
#include "tests/tap.h"

#define FRAMES 1000
#define M(t, ...) { .type = PROTOCOL_##t, __VA_ARGS__ }

static struct protocol_decoder dec;
static const struct protocol_run runs[] = {
	{ 0x10000, 5, 3, 0 }, { 0x14000, 999, 1, 0 },
};
static const struct protocol_flags pgflags[] = {
	{ 0, 10, PROTOCOL_PG_FREE }, { 10, 990, PROTOCOL_PG_ALL },
};
static const struct protocol_run delta_runs[] = {
	{ 0x10000, 7, 1, 0 }, { 0x11000, 0, 4, PROTOCOL_RUN_UNMAPPED },
};

static const struct protocol_message good[] = {
	M(HELLO, .hello = { 4096, PROTOCOL_FEAT_ALL, FRAMES }),
	M(PRESSURE, .pressure = { 1, 2, 3, 4, 5, 6, 7, 9999, 10000, 11, 12,
				  13 }),
	M(EPOCH_BEGIN, .epoch = { 1, PROTOCOL_EPOCH_FULL }),
	M(FLAGS, .nr = 2, .flags = pgflags),
	M(MM, .mm = { 17, 0, 0x5000, "fifteen-letters" }),
	M(VMA, .vma = { 0x10000, 0x20000, 1, 2, 3, PROTOCOL_VM_ALL, 0 }),
	M(RUNS, .nr = 2, .runs = runs),
	M(VMA, .vma = { 0x20000, 0x21000, 0, 0, 0, 1, 0 }),
	M(MM_END, .pid = 17),
	M(EPOCH_END, .epoch = { 1, 0 }),
	M(EPOCH_BEGIN, .epoch = { UINT64_C(1) << 40, 0 }),
	M(FORGET, .pid = 99),
	M(MM, .mm = { 17, PROTOCOL_MM_DELTA, PROTOCOL_NO_PGD, "" }),
	M(VMA, .vma = { 0x20000, 0x21000, 0, 0, 0, 0, PROTOCOL_VMA_GONE }),
	M(VMA, .vma = { 0x10000, 0x20000, 0, 0, 0, 0, PROTOCOL_VMA_KEEP }),
	M(RUNS, .nr = 2, .runs = delta_runs),
	M(MM_END, .pid = 17),
	M(EPOCH_END, .epoch = { UINT64_C(1) << 40, 0 }),
};
static const struct protocol_message host[] = {
	M(DROP_CACHE, .drop_bytes = 1),
	M(DROP_CACHE, .drop_bytes = UINT64_MAX),
};
#define NR_GOOD (sizeof(good) / sizeof(good[0]))
#define NR_HOST (sizeof(host) / sizeof(host[0]))

/* Encoding what was decoded gives the same bytes: no field was lost. */
static void round_trip(const struct protocol_message *msgs, size_t nr,
		       enum protocol_sender sender, size_t step)
{
	static uint8_t frame[PROTOCOL_MAX_FRAME], again[PROTOCOL_MAX_FRAME];

	protocol_decoder_init(&dec, sender, FRAMES);
	for (size_t i = 0; i < nr; i++) {
		size_t len = protocol_encode(&msgs[i], frame, sizeof(frame));
		struct protocol_message out;
		size_t used, at = 0;
		int rc = 0;

		while (at < len && !rc) {
			size_t n = len - at < step ? len - at : step;

			rc = protocol_decode(&dec, frame + at, n, &used, &out);
			at += used;
		}
		ok(rc == 1 && at == len && out.type == msgs[i].type &&
		   protocol_encode(&out, again, sizeof(again)) == len &&
		   !memcmp(frame, again, len),
		   "round trip of message %zu (type %d), %zu bytes a call: %s",
		   i, msgs[i].type, step, protocol_error_text(rc));
	}
}

/* Each field, read back by name: encoder and decoder may not err alike. */
static void test_fields(void)
{
	uint8_t frame[PROTOCOL_HEADER_SIZE + 88], want[24] = {
		0x56, 0x4d, 0x4d, 0x41, 1, 0, 0, 0, 0, 0x10, 0, 0,
		0x7f, 0, 0, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0 };
	struct protocol_message m;
	size_t used;

	protocol_encode(&good[0], frame, sizeof(frame));
	ok(frame[0] == 24 && frame[4] == 1 && !memcmp(frame + 8, want, 24),
	   "a hello has the documented bytes");
	protocol_decoder_init(&dec, PROTOCOL_FROM_GUEST, FRAMES);
	protocol_decode(&dec, frame, 32, &used, &m);
	protocol_encode(&good[1], frame, sizeof(frame));
	protocol_decode(&dec, frame, sizeof(frame), &used, &m);
	ok(m.pressure.mem_total == 1 && m.pressure.mem_free == 2 &&
	   m.pressure.mem_available == 3 && m.pressure.cached == 4 &&
	   m.pressure.dirty == 5 && m.pressure.some_total_us == 6 &&
	   m.pressure.full_total_us == 7 && m.pressure.some_avg10 == 9999 &&
	   m.pressure.full_avg10 == 10000 && m.pressure.clean_cache == 11 &&
	   m.pressure.nr_refaults_file == 12 &&
	   m.pressure.nr_refaults_anon == 13, "pressure keeps its fields apart");
}

/* Message `at` of the good stream with bytes of its frame replaced. */
struct bad {
	const char *what;
	unsigned int at, off, size;
	uint64_t value;
	int error;
};

#define H PROTOCOL_HEADER_SIZE
static const struct bad bads[] = {
	{ "type 0", 0, 4, 4, 0, PROTOCOL_E_TYPE },
	{ "type 11", 0, 4, 4, 11, PROTOCOL_E_TYPE },
	{ "type 64", 0, 4, 4, 64, PROTOCOL_E_TYPE },
	{ "type of the host", 0, 4, 4, PROTOCOL_DROP_CACHE, PROTOCOL_E_TYPE },
	{ "hello too short", 0, 0, 4, 23, PROTOCOL_E_LENGTH },
	{ "hello of 4 GiB", 0, 0, 4, UINT32_MAX, PROTOCOL_E_LENGTH },
	{ "magic", 0, H, 4, 1, PROTOCOL_E_MAGIC },
	{ "version", 0, H + 4, 4, 2, PROTOCOL_E_VERSION },
	{ "page size", 0, H + 8, 4, 8192, PROTOCOL_E_PAGE_SIZE },
	{ "features", 0, H + 12, 4, 0x80, PROTOCOL_E_FEATURES },
	{ "no frames", 0, H + 16, 8, 0, PROTOCOL_E_NR_FRAMES },
	{ "too many frames", 0, H + 16, 8, FRAMES + 1, PROTOCOL_E_NR_FRAMES },
	{ "some over 100 %", 1, H + 56, 4, 10001, PROTOCOL_E_VALUE },
	{ "full over 100 %", 1, H + 60, 4, 10001, PROTOCOL_E_VALUE },
	{ "epoch 0", 2, H, 8, 0, PROTOCOL_E_EPOCH_NR },
	{ "epoch flags", 2, H + 8, 4, 2, PROTOCOL_E_FLAGS },
	{ "first epoch a delta", 2, H + 8, 4, 0, PROTOCOL_E_DELTA },
	{ "epoch reserved", 2, H + 12, 4, 1, PROTOCOL_E_RESERVED },
	{ "no flag records", 3, 0, 4, 0, PROTOCOL_E_LENGTH },
	{ "half a flag record", 3, 0, 4, 24, PROTOCOL_E_LENGTH },
	{ "1025 flag records", 3, 0, 4, 1025 * 16, PROTOCOL_E_LENGTH },
	{ "flags beyond memory", 3, H, 8, FRAMES, PROTOCOL_E_GFN },
	{ "flags that wrap", 3, H, 8, UINT64_MAX, PROTOCOL_E_GFN },
	{ "flags of no frame", 3, H + 8, 4, 0, PROTOCOL_E_RANGE },
	{ "flags overlap", 3, H + 8, 4, 11, PROTOCOL_E_OVERLAP },
	{ "flag bits", 3, H + 12, 4, 0x800, PROTOCOL_E_FLAGS },
	{ "pid 0", 4, H, 4, 0, PROTOCOL_E_PID },
	{ "pid too large", 4, H, 4, (1 << 22) + 1, PROTOCOL_E_PID },
	{ "mm flags", 4, H + 4, 4, 2, PROTOCOL_E_FLAGS },
	{ "delta in a full epoch", 4, H + 4, 4, 1, PROTOCOL_E_DELTA },
	{ "PGD unaligned", 4, H + 8, 8, 0x5001, PROTOCOL_E_PGD },
	{ "PGD beyond memory", 4, H + 8, 8, FRAMES * 4096, PROTOCOL_E_PGD },
	{ "comm unterminated", 4, H + 31, 1, 'x', PROTOCOL_E_COMM },
	{ "comm with a tail", 4, H + 16, 1, 0, PROTOCOL_E_COMM },
	{ "VMA start unaligned", 5, H, 8, 0x10001, PROTOCOL_E_ALIGN },
	{ "VMA end unaligned", 5, H + 8, 8, 0x20800, PROTOCOL_E_ALIGN },
	{ "VMA empty", 5, H + 8, 8, 0x10000, PROTOCOL_E_RANGE },
	{ "VMA too high", 5, H + 8, 8, PROTOCOL_MAX_ADDR + 4096,
	  PROTOCOL_E_RANGE },
	{ "VMA pgoff", 5, H + 16, 8, UINT64_MAX, PROTOCOL_E_VALUE },
	{ "VMA flags", 5, H + 40, 4, 0x80, PROTOCOL_E_FLAGS },
	{ "VMA op", 5, H + 44, 4, 3, PROTOCOL_E_VALUE },
	{ "KEEP in no delta", 5, H + 44, 4, 1, PROTOCOL_E_DELTA },
	{ "GONE in no delta", 5, H + 44, 4, 2, PROTOCOL_E_DELTA },
	{ "no runs", 6, 0, 4, 0, PROTOCOL_E_LENGTH },
	{ "1025 runs", 6, 0, 4, 1025 * 24, PROTOCOL_E_LENGTH },
	{ "run unaligned", 6, H, 8, 0x10010, PROTOCOL_E_ALIGN },
	{ "run below its VMA", 6, H, 8, 0xf000, PROTOCOL_E_OUTSIDE_VMA },
	{ "run above its VMA", 6, H, 8, 0x20000, PROTOCOL_E_OUTSIDE_VMA },
	{ "run longer than its VMA", 6, H + 16, 4, 17, PROTOCOL_E_OUTSIDE_VMA },
	{ "run of no pages", 6, H + 16, 4, 0, PROTOCOL_E_RANGE },
	{ "runs overlap", 6, H + 16, 4, 5, PROTOCOL_E_OVERLAP },
	{ "run beyond memory", 6, H + 8, 8, 998, PROTOCOL_E_GFN },
	{ "run frames wrap", 6, H + 8, 8, UINT64_MAX, PROTOCOL_E_GFN },
	{ "run flags", 6, H + 20, 4, 2, PROTOCOL_E_FLAGS },
	{ "unmapped in no delta", 6, H + 20, 4, 1, PROTOCOL_E_DELTA },
	{ "VMAs overlap", 7, H, 8, 0x1f000, PROTOCOL_E_OVERLAP },
	{ "another's end", 8, H, 4, 18, PROTOCOL_E_PID },
	{ "MM_END reserved", 8, H + 4, 4, 1, PROTOCOL_E_RESERVED },
	{ "another epoch's end", 9, H, 8, 2, PROTOCOL_E_EPOCH_NR },
	{ "epoch end flags", 9, H + 8, 4, 1, PROTOCOL_E_FLAGS },
	{ "epoch goes back", 10, H, 8, 1, PROTOCOL_E_EPOCH_NR },
	{ "forget pid 0", 11, H, 4, 0, PROTOCOL_E_PID },
	{ "forget reserved", 11, H + 4, 4, 1, PROTOCOL_E_RESERVED },
	{ "unmapped run with a frame", 15, H + 24 + 8, 8, 1,
	  PROTOCOL_E_RESERVED },
};

static size_t encode(const struct protocol_message *m, uint8_t *buf)
{
	return protocol_encode(m, buf, PROTOCOL_MAX_FRAME);
}

/* Feeds the good stream up to message nr; true if all were taken. */
static bool feed_good(unsigned int nr)
{
	static uint8_t frame[PROTOCOL_MAX_FRAME];
	struct protocol_message out;
	size_t used;

	protocol_decoder_init(&dec, PROTOCOL_FROM_GUEST, FRAMES);
	for (unsigned int i = 0; i < nr; i++)
		if (protocol_decode(&dec, frame, encode(&good[i], frame),
				    &used, &out) != 1)
			return false;
	return true;
}

static void expect(const char *what, const uint8_t *frame, size_t len,
		   int error)
{
	struct protocol_message out;
	size_t used;
	int rc = protocol_decode(&dec, frame, len, &used, &out);

	if (!ok(rc == -error, "refused: %s: %s", what,
		protocol_error_text(error)))
		printf("# got %d: %s\n", rc, protocol_error_text(rc));
	if (rc < 0 && protocol_decode(&dec, frame, len, &used, &out) != rc)
		ok(false, "%s: the error stays", what);
}

static void test_bad_fields(void)
{
	static uint8_t frame[PROTOCOL_MAX_FRAME];

	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		const struct bad *b = &bads[i];
		size_t len = encode(&good[b->at], frame);

		for (unsigned int k = 0; k < b->size; k++)
			frame[b->off + k] = b->value >> (8 * k);
		if (!feed_good(b->at))
			tap_bail("the good stream is refused");
		expect(b->what, frame, len, b->error);
	}
}

static void test_bad_order(void)
{
	static const struct {
		const char *what;
		unsigned int after, msg;
		int error;
	} t[] = {
		{ "hello twice", 1, 0, PROTOCOL_E_HELLO_TWICE },
		{ "epoch first", 0, 2, PROTOCOL_E_NO_HELLO },
		{ "pressure first", 0, 1, PROTOCOL_E_NO_HELLO },
		{ "flags outside", 2, 3, PROTOCOL_E_NO_EPOCH },
		{ "mm outside", 2, 4, PROTOCOL_E_NO_EPOCH },
		{ "VMA outside", 2, 5, PROTOCOL_E_NO_EPOCH },
		{ "end outside", 2, 9, PROTOCOL_E_NO_EPOCH },
		{ "forget outside", 2, 11, PROTOCOL_E_NO_EPOCH },
		{ "VMA without mm", 3, 5, PROTOCOL_E_NO_MM },
		{ "runs without mm", 3, 6, PROTOCOL_E_NO_MM },
		{ "MM_END without mm", 3, 8, PROTOCOL_E_NO_MM },
		{ "runs without VMA", 5, 6, PROTOCOL_E_NO_VMA },
		{ "runs of a VMA gone", 14, 15, PROTOCOL_E_NO_VMA },
		{ "mm in mm", 5, 4, PROTOCOL_E_IN_MM },
		{ "pressure in mm", 5, 1, PROTOCOL_E_IN_MM },
		{ "epoch end in mm", 5, 9, PROTOCOL_E_IN_MM },
		{ "epoch in epoch", 3, 2, PROTOCOL_E_IN_EPOCH },
		{ "GONE after KEEP", 15, 13, PROTOCOL_E_ORDER },
		{ "VMAs descend", 8, 5, PROTOCOL_E_ORDER },
	};
	static uint8_t frame[PROTOCOL_MAX_FRAME];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (!feed_good(t[i].after))
			tap_bail("the good stream is refused");
		expect(t[i].what, frame, encode(&good[t[i].msg], frame),
		       t[i].error);
	}
}

static void test_bad_requests(void)
{
	static uint8_t frame[64];
	static const struct {
		const char *what;
		unsigned int msg, off;
		uint32_t value;
		int error;
	} t[] = {
		{ "drop without payload", 0, 0, 0, PROTOCOL_E_LENGTH },
		{ "drop with a longer payload", 0, 0, 12, PROTOCOL_E_LENGTH },
		{ "request of a guest's type", 0, 4, 1, PROTOCOL_E_TYPE },
		{ "request before the first type", 0, 4, 64, PROTOCOL_E_TYPE },
		{ "request after the last type", 0, 4, 66, PROTOCOL_E_TYPE },
		{ "drop nothing", 0, H, 0, PROTOCOL_E_VALUE },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		size_t len = protocol_encode(&host[t[i].msg], frame, 64);

		for (unsigned int k = 0; k < 4; k++)
			frame[t[i].off + k] = t[i].value >> (8 * k);
		protocol_decoder_init(&dec, PROTOCOL_FROM_HOST, 0);
		expect(t[i].what, frame, len, t[i].error);
	}
}

/* A whole frame of type 64, which is unused. */
static void test_unused_type(void)
{
	static const uint8_t frame[H] = { [4] = 64 };

	protocol_decoder_init(&dec, PROTOCOL_FROM_HOST, 0);
	expect("type 64 of the host", frame, sizeof(frame), PROTOCOL_E_TYPE);
	if (!feed_good(1))
		tap_bail("the good stream is refused");
	expect("type 64 of the guest", frame, sizeof(frame), PROTOCOL_E_TYPE);
}

static void test_encoder_limits(void)
{
	static struct protocol_run many[PROTOCOL_MAX_RECORDS + 1];
	static uint8_t buf[PROTOCOL_MAX_FRAME + 24];
	struct protocol_message m = M(RUNS, .nr = PROTOCOL_MAX_RECORDS,
				      .runs = many);

	is_int(protocol_encode(&m, buf, sizeof(buf)), PROTOCOL_MAX_FRAME,
	       "the largest message");
	is_int(protocol_encode(&m, buf, PROTOCOL_MAX_FRAME - 1), 0,
	       "no room, nothing written");
	m.nr++;
	is_int(protocol_encode(&m, buf, sizeof(buf)), 0, "too many records");
	m.nr = 0;
	is_int(protocol_encode(&m, buf, sizeof(buf)), 0, "no records");
	for (int i = 0; i < PROTOCOL_NR_ERRORS; i++)
		for (int k = 0; k < i; k++)
			if (!strcmp(protocol_error_text(i),
				    protocol_error_text(k)))
				ok(false, "errors %d and %d read alike", i, k);
}

int main(void)
{
	round_trip(good, NR_GOOD, PROTOCOL_FROM_GUEST, PROTOCOL_MAX_FRAME);
	round_trip(good, NR_GOOD, PROTOCOL_FROM_GUEST, 1);
	round_trip(host, NR_HOST, PROTOCOL_FROM_HOST, 64);
	round_trip(host, NR_HOST, PROTOCOL_FROM_HOST, 3);
	test_fields();
	test_bad_fields();
	test_bad_order();
	test_bad_requests();
	test_unused_type();
	test_encoder_limits();
	return tap_done();
}
