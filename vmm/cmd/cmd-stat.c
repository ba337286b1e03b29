// SPDX-License-Identifier: GPL-2.0-or-later
/* vmm stat: the memory of a running VM, once or after each scan. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/client/client.h"
#include "vmm/cmd/cmd-client.h"
#include "vmm/cmd/cmd.h"
#include "vmm/cmd/stat-fleet.h"
#include "vmm/cmd/stat-wss.h"
#include "vmm/util/log.h"
#include "vmm/util/size.h"

#define PAGE_BYTES 4096ull

static const char *size_text(long long bytes, char buf[16])
{
	return size_format(bytes > 0 ? bytes : 0, buf, 16);
}

static void print_memory(const json_t *j)
{
	char a[16], b[16], c[16], d[16];

	printf("memory   %s: resident %s, swapped %s, discarded %s\n",
	       size_text(client_int(j, "memory", "bytes"), a),
	       size_text(client_int(j, "memory", "resident_bytes"), b),
	       size_text(client_int(j, "memory", "swapped_bytes"), c),
	       size_text(client_int(j, "memory", "discarded_bytes"), d));
}

/* Guests without nodes have no such line. */
static void print_nodes(const json_t *j)
{
	const json_t *nodes = json_object_get(j, "nodes"), *node;
	char a[16], b[16], c[16];
	size_t i;

	json_array_foreach(nodes, i, node) {
		long long target = client_int(node, NULL, "target_bytes");

		printf("node %-3zu resident %s, swapped %s, target %s\n", i,
		       size_text(client_int(node, NULL, "resident_bytes"), a),
		       size_text(client_int(node, NULL, "swapped_bytes"), b),
		       target ? size_text(target, c) : "none");
	}
}

static void print_engine(const json_t *j)
{
	char a[16], b[16], c[16], d[16];
	const char *error = client_string(j, "engine", "last_error");

	printf("lists    active %s, inactive %s, unevictable %s; "
	       "touched in the last scan %s\n",
	       size_text(PAGE_BYTES * client_int(j, "engine", "nr_active"), a),
	       size_text(PAGE_BYTES * client_int(j, "engine", "nr_inactive"), b),
	       size_text(PAGE_BYTES * client_int(j, "engine", "nr_unevictable"),
			 c),
	       size_text(PAGE_BYTES * client_int(j, "engine", "nr_young"), d));
	printf("pages    %lld evicted, %lld refaulted, %lld kept as accessed "
	       "just before, %lld not evicted by the sink\n",
	       client_int(j, "engine", "nr_evicted"),
	       client_int(j, "engine", "nr_refaults"),
	       client_int(j, "engine", "nr_saved_by_recheck"),
	       client_int(j, "engine", "nr_kept"));
	if (client_int(j, "engine", "nr_huge") ||
	    client_int(j, "engine", "nr_huge_evicted") ||
	    client_int(j, "engine", "nr_huge_split") ||
	    client_int(j, "engine", "nr_huge_looked_at"))
		printf("huge     %s; %lld evicted as a whole, %lld split, %lld "
		       "times not split, %lld looked at, %lld made\n",
		       size_text(PAGE_BYTES * client_int(j, "engine",
							 "nr_huge"), a),
		       client_int(j, "engine", "nr_huge_evicted"),
		       client_int(j, "engine", "nr_huge_split"),
		       client_int(j, "engine", "nr_huge_kept"),
		       client_int(j, "engine", "nr_huge_looked_at"),
		       client_int(j, "engine", "nr_huge_collapsed"));
	printf("scans    %lld by %s, %lld failed; last %.1f ms, CPU %.2f s\n",
	       client_int(j, "engine", "nr_scans"),
	       client_string(j, "engine", "source"),
	       client_int(j, "engine", "nr_scan_errors"),
	       client_int(j, "engine", "last_scan_ns") / 1e6,
	       client_int(j, "engine", "scan_cpu_ns") / 1e9);
	if (*error)
		printf("error    %s\n", error);
}

static void print_store(const json_t *j)
{
	long long nr = client_int(j, "store", "nr_faults");
	char a[16], b[16];

	if (!nr && !client_int(j, "store", "nr_puts"))
		return;
	printf("store    %s in %s of memory, %lld faults",
	       size_text(PAGE_BYTES * client_int(j, "store", "nr_pages"), a),
	       size_text(client_int(j, "store", "mem_bytes"), b), nr);
	if (nr)
		printf(": half within %.1f us, 99 %% within %.1f us; on "
		       "average %.1f us to read, %.1f us to map",
		       client_int(j, "store", "fault_p50_ns") / 1e3,
		       client_int(j, "store", "fault_p99_ns") / 1e3,
		       client_int(j, "store", "fault_read_ns") / 1e3 / nr,
		       client_int(j, "store", "fault_copy_ns") / 1e3 / nr);
	putchar('\n');
}

/* Printed only where a process of its own evicts, or did. */
static void print_evictor(const json_t *j)
{
	const char *error = client_string(j, "evictor", "last_error");

	if (client_int(j, "evictor", "nr_pages"))
		printf("evictor  %lld pages, CPU %.2f s of the scans'\n",
		       client_int(j, "evictor", "nr_pages"),
		       client_int(j, "evictor", "cpu_ns") / 1e9);
	if (*error)
		printf("evictor  ended: %s; the vCPUs are interrupted for "
		       "evictions\n", error);
}

/* Printed only while the store's device has a problem. */
static void print_device(const json_t *j)
{
	const char *state = client_string(j, "store", "device");

	if (!strcmp(state, "stalled") || !strcmp(state, "failed"))
		printf("device   %s: %s\n", state,
		       client_string(j, "store", "device_error"));
}

/* Printed only while the guest waits for pages that cannot be read. */
static void print_waiting(const json_t *j)
{
	long long nr = client_int(j, "store", "nr_waiting");

	if (nr)
		printf("waiting  the guest needs %lld page%s that cannot be "
		       "read now: %s\n", nr, nr == 1 ? "" : "s",
		       client_string(j, "store", "last_error"));
}

/* Each line is printed only if there were such pages. */
static void print_prefetch(const json_t *j)
{
	if (client_int(j, "engine", "nr_prefetched"))
		printf("prefetch %lld pages prefetched, %lld of them used\n",
		       client_int(j, "engine", "nr_prefetched"),
		       client_int(j, "engine", "nr_prefetch_hits"));
	if (client_int(j, "engine", "nr_promoted"))
		printf("promoted %lld pages moved back from the slow node\n",
		       client_int(j, "engine", "nr_promoted"));
}

static void print_policy(const json_t *j)
{
	const json_t *p = json_object_get(j, "policy");
	long long target = client_int(p, NULL, "target_bytes");
	char a[16];

	printf("policy   %s, target %s, period %lld ms, idle %lld scans, "
	       "CPU %lld %%\n",
	       json_is_true(json_object_get(p, "enabled")) ? "on" : "off",
	       target ? size_text(target, a) : "none",
	       client_int(p, NULL, "scan_period_ms"),
	       client_int(p, NULL, "min_idle_scans"),
	       client_int(p, NULL, "cpu_percent"));
}

static void print_reclaimed(const json_t *j)
{
	const json_t *t = json_object_get(j, "reclaimed");

	printf("evicted  free %lld, anonymous %lld, unknown %lld, dirty cache "
	       "%lld, clean cache %lld; proactively %lld\n",
	       client_int(t, NULL, "free"), client_int(t, NULL, "anon"),
	       client_int(t, NULL, "unknown"),
	       client_int(t, NULL, "dirty_file"),
	       client_int(t, NULL, "clean_file"),
	       client_int(t, NULL, "proactive"));
	if (client_int(t, NULL, "cache_requested") ||
	    client_int(t, NULL, "free_requested"))
		printf("request  %lld pages of page cache, %lld of free memory "
		       "requested from the guest\n",
		       client_int(t, NULL, "cache_requested"),
		       client_int(t, NULL, "free_requested"));
}

static void print_agent(const json_t *j)
{
	const json_t *agent = json_object_get(j, "agent");
	char a[16], b[16];

	if (!json_is_true(json_object_get(agent, "connected"))) {
		printf("agent    not connected\n");
		return;
	}
	printf("agent    epoch %lld: %lld processes, %lld regions, %lld page "
	       "mappings; guest has %s, free %s\n",
	       client_int(agent, NULL, "epoch"),
	       client_int(j, "rmap", "nr_mms"),
	       client_int(j, "rmap", "nr_vmas"),
	       client_int(j, "rmap", "nr_mappings"),
	       size_text(client_int(j, "guest", "mem_total"), a),
	       size_text(client_int(j, "guest", "mem_free"), b));
}

static void print_once(const json_t *j)
{
	printf("guest    %s, process %lld\n", client_string(j, NULL, "name"),
	       client_int(j, NULL, "pid"));
	print_memory(j);
	print_nodes(j);
	print_engine(j);
	print_reclaimed(j);
	print_prefetch(j);
	print_store(j);
	print_evictor(j);
	print_device(j);
	print_waiting(j);
	print_policy(j);
	print_agent(j);
}

struct follow {
	int json;
	unsigned long nr_lines;
	long long evicted, refaults;	/* as of the previous line */
};

/* Counters only grow; a line that is not from a VM may have any numbers. */
static long long more(long long now, long long before)
{
	return now > before && before >= 0 ? now - before : 0;
}

static int print_line(json_t *j, void *arg)
{
	struct follow *f = arg;
	long long evicted = client_int(j, "engine", "nr_evicted");
	long long refaults = client_int(j, "engine", "nr_refaults");
	char a[16], b[16], c[16], when[16];
	time_t now = time(NULL);
	struct tm tm;

	if (f->json) {
		json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
		putchar('\n');
		return fflush(stdout);
	}
	if (json_object_get(j, "dropped")) {
		printf("(%lld lines lost: the output is not read fast "
		       "enough)\n",
		       client_int(j, NULL, "dropped"));
		return fflush(stdout);
	}
	if (f->nr_lines % 20 == 0)
		printf("%-9s %10s %10s %10s %9s %9s %9s\n", "time", "resident",
		       "swapped", "touched", "evicted", "refaults", "scan ms");
	strftime(when, sizeof(when), "%H:%M:%S", localtime_r(&now, &tm));
	printf("%-9s %10s %10s %10s %9lld %9lld %9.1f\n", when,
	       size_text(client_int(j, "memory", "resident_bytes"), a),
	       size_text(client_int(j, "memory", "swapped_bytes"), b),
	       size_text(PAGE_BYTES * client_int(j, "engine", "nr_young"), c),
	       f->nr_lines ? more(evicted, f->evicted) : 0,
	       f->nr_lines ? more(refaults, f->refaults) : 0,
	       client_int(j, "engine", "last_scan_ns") / 1e6);
	f->nr_lines++;
	f->evicted = evicted;
	f->refaults = refaults;
	return fflush(stdout);
}

static int show_wss(struct client *c, const char *window, const char *pid)
{
	char *path = stat_wss_path(window, pid);
	json_t *j;

	if (!path) {
		log_error("--window must be a number of seconds, --pid a "
			  "process ID");
		return VMM_EXIT_USAGE;
	}
	j = client_expect(c, client_request(c, path, NULL), "basis");
	free(path);
	if (!j)
		return VMM_EXIT_FAILURE;
	if (c->json)
		client_print_json(j);
	else
		stat_wss_print(j);
	json_decref(j);
	return VMM_EXIT_OK;
}

#define MAX_OPTIONS 16

/*
 * True: --connect is given, in whatever form (-jc URI, -cURI), so stat-fleet.c
 * handles the command line.  Stores nothing; mistakes are left to the one that
 * handles it.
 */
static bool is_of_fleet(const struct poptOption *options, int argc, char **argv)
{
	struct poptOption all[MAX_OPTIONS] = { { 0 } };
	bool found = false;
	poptContext popt;
	int rc;

	for (size_t i = 0; options[i].longName && i < MAX_OPTIONS - 1; i++) {
		all[i] = options[i];
		all[i].arg = NULL;
		all[i].val = options[i].shortName == 'c' ? 'c' : 0;
	}
	popt = poptGetContext(argv[0], argc, (const char **)argv, all, 0);
	while ((rc = poptGetNextOpt(popt)) != -1)
		found |= rc == 'c';
	poptFreeContext(popt);
	return found;
}

int cmd_stat(int argc, char **argv)
{
	struct client c = { 0 };
	struct follow f = { 0 };
	int follow = 0, wss = 0, rc;
	char *window = NULL, *pid = NULL, *connect = NULL;
	char why[512];
	json_t *j;
	const struct poptOption options[] = {
		CLIENT_OPTIONS(&c),
		{ "connect", 'c', POPT_ARG_STRING, &connect, 0,
		  "instead: all domains of this libvirt, as libvirt reports "
		  "them",
		  "URI" },
		{ "follow", 'f', POPT_ARG_NONE, &follow, 0,
		  "print a line after each scan, until the VM ends", NULL },
		{ "wss", 'w', POPT_ARG_NONE, &wss, 0,
		  "the working set: memory in use, with bounds of the error",
		  NULL },
		{ "window", 0, POPT_ARG_STRING, &window, 0,
		  "with --wss: memory used within the last SECONDS (60)",
		  "SECONDS" },
		{ "pid", 0, POPT_ARG_STRING, &pid, 0,
		  "with --wss: of this process and its regions", "PID" },
		POPT_AUTOHELP
		POPT_TABLEEND
	};

	if (is_of_fleet(options, argc, argv))
		return fleet_stat(argc, argv);
	rc = client_open(&c, options, argc, argv, "[OPTION...]", 0, 0);
	if (rc)
		goto out;
	rc = VMM_EXIT_USAGE;
	if ((window || pid) && !wss) {
		log_error("--window and --pid need --wss");
		goto out;
	}
	if (wss && follow) {
		log_error("--wss and --follow exclude each other");
		goto out;
	}
	if (wss) {
		rc = show_wss(&c, window, pid);
		goto out;
	}
	rc = VMM_EXIT_FAILURE;
	if (follow) {
		f.json = c.json;
		if (stat_stream(c.path, "/events", print_line, &f, why,
				sizeof(why)))
			log_error("%s", why);
		else
			rc = VMM_EXIT_OK;
		goto out;
	}
	j = client_expect(&c, client_request(&c, "/stats", NULL), "memory");
	if (!j)
		goto out;
	if (c.json)
		client_print_json(j);
	else
		print_once(j);
	json_decref(j);
	rc = VMM_EXIT_OK;
out:
	free(window);
	free(pid);
	free(connect);
	client_close(&c);
	return rc;
}
