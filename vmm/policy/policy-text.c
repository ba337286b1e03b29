// SPDX-License-Identifier: GPL-2.0-or-later
/* The policy as people write it: "target=1G,period=500ms,proactive". */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/policy/policy.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/size.h"

/* Digits, at most max; *end is what follows them. */
static int parse_number(const char *text, unsigned long max, unsigned long *n,
			char **end)
{
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*n = strtoul(text, end, 10);
	return errno || *n > max ? -ERANGE : 0;
}

/* "2s", "500ms"; a bare number would leave the unit to be guessed. */
static int parse_ms(const char *text, unsigned int *ms)
{
	unsigned long n;
	char *end;
	int rc = parse_number(text, INT_MAX / 1000, &n, &end);

	if (rc)
		return rc;
	if (!strcmp(end, "ms"))
		*ms = n;
	else if (!strcmp(end, "s"))
		*ms = n * 1000;
	else
		return -EINVAL;
	return 0;
}

static int parse_count(const char *text, unsigned int *count)
{
	unsigned long n;
	char *end;
	int rc = parse_number(text, INT_MAX, &n, &end);

	if (rc)
		return rc;
	if (*end && strcmp(end, "%"))
		return -EINVAL;
	*count = n;
	return 0;
}

/* "0.2" or "0.2%", times scale, as a whole number. */
static int parse_fraction(const char *text, unsigned int scale,
			  unsigned int *n)
{
	char *end;
	double x = strtod(text, &end);

	if (*text < '0' || *text > '9' || (*end && strcmp(end, "%")) ||
	    x * scale > INT_MAX || strpbrk(text, "xXeE"))
		return -EINVAL;
	*n = x * scale + 0.5;
	return 0;
}

static int parse_proactive(const char *text, unsigned int *ppm)
{
	if (!*text) {
		*ppm = ENGINE_PROACTIVE_PPM;
		return 0;
	}
	if (!strcmp(text, "off")) {
		*ppm = 0;
		return 0;
	}
	return parse_fraction(text, 10000, ppm);
}

static int parse_switch(const char *text, bool *on)
{
	*on = !strcmp(text, "on");
	return *on || !strcmp(text, "off") ? 0 : -EINVAL;
}

static int parse_word(char *word, struct engine_policy *p, char *why,
		      size_t len)
{
	char *value = strchr(word, '=');
	const char *like = NULL;
	int rc = 0;

	if (!strcmp(word, "on") || !strcmp(word, "off")) {
		p->enabled = word[1] == 'n';
		return 0;
	}
	if (value)
		*value++ = 0;
	else
		value = "";
	if (!strcmp(word, "target")) {
		rc = size_parse(value, &p->target_bytes);
		p->enabled = true;
		like = "a size like 512M";
	} else if (!strcmp(word, "period")) {
		rc = parse_ms(value, &p->scan_period_ms);
		like = "a time like 500ms or 2s";
	} else if (!strcmp(word, "idle")) {
		rc = parse_count(value, &p->min_idle_scans);
		like = "a number of scans";
	} else if (!strcmp(word, "cpu")) {
		rc = parse_count(value, &p->cpu_percent);
		like = "per cent of one core";
	} else if (!strcmp(word, "hard")) {
		rc = parse_switch(value, &p->hard);
		like = "on or off";
	} else if (!strcmp(word, "prefetch")) {
		rc = parse_count(value, &p->prefetch_pages);
		like = "a number of pages";
	} else if (!strcmp(word, "proactive")) {
		p->enabled = true;
		rc = parse_proactive(value, &p->proactive_ppm);
		like = "off, or per cent of the working set a minute, like 0.2";
	} else if (!strcmp(word, "psi")) {
		p->psi_limit = 0;
		if (strcmp(value, "off"))
			rc = parse_fraction(value, 100, &p->psi_limit);
		like = "off, or per cent of time, like 1 or 0.5";
	} else if (!strcmp(word, "io")) {
		rc = size_parse(value, &p->io_bytes);
		like = "bytes a second, like 20M";
	} else if (!strncmp(word, "node", 4) && word[4] >= '0' &&
		   word[4] < '0' + GUEST_NUMA_NODES && !word[5]) {
		rc = size_parse(value, &p->node_target_bytes[word[4] - '0']);
		p->enabled = true;
		like = "a size like 512M";
	} else if (!strcmp(word, "low")) {
		rc = size_parse(value, &p->low_bytes);
		p->enabled = true;
		like = "a size like 2G";
	} else if (!strcmp(word, "high")) {
		rc = size_parse(value, &p->high_bytes);
		like = "a size like 4G";
	} else {
		snprintf(why, len, "a policy has no '%s'; it has on, off, "
			 "target=, period=, idle=, cpu=, proactive=, psi=, io=, "
			 "prefetch=, low=, high=, hard= and node0= to node7=",
			 word);
		return -EINVAL;
	}
	if (rc)
		snprintf(why, len, "%s='%s' is not %s", word, value, like);
	return rc ? -EINVAL : 0;
}

int engine_policy_parse(const char *text, struct engine_policy *policy,
			char *why, size_t len)
{
	__cleanup_free char *copy = strdup(text);
	struct engine_policy p = *policy;
	char *rest = copy, *word;
	int rc;

	if (!copy) {
		snprintf(why, len, "no memory");
		return -ENOMEM;
	}
	while ((word = strsep(&rest, ","))) {
		rc = parse_word(word, &p, why, len);
		if (rc)
			return rc;
	}
	*policy = p;
	return 0;
}
