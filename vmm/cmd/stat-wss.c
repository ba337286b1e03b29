// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmm stat --wss`: prints the answer of GET /wss. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cmd/cmd-client.h"
#include "vmm/cmd/stat-wss.h"
#include "vmm/util/size.h"

static const char *size_text(const json_t *o, const char *name, char buf[16])
{
	return size_format(client_int(o, NULL, name), buf, 16);
}

static double real(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

static void print_reasons(const json_t *basis)
{
	static const struct {
		const char *name, *text;
	} reasons[] = {
		{ "edge_low_bytes", "may be from before the window" },
		{ "edge_high_bytes", "more may be from inside it" },
		{ "assumed_bytes",
		  "are assumed to be used, without observation" },
		{ "unresolved_bytes",
		  "are in larger pages, of which some part was used" },
	};
	char a[16];

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (client_int(basis, NULL, reasons[i].name))
			printf("         %s %s\n",
			       size_text(basis, reasons[i].name, a),
			       reasons[i].text);
	}
	if (json_is_true(json_object_get(basis, "may_miss")))
		printf("         pages whose translation stayed in the CPU's "
		       "TLB may be missing\n");
}

static void print_row(const json_t *o)
{
	char a[16], b[16], c[16];

	printf("%10s %10s %10s  ", size_text(o, "wss_bytes", a),
	       size_text(o, "low_bytes", b), size_text(o, "high_bytes", c));
}

static void print_regions(const json_t *process)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(process, "vmas"), i, o) {
		print_row(o);
		printf("  %#llx-%#llx\n", client_int(o, NULL, "start"),
		       client_int(o, NULL, "end"));
	}
	if (client_int(process, NULL, "nr_vmas_left_out") > 0)
		printf("%36s  and %lld further regions\n", "",
		       client_int(process, NULL, "nr_vmas_left_out"));
}

void stat_wss_print(const json_t *j)
{
	const json_t *basis = json_object_get(j, "basis"), *o;
	const json_t *processes = json_object_get(j, "processes");
	char a[16], b[16], c[16];
	size_t i;

	printf("guest    %s used within %.1f s until %.1f s ago; at least %s, "
	       "at most %s\n", size_text(j, "wss_bytes", a),
	       real(j, "window_s"), real(j, "ended_s_ago"),
	       size_text(j, "low_bytes", b), size_text(j, "high_bytes", c));
	printf("basis    %lld scans in the window by %s, granularity: %s\n",
	       client_int(basis, NULL, "scans_in_window"),
	       client_string(basis, NULL, "source"),
	       size_text(basis, "granule_bytes", a));
	print_reasons(basis);
	if (!json_array_size(processes))
		return;
	printf("%10s %10s %10s  %s\n", "used", "at least", "at most",
	       "process");
	json_array_foreach(processes, i, o) {
		print_row(o);
		printf("%lld %s\n", client_int(o, NULL, "pid"),
		       client_string(o, NULL, "comm"));
		print_regions(o);
	}
}

char *stat_wss_path(const char *window, const char *pid)
{
	char *path = NULL;

	/* The VM checks the values; they must not add another parameter. */
	if ((window && strpbrk(window, "&#% ?")) ||
	    (pid && strpbrk(pid, "&#% ?")))
		return NULL;
	if (asprintf(&path, "/wss?window=%s&pid=%s", window ? window : "",
		     pid ? pid : "") < 0)
		return NULL;
	return path;
}
