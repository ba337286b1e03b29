// SPDX-License-Identifier: GPL-2.0-or-later
/* vmm doctor: what this host can do for reclaim, and what it lacks. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cmd/cmd.h"
#include "vmm/doctor/doctor.h"
#include "vmm/util/error-text.h"
#include "vmm/util/json-text.h"
#include "vmm/util/log.h"

struct options {
	char *pid_text;		/* owned */
	int json;
	pid_t pid;		/* 0: none */
};

static const struct key option_keys[] = {
	{ "--pid", KEY_NUMBER, KEY_MEMBER(struct options, pid),
	  .min = 1, .unit = "a process" },
	{ .name = NULL },
};

/* --- for people -------------------------------------------------------- */

static void print_fact(const struct doctor_fact *f)
{
	const int indent = 2 + 6 + 16;

	static const char *const marks[] = { "OK", "-", "WARN", "FAIL" };

	printf("  %-5s %-15s %s%s%s\n", marks[f->status], f->name, f->value,
	       *f->detail ? ": " : "", f->detail);
	if (*f->remedy)
		printf("%*s-> %s\n", indent, "", f->remedy);
}

static void print_group(const struct doctor_fact *facts, size_t nr,
			const char *group)
{
	bool titled = false;

	for (size_t i = 0; i < nr; i++) {
		if (strcmp(facts[i].group, group))
			continue;
		if (!titled)
			printf("%s\n", group);
		titled = true;
		print_fact(&facts[i]);
	}
}

/* Appends to the list of what works, or of what does not. */
static void add_ability(char lists[2][192], bool can, const char *what)
{
	size_t used = strlen(lists[!can]);

	snprintf(lists[!can] + used, sizeof(lists[0]) - used, "%s%s",
		 used ? ", " : "", what);
}

static void make_sentence(const struct doctor_summary *sum, char *text,
			  size_t len)
{
	char lists[2][192] = { "", "" }, see[64], take[64];

	snprintf(see, sizeof(see), "find idle pages%s%s",
		 sum->source ? " by " : "", sum->source ? sum->source : "");
	snprintf(take, sizeof(take), "evict idle pages%s%s",
		 sum->sink ? " to " : "", sum->sink ? sum->sink : "");
	add_ability(lists, sum->guests, "run guests");
	add_ability(lists, sum->source, see);
	add_ability(lists, sum->sink, take);
	if (!sum->process)
		add_ability(lists, false, "reclaim from that process");
	snprintf(text, len, "this host can: %s%s%s",
		 *lists[0] ? lists[0] : "nothing",
		 *lists[1] ? "; it cannot: " : "", lists[1]);
}

static void print_text(const struct doctor *d, const struct doctor_summary *sum)
{
	const struct doctor_fact *facts;
	char sentence[448];
	size_t nr;

	facts = doctor_facts(d, &nr);
	for (size_t i = 0; doctor_groups[i]; i++)
		print_group(facts, nr, doctor_groups[i]);
	make_sentence(sum, sentence, sizeof(sentence));
	printf("%s\n", sentence);
}

/* --- for programs ------------------------------------------------------ */

static json_t *facts_json(const struct doctor *d)
{
	json_t *array = json_array();
	const struct doctor_fact *f;
	size_t nr;

	f = doctor_facts(d, &nr);
	for (size_t i = 0; array && i < nr; i++, f++)
		json_array_append_new(array, json_pack(
			"{ss ss ss so so so}", "group", f->group, "name",
			f->name, "status", doctor_status_name(f->status),
			"value", json_text_new(f->value), "detail",
			json_text_new(f->detail), "remedy",
			json_text_new(f->remedy)));
	return array;
}

static int print_json(const struct doctor *d, const struct doctor_summary *sum)
{
	char sentence[448];
	json_t *j;
	int err;

	make_sentence(sum, sentence, sizeof(sentence));
	j = json_pack("{so s{sb sb sb ss? ss? ss}}", "facts", facts_json(d),
		      "summary", "good", sum->good, "guests", sum->guests,
		      "process", sum->process, "source", sum->source, "sink",
		      sum->sink, "text", sentence);
	if (!j) {
		log_error("doctor: not enough memory for the answer");
		return -ENOMEM;
	}
	err = json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(j);
	return err ? -EIO : 0;
}

/* --- the command ------------------------------------------------------- */

static int parse(struct options *o, poptContext popt)
{
	int rc = poptGetNextOpt(popt);
	const char *extra;

	if (rc < -1)
		return cmd_bad_option(popt, rc);
	extra = poptGetArg(popt);
	if (extra) {
		log_error("doctor: unexpected argument '%s': options start "
			  "with --; see --help", extra);
		return VMM_EXIT_USAGE;
	}
	return cmd_set_option(option_keys, "--pid", o->pid_text, o);
}

static int examine(const struct options *o)
{
	struct doctor_summary sum;
	struct doctor *d;
	bool good;
	int err = doctor_new(&d, NULL);

	if (err) {
		log_error("doctor: %s", error_text(-err));
		return VMM_EXIT_FAILURE;
	}
	doctor_check_host(d);
	if (o->pid)
		doctor_check_process(d, o->pid);
	doctor_try(d);
	doctor_summarize(d, &sum);
	good = sum.good;
	if (!o->json)
		print_text(d, &sum);
	else if (print_json(d, &sum))
		good = false;
	doctor_free(d);
	return good ? VMM_EXIT_OK : VMM_EXIT_FAILURE;
}

int cmd_doctor(int argc, char **argv)
{
	struct options o = { 0 };
	const struct poptOption options[] = {
		{ "json", 'j', POPT_ARG_NONE, &o.json, 0,
		  "print JSON", NULL },
		{ "pid", 'p', POPT_ARG_STRING, &o.pid_text, 0,
		  "also examine this process, which must run a VM", "PID" },
		POPT_AUTOHELP
		POPT_TABLEEND
	};
	poptContext popt = poptGetContext(argv[0], argc, (const char **)argv,
					  options, 0);
	int rc = parse(&o, popt);

	if (!rc)
		rc = examine(&o);
	poptFreeContext(popt);
	free(o.pid_text);
	return rc;
}
