// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cmd/cmd.h"
#include "vmm/cmd/run-options.h"
#include "vmm/util/log.h"
#include "vmm/util/size.h"

#define DEFAULT_MEM  (UINT64_C(512) << 20)
#define MIN_MEM	     (UINT64_C(16) << 20)
#define DEFAULT_CID  3
#define DEFAULT_ABITS "auto"
#define DEFAULT_SINK  "swap"

enum { OPT_DISK = 1, OPT_NUMA };

static int add_disk(struct run_options *o, char *text)
{
	char *comma = strrchr(text, ',');
	struct run_disk *d = &o->disks[o->nr_disks];

	if (o->nr_disks == RUN_MAX_DISKS) {
		log_error("--disk: too many disks: at most %d are allowed",
			  RUN_MAX_DISKS);
		free(text);
		return VMM_EXIT_USAGE;
	}
	if (comma && !strcmp(comma, ",ro")) {
		d->read_only = true;
		*comma = 0;
	}
	d->path = text;
	o->nr_disks++;
	return VMM_EXIT_OK;
}

static int add_node(struct run_options *o, char *text)
{
	char why[256];
	int rc = guest_numa_parse(&o->numa, text, why, sizeof(why));

	if (rc)
		log_error("--numa %s: %s", text, why);
	free(text);
	return rc ? VMM_EXIT_USAGE : VMM_EXIT_OK;
}

static int check_memory(struct run_options *o)
{
	uint64_t host = (uint64_t)sysconf(_SC_PHYS_PAGES) *
			sysconf(_SC_PAGESIZE);
	char a[16];

	o->mem_bytes = o->numa.nr ? guest_numa_bytes(&o->numa) : DEFAULT_MEM;
	if (o->mem_text && size_parse(o->mem_text, &o->mem_bytes)) {
		log_error("--mem %s: not a size; for example 512M or 2G",
			  o->mem_text);
		return VMM_EXIT_USAGE;
	}
	if (o->mem_bytes < MIN_MEM) {
		log_error("--mem %s: a guest needs 16M or more", o->mem_text);
		return VMM_EXIT_USAGE;
	}
	if (o->mem_bytes > host) {
		log_error("--mem %s: the host has %s, and a guest cannot have "
			  "more than the host", o->mem_text,
			  size_format(host, a, sizeof(a)));
		return VMM_EXIT_FAILURE;
	}
	return VMM_EXIT_OK;
}

static int check_backing(struct run_options *o)
{
	static const char *const kinds[] = {
		[GUEST_MEM_ANON] = "anon", [GUEST_MEM_THP] = "thp",
		[GUEST_MEM_MEMFD] = "memfd",
		[GUEST_MEM_HUGETLB] = "hugetlb=2M",
		[GUEST_MEM_HUGETLB_1G] = "hugetlb=1G",
	};
	const char *text = o->service.backing_text;

	if (!text)
		return VMM_EXIT_OK;
	if (!strcmp(text, "hugetlb"))
		text = kinds[GUEST_MEM_HUGETLB];
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(text, kinds[i])) {
			o->service.backing = i;
			return VMM_EXIT_OK;
		}
	log_error("--mem-backing %s: there are anon (4 KiB pages), thp (huge "
		  "pages), memfd (shared 4 KiB pages) and hugetlb[=2M|1G] "
		  "(pages of the host's pool)", text);
	return VMM_EXIT_USAGE;
}

static int check_net(struct run_options *o)
{
	if (!o->net_text)
		return VMM_EXIT_OK;
	if (strncmp(o->net_text, "tap=", 4) || !o->net_text[4]) {
		log_error("--net %s: say tap=NAME, the tap device to use",
			  o->net_text);
		return VMM_EXIT_USAGE;
	}
	o->tap = o->net_text + 4;
	return VMM_EXIT_OK;
}

/* Not parsed by popt: its message names the value, not the option. */
static int parse_number(const char *text, int min, int *value)
{
	char *end;
	long v;

	if (!text)
		return 0;
	errno = 0;
	v = strtol(text, &end, 10);
	if (errno || end == text || *end || v < min || v > INT_MAX)
		return -EINVAL;
	*value = v;
	return 0;
}

/* Node targets are for nodes that the guest must have. */
static int check_node_targets(const struct run_options *o)
{
	for (unsigned int i = o->numa.nr; i < GUEST_NUMA_NODES; i++)
		if (o->service.policy.node_target_bytes[i]) {
			log_error("--reclaim %s: the guest has no node %u: add "
				  "it with --numa", o->service.reclaim_text, i);
			return VMM_EXIT_USAGE;
		}
	return VMM_EXIT_OK;
}

static int check(struct run_options *o)
{
	char why[256];
	int rc;

	if (!o->kernel) {
		log_error("run: --kernel FILE is missing; see --help");
		return VMM_EXIT_USAGE;
	}
	rc = check_memory(o);
	if (!rc)
		rc = check_backing(o);
	if (!rc)
		rc = check_net(o);
	if (rc)
		return rc;
	if (parse_number(o->cpus_text, 1, &o->nr_cpus)) {
		log_error("--cpus %s: not a number from 1 up", o->cpus_text);
		return VMM_EXIT_USAGE;
	}
	if (guest_numa_check(&o->numa, o->mem_bytes, o->nr_cpus, why,
			     sizeof(why))) {
		log_error("--numa: %s", why);
		return VMM_EXIT_USAGE;
	}
	if (parse_number(o->cid_text, DEFAULT_CID, &o->cid)) {
		log_error("--cid %s: not a number from %d up, which guests "
			  "have", o->cid_text, DEFAULT_CID);
		return VMM_EXIT_USAGE;
	}
	if (o->service.agent_record && o->service.no_agent) {
		log_error("--agent-record %s: there is no agent to record: "
			  "leave out --no-agent", o->service.agent_record);
		return VMM_EXIT_USAGE;
	}
	rc = service_options_check(&o->service);
	return rc ? rc : check_node_targets(o);
}

static int parse_options(struct run_options *o, poptContext popt)
{
	const char *extra;
	int rc, opt;

	while ((opt = poptGetNextOpt(popt)) > 0) {
		rc = opt == OPT_NUMA ? add_node(o, poptGetOptArg(popt)) :
				       add_disk(o, poptGetOptArg(popt));
		if (rc)
			return rc;
	}
	if (opt < -1)
		return cmd_bad_option(popt, opt);
	extra = poptGetArg(popt);
	if (extra) {
		log_error("run: unexpected argument '%s': options start with "
			  "--; see --help", extra);
		return VMM_EXIT_USAGE;
	}
	return check(o);
}

int run_options_parse(struct run_options *o, int argc, char **argv)
{
	struct service_options *s = &o->service;
	const struct poptOption table[] = {
		{ "kernel", 'k', POPT_ARG_STRING, &o->kernel, 0,
		  "kernel to boot: bzImage or ELF file (vmlinux)", "FILE" },
		{ "initrd", 'i', POPT_ARG_STRING, &o->initrd, 0,
		  "initial RAM disk", "FILE" },
		{ "cmdline", 'c', POPT_ARG_STRING, &o->cmdline, 0,
		  "kernel command line", "TEXT" },
		{ "mem", 'm', POPT_ARG_STRING, &o->mem_text, 0,
		  "memory of the guest (512M)", "SIZE" },
		{ "mem-backing", 0, POPT_ARG_STRING, &s->backing_text, 0,
		  "type of guest memory: anon, memfd, thp, hugetlb[=2M|1G] "
		  "(what --abits needs)",
		  "KIND" },
		{ "cpus", 'p', POPT_ARG_STRING, &o->cpus_text, 0,
		  "number of CPUs of the guest (1)", "N" },
		{ "numa", 0, POPT_ARG_STRING, NULL, OPT_NUMA,
		  "a NUMA node of the guest: node=N,mem=SIZE[,cpus=A-B]"
		  "[,host=N]; repeat for each", "NODE" },
		{ "disk", 'd', POPT_ARG_STRING, NULL, OPT_DISK,
		  "disk image or block device; repeat for more", "FILE[,ro]" },
		{ "net", 0, POPT_ARG_STRING, &o->net_text, 0,
		  "network through a tap device", "tap=NAME" },
		{ "vsock", 0, POPT_ARG_STRING, &o->vsock, 0,
		  "unix socket to reach the guest's vsock ports", "PATH" },
		{ "cid", 0, POPT_ARG_STRING, &o->cid_text, 0,
		  "vsock address of the guest (3)", "N" },
		{ "name", 'n', POPT_ARG_STRING, &s->name, 0,
		  "name of the VM (vm-PID)", "NAME" },
		{ "socket", 's', POPT_ARG_STRING, &s->socket, 0,
		  "control and statistics socket (/run/vmm/NAME.sock)", "PATH" },
		{ "abits", 'a', POPT_ARG_STRING, &s->abits, 0,
		  "source of accessed bits: auto, none, kvm-young, damon, "
		  "page-idle, rwp[,faults=N], soft[,faults=N], "
		  "guest-pte (auto)", "SOURCE" },
		{ "reclaim", 'r', POPT_ARG_STRING, &s->reclaim_text, 0,
		  "reclaim policy: off, on, target=SIZE,period=TIME,idle=N,"
		  "cpu=PERCENT,prefetch=PAGES (off)", "POLICY" },
		{ "sink", 0, POPT_ARG_STRING, &s->sink, 0,
		  "where cold pages go: swap, store[,mem=SIZE,codec=lz4|zstd,"
		  "file=PATH|nbd=URI,size=SIZE], numa,to=NODE[,from=NODE] (swap)",
		  "SINK" },
		{ "no-agent", 0, POPT_ARG_NONE, &s->no_agent, 0,
		  "do not listen to a guest agent", NULL },
		{ "agent-record", 0, POPT_ARG_STRING, &s->agent_record, 0,
		  "record the agent's reports in a file, for replay",
		  "FILE" },
		{ "verbose", 'v', POPT_ARG_NONE, &o->verbose, 0,
		  "log more", NULL },
		POPT_AUTOHELP
		POPT_TABLEEND
	};
	poptContext popt;
	int rc;

	memset(o, 0, sizeof(*o));
	o->nr_cpus = 1;
	o->cid = DEFAULT_CID;
	s->policy = (struct engine_policy)ENGINE_POLICY_DEFAULT;
	popt = poptGetContext("vmm run", argc, (const char **)argv, table, 0);
	poptSetOtherOptionHelp(popt, "--kernel FILE [OPTION...]");
	rc = parse_options(o, popt);
	/* The table is local to this function; only the arguments remain. */
	poptFreeContext(popt);
	if (rc)
		return rc;
	if (!o->cmdline)
		o->cmdline = strdup("");
	if (!s->abits)
		s->abits = strdup(DEFAULT_ABITS);
	if (!s->sink)
		s->sink = strdup(DEFAULT_SINK);
	if (!s->name && asprintf(&s->name, "vm-%d", getpid()) < 0)
		s->name = NULL;
	if (o->cmdline && s->abits && s->sink && s->name)
		return VMM_EXIT_OK;
	log_error("not enough memory for the command line");
	return VMM_EXIT_FAILURE;
}

void run_options_free(struct run_options *o)
{
	service_options_free(&o->service);
	free(o->kernel);
	free(o->initrd);
	free(o->cmdline);
	free(o->vsock);
	free(o->mem_text);
	free(o->net_text);
	free(o->cpus_text);
	free(o->cid_text);
	for (unsigned int i = 0; i < o->nr_disks; i++)
		free(o->disks[i].path);
}
