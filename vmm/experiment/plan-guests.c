// SPDX-License-Identifier: GPL-2.0-or-later
/* The guests of a plan, and the parameters of their workloads. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "vmm/experiment/plan-internal.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/* The payload's parameters, except those that the runner sets. */
static const char *const payload_words[] = {
	"pattern", "mem", "shared", "hot", "procs", "cluster", "layout",
	"write", "cold_ppm", "pace_us", "phase_ms", "verify", "check", "agent",
};

static bool is_payload_word(const char *name)
{
	for (size_t i = 0; i < NR(payload_words); i++)
		if (!strcmp(payload_words[i], name))
			return true;
	return false;
}

/* One word of the guest's command line: blanks and quotes would end it. */
static bool word_value(const json_t *value, char *buf, size_t len)
{
	const char *text = json_string_value(value);

	if (json_is_integer(value))
		snprintf(buf, len, "%lld",
			 (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, len, "%d", json_is_true(value));
	else if (text && *text && strlen(text) < len &&
		 !strpbrk(text, " \t\n\"'"))
		snprintf(buf, len, "%s", text);
	else
		return false;
	return true;
}

static int read_workload(struct reader *r, const json_t *obj,
			 struct plan_guest *guest)
{
	json_t *workload = json_object_get(obj, "workload"), *value;
	const char *name;
	char text[64];
	size_t n = 0;

	if (!workload)
		return 0;
	if (!json_is_object(workload))
		return reader_fail(r, obj, "workload", "must be an object");
	json_object_foreach(workload, name, value) {
		if (guest->kind == PLAN_PAYLOAD && !is_payload_word(name))
			return reader_fail(r, workload, name,
					   "not an argument of the payload");
		if (!*name || strspn(name, PLAN_NAME_CHARS "_.") !=
		    strlen(name))
			return reader_fail(r, workload, name,
					   "may only contain a-z, 0-9, -, _ "
					   "and .");
		if (!word_value(value, text, sizeof(text)))
			return reader_fail(r, workload, name, "must be a word, "
					   "a whole number, true or false");
		n += (size_t)snprintf(guest->words + n,
				      sizeof(guest->words) - n, "%s%s=%s",
				      n ? " " : "", name, text);
		if (n >= sizeof(guest->words))
			return reader_fail(r, obj, "workload", "the workload's "
					   "arguments are too long");
	}
	return 0;
}

static int read_options(struct reader *r, const json_t *obj,
			struct plan_guest *guest)
{
	const json_t *array = json_object_get(obj, "options");
	json_t *value;
	size_t i;

	if (!array)
		return 0;
	if (!json_is_array(array) || json_array_size(array) > PLAN_MAX_OPTIONS)
		return reader_fail(r, obj, "options", "must be a list of up to "
				   "%d words", PLAN_MAX_OPTIONS);
	json_array_foreach((json_t *)array, i, value) {
		if (!json_is_string(value))
			return reader_fail(r, obj, "options",
					   "each must be a string");
		guest->options[guest->nr_options++] = json_string_value(value);
	}
	return 0;
}

struct guest_text {
	const char *kind;
	uint64_t count;
	struct plan_guest guest;
};

#define GUEST(member) offsetof(struct guest_text, guest.member)

static int read_guest(struct reader *r, const json_t *obj,
		      const struct plan_override *o, struct guest_text *t)
{
	static const struct reader_member table[] = {
		{ "kind", READER_TEXT, offsetof(struct guest_text, kind), 0,
		  0 },
		{ "count", READER_NUMBER, offsetof(struct guest_text, count),
		  1, PLAN_MAX_GUESTS },
		{ "mem", READER_SIZE, GUEST(mem_bytes), PLAN_MIN_MEM, 0 },
		{ "cpus", READER_NUMBER, GUEST(cpus), 1, 64 },
		{ "kernel", READER_TEXT, GUEST(kernel), 0, 0 },
		{ "initrd", READER_TEXT, GUEST(initrd), 0, 0 },
		{ "cmdline", READER_TEXT, GUEST(cmdline), 0, 0 },
		{ "options", READER_OTHER, 0, 0, 0 },
		{ "workload", READER_OTHER, 0, 0, 0 },
	};
	int rc;

	*t = (struct guest_text){
		.kind = "payload", .count = 1,
		.guest = { .mem_bytes = UINT64_C(256) << 20, .cpus = 1 },
	};
	if (!json_is_object(obj))
		return reader_fail(r, r->root, "guests",
				   "each must be an object");
	rc = reader_members(r, obj, table, NR(table), t);
	if (rc)
		return rc;
	if (!strcmp(t->kind, "linux"))
		t->guest.kind = PLAN_LINUX;
	else if (strcmp(t->kind, "payload"))
		return reader_fail(r, obj, "kind", "must be payload or linux");
	if (t->guest.kind == PLAN_PAYLOAD && (t->guest.kernel ||
					      t->guest.initrd ||
					      t->guest.cmdline))
		return reader_fail(r, obj, t->guest.kernel ? "kernel" :
				   t->guest.initrd ? "initrd" : "cmdline",
				   "is for guests of the kind linux");
	if (t->guest.kind == PLAN_LINUX) {
		if (o->kernel)
			t->guest.kernel = o->kernel;
		if (o->initrd)
			t->guest.initrd = o->initrd;
		if (!t->guest.kernel)
			return reader_fail(r, r->root, "guests", "a Linux guest "
					   "needs a kernel: name one in the "
					   "file or by --kernel");
	}
	rc = read_workload(r, obj, &t->guest);
	return rc ? rc : read_options(r, obj, &t->guest);
}

int plan_read_guests(struct reader *r, struct plan *plan,
		     const struct plan_override *o)
{
	const json_t *array = json_object_get(r->root, "guests");
	struct guest_text t;
	json_t *value;
	size_t i;
	int rc;

	if (!json_array_size(array))
		return reader_fail(r, r->root, "guests",
				   "must be a list of guests");
	json_array_foreach((json_t *)array, i, value) {
		rc = read_guest(r, value, o, &t);
		if (rc)
			return rc;
		if (t.count > PLAN_MAX_GUESTS - plan->nr_guests)
			return reader_fail(r, r->root, "guests",
					   "more than %d", PLAN_MAX_GUESTS);
		while (t.count--)
			plan->guests[plan->nr_guests++] = t.guest;
	}
	return 0;
}
