// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cmd/cmd.h"
#include "vmm/cmd/run-options.h"
#include "vmm/kvm/vm.h"
#include "vmm/util/log.h"
#include "vmm/util/size.h"

#define DEFAULT_MEM  (UINT64_C(512) << 20)
#define MIN_MEM	     (UINT64_C(16) << 20)
#define DEFAULT_CID  3		/* the lowest that a guest can have */
#define DEFAULT_ABITS "auto"
#define DEFAULT_SINK  "swap"
#define DISK_KIND     "FILE[,ro]"
#define DISK_WHAT     "disk image or block device; repeat for more"

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
	return cmd_check_named("disk", DISK_KIND, DISK_WHAT, text);
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

static const char *const backings[] = {
	"anon", "thp", "memfd", "memfd-thp", "hugetlb", "hugetlb=2M",
	"hugetlb=1G", "small", NULL,
};

static int parse_backing(const char *text, void *to)
{
	static const enum guest_mem_backing backing_of[] = {
		GUEST_MEM_ANON, GUEST_MEM_THP, GUEST_MEM_MEMFD,
		GUEST_MEM_MEMFD_THP, GUEST_MEM_HUGETLB, GUEST_MEM_HUGETLB, GUEST_MEM_HUGETLB_1G,
	};
	struct run_options *o = to;

	for (size_t i = 0; backings[i]; i++)
		if (!strcmp(text, backings[i])) {
			o->service.small_pages = !strcmp(text, "small");
			if (!o->service.small_pages)
				o->service.backing = backing_of[i];
			return 0;
		}
	return -EINVAL;
}

static const struct key option_keys[] = {
	{ "--mem", KEY_SIZE, KEY_MEMBER(struct run_options, mem_bytes),
	  .min = MIN_MEM },
	{ "--mem-backing", KEY_OTHER, .parse = parse_backing, .words = backings,
	  .expects = "anon (4 KiB pages), thp (huge pages), memfd (shared "
		     "4 KiB pages), memfd-thp (shared huge pages), "
		     "hugetlb[=2M|1G] (pages of the host's pool) or small "
		     "(4 KiB pages, anon or memfd)" },
	{ "--cpus", KEY_NUMBER, KEY_MEMBER(struct run_options, nr_cpus),
	  .min = 1, .max = VM_MAX_CPUS, .unit = "CPUs" },
	{ "--cid", KEY_NUMBER, KEY_MEMBER(struct run_options, cid),
	  .min = DEFAULT_CID },
	{ .name = NULL },
};

static const struct key net_keys[] = {
	{ "tap", KEY_TEXT, KEY_MEMBER(struct run_options, tap) },
	{ .name = NULL },
};

static int check_memory(struct run_options *o)
{
	uint64_t host = (uint64_t)sysconf(_SC_PHYS_PAGES) *
			sysconf(_SC_PAGESIZE);
	char a[16], b[16];
	int rc;

	o->mem_bytes = o->numa.nr ? guest_numa_bytes(&o->numa) : DEFAULT_MEM;
	rc = cmd_set_option(option_keys, "--mem", o->mem_text, o);
	if (rc)
		return rc;
	if (o->mem_bytes < MIN_MEM) {
		log_error("--numa: a guest needs 16M or more in all");
		return VMM_EXIT_USAGE;
	}
	if (o->mem_bytes > host) {
		log_error("%s %s: the host has %s, and a guest cannot have "
			  "more than the host",
			  o->mem_text || !o->numa.nr ? "--mem" : "--numa",
			  o->mem_text ? o->mem_text :
			  size_format(o->mem_bytes, b, sizeof(b)),
			  size_format(host, a, sizeof(a)));
		return VMM_EXIT_FAILURE;
	}
	return VMM_EXIT_OK;
}

static int check_net(struct run_options *o)
{
	char why[256];

	if (!o->net_text || !key_list_cut(net_keys, o->net_text, o, why,
					  sizeof(why)))
		return VMM_EXIT_OK;
	log_error("--net: %s; give tap=NAME, the name of a tap device", why);
	return VMM_EXIT_USAGE;
}

/* The guest must have the nodes for which there are targets. */
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
		rc = cmd_set_option(option_keys, "--mem-backing",
				    o->service.backing_text, o);
	if (!rc)
		rc = check_net(o);
	if (!rc)
		rc = cmd_set_option(option_keys, "--cpus", o->cpus_text, o);
	if (!rc)
		rc = cmd_set_option(option_keys, "--cid", o->cid_text, o);
	if (rc)
		return rc;
	if (guest_numa_check(&o->numa, o->mem_bytes, o->nr_cpus, why,
			     sizeof(why))) {
		log_error("--numa: %s", why);
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

static int parse_options(struct run_options *o, poptContext popt,
			 const struct poptOption *table)
{
	const char *extra;
	int rc, opt;

	while ((opt = cmd_next_option(popt, table)) > 0) {
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
		  "type of guest memory: anon, thp, memfd, memfd-thp, "
		  "hugetlb[=2M|1G], small (huge pages, of the type that "
		  "--abits needs)",
		  "KIND" },
		{ "cpus", 'p', POPT_ARG_STRING, &o->cpus_text, 0,
		  "number of CPUs of the guest (1)", "N" },
		{ "numa", 0, POPT_ARG_STRING, NULL, OPT_NUMA,
		  "a NUMA node of the guest: node=N,mem=SIZE[,cpus=A-B]"
		  "[,host=N]; repeat for each", "NODE" },
		{ "disk", 'd', POPT_ARG_STRING, NULL, OPT_DISK,
		  DISK_WHAT, DISK_KIND },
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
	rc = parse_options(o, popt, table);
	/* It refers to the table, which is local; the values remain. */
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
