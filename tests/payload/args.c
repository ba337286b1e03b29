// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel command line: blank-separated NAME=VALUE.  Words that are not the
 * payload's (console=, acpi ids the VMM adds) are ignored.
 */
#include "tests/payload/payload.h"

static const char *const pattern_names[] = {
	[PATTERN_HOTCOLD] = "hotcold",
	[PATTERN_ZIPF] = "zipf",
	[PATTERN_SEQUENTIAL] = "sequential",
	[PATTERN_PHASE] = "phase",
	[PATTERN_SHARED] = "shared",
	[PATTERN_UNIFORM] = "uniform",
	[PATTERN_IDLE] = "idle",
};

#define NR_PATTERNS (sizeof(pattern_names) / sizeof(pattern_names[0]))

const char *args_pattern_name(enum pattern pattern)
{
	return pattern_names[pattern];
}

static bool word_is(const char *word, size_t len, const char *name)
{
	return len == strlen(name) && !memcmp(word, name, len);
}

/* A number with an optional K, M, G (powers of two) or % behind it. */
static bool parse_number(const char *s, size_t len, uint64_t max,
			 uint64_t *out)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < len && s[i] >= '0' && s[i] <= '9'; i++) {
		if (value > UINT64_MAX / 10 - 1)
			return false;
		value = value * 10 + (uint64_t)(s[i] - '0');
	}
	if (!i)
		return false;
	if (i + 1 == len) {
		unsigned int shift = s[i] == 'K' ? 10 : s[i] == 'M' ? 20 :
				     s[i] == 'G' ? 30 : s[i] == '%' ? 0 : 64;

		if (shift == 64 || value > UINT64_MAX >> shift)
			return false;
		value <<= shift;
		i++;
	}
	if (i != len || value > max)
		return false;
	*out = value;
	return true;
}

static bool parse_pattern(const char *s, size_t len, enum pattern *pattern)
{
	for (size_t i = 0; i < NR_PATTERNS; i++) {
		if (word_is(s, len, pattern_names[i])) {
			*pattern = (enum pattern)i;
			return true;
		}
	}
	return false;
}

static bool parse_hostile(const char *s, size_t len, enum hostile *hostile)
{
	static const char *const names[] = {
		[HOSTILE_INFLATE] = "inflate",
		[HOSTILE_REPORT] = "report",
		[HOSTILE_REPORT_AGAIN] = "report-again",
		[HOSTILE_DISK_READ] = "disk-read",
		[HOSTILE_DISK_WRITE] = "disk-write",
		[HOSTILE_DISK_BUSY] = "disk-busy",
		[HOSTILE_DISK_LEAVE] = "disk-leave",
		[HOSTILE_RANDOM] = "random",
		[HOSTILE_FRAMES] = "frames",
		[HOSTILE_FRAME] = "frame",
		[HOSTILE_CONNECT] = "connect",
		[HOSTILE_EMPTY] = "empty",
		[HOSTILE_NOTIFY] = "notify",
		[HOSTILE_PRINT] = "print",
	};

	for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
		if (word_is(s, len, names[i])) {
			*hostile = (enum hostile)i;
			return true;
		}
	}
	return false;
}

static bool parse_layout(const char *s, size_t len, bool *scatter)
{
	*scatter = word_is(s, len, "scatter");
	return *scatter || word_is(s, len, "block");
}

static bool parse_word(const char *name, size_t name_len, const char *value,
		       size_t len, struct args *args)
{
	uint64_t n = 0;

#define NUMBER(key, max, assign)                                            \
	if (word_is(name, name_len, key)) {                                 \
		if (!parse_number(value, len, max, &n))                     \
			return false;                                       \
		assign;                                                     \
		return true;                                                \
	}
	NUMBER("mem", UINT64_C(1) << 46, args->mem_bytes = n)
	NUMBER("shared", UINT64_C(1) << 46, args->shared_bytes = n)
	NUMBER("hot", 100, args->hot_percent = (unsigned int)n)
	NUMBER("procs", PAYLOAD_MAX_PROCS, args->nr_procs = (unsigned int)n)
	NUMBER("cluster", 1 << 20, args->cluster = (unsigned int)n)
	NUMBER("write", 100, args->write_percent = (unsigned int)n)
	NUMBER("cold_ppm", 1000000, args->cold_ppm = (unsigned int)n)
	NUMBER("pace_us", 1000000, args->pace_us = (unsigned int)n)
	NUMBER("seconds", 1 << 24, args->duration_ms = n * 1000)
	NUMBER("report_ms", 1 << 24, args->report_ms = n)
	NUMBER("phase_ms", 1 << 24, args->phase_ms = n)
	NUMBER("warmup_ms", 1 << 24, args->warmup_ms = n)
	NUMBER("seed", UINT64_MAX, args->seed = n)
	NUMBER("cpus", PAYLOAD_MAX_CPUS, args->nr_cpus = (unsigned int)n)
	NUMBER("tsc_khz", UINT32_MAX, args->tsc_khz = n)
	NUMBER("verify", 1, args->verify = n)
	NUMBER("check", 1, args->check = n)
	NUMBER("agent", 1, args->agent = n)
	NUMBER("latency", 1, args->latency = n)
#undef NUMBER
	if (word_is(name, name_len, "pattern"))
		return parse_pattern(value, len, &args->pattern);
	if (word_is(name, name_len, "hostile"))
		return parse_hostile(value, len, &args->hostile);
	if (word_is(name, name_len, "layout"))
		return parse_layout(value, len, &args->scatter);
	return true;
}

bool args_parse(const char *cmdline, struct args *args, const char **bad)
{
	const char *p = cmdline;

	*args = (struct args){
		.pattern = PATTERN_HOTCOLD, .hot_percent = 10, .cluster = 1,
		.scatter = true, .write_percent = 12, .duration_ms = 10000,
		.report_ms = 1000, .phase_ms = 5000, .seed = 1,
		.verify = true, .check = true,
	};
	for (;;) {
		const char *word, *equal = NULL;

		while (*p == ' ')
			p++;
		if (!*p)
			break;
		for (word = p; *p && *p != ' '; p++)
			if (*p == '=' && !equal)
				equal = p;
		if (equal && !parse_word(word, (size_t)(equal - word),
					 equal + 1, (size_t)(p - equal - 1),
					 args)) {
			*bad = word;
			return false;
		}
	}
	if (!args->cluster)
		args->cluster = 1;
	if (!args->report_ms)
		args->report_ms = 1000;
	if (!args->phase_ms)
		args->phase_ms = 5000;
	return true;
}
