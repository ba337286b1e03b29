// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of options, what their errors say, and suggestions for mistyped names. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/util/key-value.h"
#include "vmm/util/nearest.h"

struct options {
	unsigned int count, ms, share;
	uint64_t bytes, many, wait_ms;
	bool flag, word;
	const char *text;
	char colour;
	unsigned int nr_done;
};

static int parse_colour(const char *value, void *to)
{
	struct options *o = to;

	if (strcmp(value, "red") && strcmp(value, "green"))
		return -EINVAL;
	o->colour = *value;
	return 0;
}

static void done(const struct key *key, void *to)
{
	struct options *o = to;

	o->nr_done++;
	o->word |= key->type == KEY_WORD;
}

#define M(member) KEY_MEMBER(struct options, member)

static const char *const colours[] = { "red", "green", NULL };

static const struct key keys[] = {
	{ "count", KEY_NUMBER, M(count), .min = 2, .max = 9, .unit = "pages",
	  .json_name = "count_pages", .done = done },
	{ "many", KEY_NUMBER, M(many), .json_name = "many" },
	{ "size", KEY_SIZE, M(bytes), .min = 4096, .max = UINT64_C(3) << 30 },
	{ "time", KEY_DURATION, M(ms), .min = 10, .max = 60000, .value_if_bare = "2s",
	  .json_name = "time_ms" },
	{ "share", KEY_PERCENT, M(share), .scale = 100, .max = 10000,
	  .can_be_off = true, .unit = "of time" },
	{ "flag", KEY_FLAG, M(flag), .json_name = "flag" },
	{ "word", KEY_WORD, M(word), .done = done },
	{ "text", KEY_TEXT, M(text) },
	{ "colour", KEY_OTHER, .parse = parse_colour, .words = colours,
	  .expects = "red or green" },
	{ "wait", KEY_SECONDS, M(wait_ms), .min = 100, .max = 3600000 },
	{ .name = NULL },
};

static char why[256];

static void test_good(void)
{
	struct options o = { .share = 7 };
	char text[] = "count=3,many=4294967296,size=8K,time=500ms,share=0.25%,"
		      "flag=on,word,text=a=b,colour=green,wait=0.5";

	ok(!key_list_cut(keys, text, &o, why, sizeof(why)), "one of each: %s",
	   why);
	ok(o.count == 3 && o.many == UINT64_C(1) << 32 && o.bytes == 8192 &&
	   o.ms == 500 && o.share == 25 && o.flag && o.word &&
	   !strcmp(o.text, "a=b") && o.colour == 'g' && o.wait_ms == 500,
	   "all are set");
	is_int(o.nr_done, 2, "and what is done after a value was");
	ok(!key_list_parse(keys, "time,share=off,flag=off,count=2,count=9", &o,
			   why, sizeof(why)) &&
	   o.ms == 2000 && !o.share && !o.flag && o.count == 9 &&
	   o.bytes == 8192, "a key alone, off, and one that is given twice");
}

static void test_bad(void)
{
	static const char *const t[][2] = {
		{ "cuont=3", "unknown key 'cuont': did you mean 'count'?" },
		{ "zzz=3", "unknown key 'zzz': expected one of count, many, "
		  "size, time, share, flag, word, text, colour, wait" },
		{ "", "unknown key ''" },
		{ "count=3,", "unknown key ''" },
		{ "count", "count='' is not a number of pages from 2 to 9" },
		{ "count=1", "count='1' is not a number of pages from 2 to 9" },
		{ "count=10", "count='10' is not a number of pages" },
		{ "count=99999999999999999999", "is not a number" },
		{ "count=4294967299", "is not a number" },
		{ "count=-3", "is not a number" },
		{ "count= 3", "is not a number" },
		{ "count=3x", "is not a number" },
		{ "many=9223372036854775808", "many='92" },
		{ "size=4095", "size='4095' is not a size like 512M from 4K to "
		  "3G" },
		{ "size=20000000T", "is not a size" },
		{ "time=5", "time='5' is not a duration like 500ms or 2s from "
		  "10ms to 60s" },
		{ "time=61s", "is not a duration" },
		{ "time=18446744073709551615s", "is not a duration" },
		{ "share=101", "share='101' is not off or a percentage of time "
		  "from 0% to 100%" },
		{ "share=1e1", "is not off or a percentage" },
		{ "share=0x1", "is not off or a percentage" },
		{ "share=nan", "is not off or a percentage" },
		{ "flag", "flag='' is not on or off" },
		{ "flag=fo", "flag='fo' is not on or off" },
		{ "flag=offf", "on or off: did you mean 'off'?" },
		{ "word=1", "word='1': 'word' takes no value" },
		{ "text=", "text='' is not a text of one or more characters" },
		{ "colour=gren", "colour='gren' is not red or green: did you "
		  "mean 'green'?" },
		{ "colour=blue", "colour='blue' is not red or green" },
		{ "wait=0", "wait='0' is not a number of seconds like 0.5 or 2 "
		  "from 0.1 to 3600" },
		{ "wait=3601", "is not a number of seconds" },
		{ "wait=1s", "is not a number of seconds" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct options o = { .count = 7 };
		unsigned int before = strcmp(t[i][0], "count=3,") ? 7 : 3;

		ok(key_list_parse(keys, t[i][0], &o, why, sizeof(why)) ==
		   -EINVAL && strstr(why, t[i][1]) && o.count == before,
		   "%s: %s", t[i][0], why);
	}
}

static void test_short_why(void)
{
	struct options o = { 0 };
	char few[12] = "";

	ok(key_list_parse(keys, "zzz", &o, few, sizeof(few)) == -EINVAL &&
	   !strcmp(few, "unknown key"), "a short buffer has what fits");
}

static void test_json(void)
{
	struct options o = {
		.count = 2, .ms = 10, .bytes = 4096, .wait_ms = 100,
	};
	const struct key *k = key_find_json(keys, "count_pages", why,
					    sizeof(why));

	ok(k && !key_set_number(k, 5, &o, why, sizeof(why)) && o.count == 5,
	   "a number by its name in JSON");
	is_int(key_get_number(k, &o), 5, "and back");
	ok(key_set_number(k, 10, &o, why, sizeof(why)) == -EINVAL &&
	   o.count == 5 && !strcmp(why, "'count_pages' is 10: it must be a "
				   "whole number from 2 to 9 (pages)"),
	   "out of range: %s", why);
	ok(!key_find_json(keys, "count", why, sizeof(why)) &&
	   strstr(why, "unknown member 'count'"), "its text is no name: %s",
	   why);
	ok(!key_find_json(keys, "time_s", why, sizeof(why)) &&
	   strstr(why, "did you mean 'time_ms'?"), "a name nearby: %s", why);
	k = key_find_json(keys, "flag", why, sizeof(why));
	ok(k && !key_set_number(k, true, &o, why, sizeof(why)) && o.flag,
	   "a bool");
	key_refuse_number(k, "1", why, sizeof(why));
	ok(!strcmp(why, "'flag' is 1: it must be true or false"), "%s", why);
	ok(!key_check_numbers(keys, &o, why, sizeof(why)), "all in range");
	o.ms = 5;
	ok(key_check_numbers(keys, &o, why, sizeof(why)) == -EINVAL &&
	   strstr(why, "'time_ms' is 5"), "one is not: %s", why);
}

static void test_nearest(void)
{
	static const char *const names[] = { "target", "period", "prefetch",
					     "psi", "on", "off", "node1" };
	static const char *const t[][2] = {
		{ "target", "target" }, { "targt", "target" },
		{ "tagret", "target" }, { "TARGET", "target" },
		{ "targets", "target" }, { "pre", "prefetch" },
		{ "spi", "psi" }, { "offf", "off" }, { "node9", "node1" },
		{ "o", NULL }, { "", NULL }, { "zebra", NULL },
		{ "tar-get-ter", NULL }, { "xy", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  NULL },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct nearest n = { .word = t[i][0] };
		char hint[64];

		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
			nearest_try(&n, names[k]);
		ok(n.name == t[i][1] || (n.name && t[i][1] &&
					 !strcmp(n.name, t[i][1])),
		   "'%s'%s", t[i][0], nearest_hint(&n, hint, sizeof(hint)));
	}
}

int main(void)
{
	test_good();
	test_bad();
	test_short_why();
	test_json();
	test_nearest();
	return tap_done();
}
