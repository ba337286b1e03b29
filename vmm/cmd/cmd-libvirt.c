// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmm libvirt: prepares domains of libvirt for reclaim.
 *
 *   libvirt enable DOMAIN   adds the agent's device and the policy to its XML
 *   libvirt disable DOMAIN  removes what was added
 *   libvirt show DOMAIN     prints what was added
 */
#include "config.h"

#include <errno.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/access/source.h"
#include "vmm/cmd/cmd.h"
#include "vmm/libvirt/libvirt-domain.h"
#include "vmm/policy/policy.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/diff.h"
#include "vmm/util/log.h"
#include "vmm/util/nearest.h"

struct libvirt_args {
	char *uri, *reclaim, *abits, *agent;
	int print, yes, no_live;
	const char *verb, *domain;
	struct domain_request request;
};

#ifdef HAVE_LIBVIRT

static const char *agent_name(enum domain_agent agent)
{
	return agent == DOMAIN_AGENT_CHANNEL ? "channel" : "vsock device";
}

/* Makes the change in xml: a definition, or one for display. */
static int change(const struct libvirt_args *args, const char *xml, char **out,
		  char *why, size_t len)
{
	if (!xml) {
		*out = NULL;
		return 0;
	}
	return !strcmp(args->verb, "enable")
		       ? domain_xml_enable(xml, &args->request, out, why, len)
		       : domain_xml_disable(xml, out, why, len);
}

/* The change to a domain. */
struct job {
	struct libvirt_domain d;
	char *config, *shown;	/* those of d, changed; owned, or NULL */
	bool changes_config;
	struct domain_plan plan;
};

static int plan_live(const struct libvirt_args *args, struct job *job,
		     char *why, size_t len)
{
	struct domain_settings wanted = { 0 }, has = { 0 };
	__cleanup_free char *changed = NULL;
	int rc = 0;

	job->plan.plug = job->plan.unplug = DOMAIN_AGENT_NONE;
	if (!job->d.live || args->no_live)
		return 0;
	/* A transient domain gets what a definition of it would get. */
	if (!job->config)
		rc = change(args, job->d.live, &changed, why, len);
	if (!rc)
		rc = domain_xml_read(changed ? changed : job->config, &wanted,
				     why, len);
	if (!rc)
		rc = domain_xml_read(job->d.live, &has, why, len);
	if (!rc && domain_plan_make(&job->plan, &wanted, &has)) {
		snprintf(why, len, "out of memory");
		rc = -ENOMEM;
	}
	domain_settings_free(&wanted);
	domain_settings_free(&has);
	return rc;
}

static int prepare(const struct libvirt_args *args, struct job *job, char *why,
		   size_t len)
{
	int rc = change(args, job->d.config, &job->config, why, len);

	if (!rc)
		rc = change(args, job->d.shown, &job->shown, why, len);
	if (rc)
		return rc;
	job->changes_config = job->config &&
			      strcmp(job->config, job->d.config);
	if (!job->config && args->no_live) {
		snprintf(why, len, "domain %s is transient, it has no "
			 "persistent definition: leave out --no-live to change "
			 "the running domain",
			 job->d.name);
		return -EINVAL;
	}
	return plan_live(args, job, why, len);
}

static int print_job(const struct job *job)
{
	__cleanup_free char *diff = NULL;

	if (job->changes_config) {
		diff = diff_unified(job->d.shown, job->shown);
		if (!diff)
			return -ENOMEM;
		printf("--- %s, as it is defined\n+++ %s, as it will be\n%s",
		       job->d.name, job->d.name, diff);
	}
	if (!job->config)
		printf("domain %s is transient: only the running domain can be "
		       "changed\n", job->d.name);
	if (job->plan.unplug != DOMAIN_AGENT_NONE)
		printf("running: unplug the %s\n",
		       agent_name(job->plan.unplug));
	if (job->plan.plug != DOMAIN_AGENT_NONE)
		printf("running: plug a %s\n", agent_name(job->plan.plug));
	if (job->plan.set_metadata)
		printf("running: %s the metadata\n",
		       job->plan.metadata ? "set" : "remove");
	if (job->plan.later)
		printf("running: no channel until the domain is restarted: "
		       "%s\n",
		       job->plan.later);
	return fflush(stdout) ? -errno : 0;
}

static bool is_agreed(const struct job *job)
{
	char answer[16];

	if (!isatty(STDIN_FILENO)) {
		log_error("standard input is not a terminal, so confirmation "
			  "is not possible: use --yes to apply the change, or "
			  "--print to only show it");
		return false;
	}
	printf("Apply this change to domain %s? [y/N] ", job->d.name);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) &&
	       (*answer == 'y' || *answer == 'Y');
}

static int carry_out(struct job *job, char *why, size_t len)
{
	int rc = 0;

	if (job->changes_config)
		rc = libvirt_domain_define(&job->d, job->config, why, len);
	if (rc)
		return rc;
	if (job->changes_config)
		printf("the definition of domain %s was changed\n",
		       job->d.name);
	if (domain_plan_is_empty(&job->plan))
		return 0;
	rc = libvirt_domain_carry_out(&job->d, &job->plan, why, len);
	if (!rc) {
		printf("the running domain was changed\n");
	} else if (job->changes_config) {
		/* The definition is changed: it applies from the next start. */
		log_warn("%s; the change takes effect at the domain's next "
			 "start", why);
		rc = 0;
	}
	return rc;
}

static int run_change(const struct libvirt_args *args)
{
	struct job job = { 0 };
	int status = VMM_EXIT_FAILURE;
	char why[512];

	if (libvirt_domain_open(&job.d, args->uri, args->domain, args->print,
				why, sizeof(why))) {
		log_error("%s", why);
		return status;
	}
	if (prepare(args, &job, why, sizeof(why))) {
		log_error("%s", why);
	} else if (!job.changes_config && domain_plan_is_empty(&job.plan)) {
		printf("domain %s: nothing to change\n", job.d.name);
		if (job.plan.later)
			printf("running: no channel until the domain is "
			       "restarted: %s\n", job.plan.later);
		status = VMM_EXIT_OK;
	} else if (print_job(&job)) {
		log_error("cannot print the change");
	} else if (args->print) {
		status = VMM_EXIT_OK;
	} else if (args->yes || is_agreed(&job)) {
		if (carry_out(&job, why, sizeof(why)))
			log_error("%s", why);
		else
			status = VMM_EXIT_OK;
	} else {
		printf("domain %s was not changed\n", job.d.name);
	}
	domain_plan_free(&job.plan);
	free(job.config);
	free(job.shown);
	libvirt_domain_close(&job.d);
	return status;
}

static void print_settings(const char *what, const char *xml)
{
	struct domain_settings s;
	char why[256];

	if (!xml) {
		printf("%-9s no\n", what);
		return;
	}
	if (domain_xml_read(xml, &s, why, sizeof(why))) {
		printf("%-9s cannot be parsed: %s\n", what, why);
		return;
	}
	printf("%-9s reclaim %s", what, s.is_enabled ? "enabled" :
						       "not enabled");
	if (s.is_enabled)
		printf(", policy %s, abits %s", s.policy ? s.policy : "default",
		       s.abits ? s.abits : "auto");
	printf("; agent: %s%s%s\n", s.has_channel ? "channel " : "",
	       s.has_vsock ? "vsock" : "",
	       s.has_channel || s.has_vsock ? "" : "no device");
	if (s.channel_path)
		printf("%-9s %s\n", "socket", s.channel_path);
	domain_settings_free(&s);
}

static int run_show(const struct libvirt_args *args)
{
	struct libvirt_domain d;
	char why[512];

	if (libvirt_domain_open(&d, args->uri, args->domain, true, why,
				sizeof(why))) {
		log_error("%s", why);
		return VMM_EXIT_FAILURE;
	}
	printf("%-9s %s\n", "domain", d.name);
	print_settings("defined", d.config);
	print_settings("running", d.live);
	libvirt_domain_close(&d);
	return VMM_EXIT_OK;
}

static int run(const struct libvirt_args *args)
{
	return !strcmp(args->verb, "show") ? run_show(args) : run_change(args);
}

#else

static int run(const struct libvirt_args *args)
{
	log_error("%s", LIBVIRT_CONN_MISSING);
	return VMM_EXIT_FAILURE;
}

#endif

/* Rejects now what `vmm attach` would reject later. */
static int check_request(struct libvirt_args *args)
{
	static const char *const agents[] = { "none", "channel", "vsock" };
	struct engine_policy policy = ENGINE_POLICY_DEFAULT;
	const struct access_source_ops *ops;
	char why[512];

	args->request = (struct domain_request){ .policy = args->reclaim,
						 .abits = args->abits };
	if (args->reclaim &&
	    engine_policy_parse(args->reclaim, &policy, why, sizeof(why))) {
		log_error("--reclaim: %s", why);
		return VMM_EXIT_USAGE;
	}
	if (args->abits && strcmp(args->abits, "auto") &&
	    access_find(&ops, args->abits, why, sizeof(why))) {
		log_error("--abits: %s", why);
		return VMM_EXIT_USAGE;
	}
	for (size_t i = 0; args->agent && i < 3; i++)
		if (!strcmp(args->agent, agents[i]))
			args->request.agent = DOMAIN_AGENT_NONE + i;
	if (args->agent && args->request.agent == DOMAIN_AGENT_KEEP) {
		log_error("--agent %s: expected channel, vsock or none",
			  args->agent);
		return VMM_EXIT_USAGE;
	}
	return VMM_EXIT_OK;
}

static int check_verb(const char *verb)
{
	static const char *const verbs[] = { "enable", "disable", "show" };
	struct nearest n = { .word = verb };
	char hint[64];

	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (!strcmp(verb, verbs[i]))
			return 0;
		nearest_try(&n, verbs[i]);
	}
	log_error("libvirt: unknown verb '%s': expected enable, disable or "
		  "show%s", verb,
		  nearest_hint(&n, hint, sizeof(hint)));
	return VMM_EXIT_USAGE;
}

static int check(struct libvirt_args *args, poptContext popt)
{
	bool enables;

	args->verb = poptGetArg(popt);
	args->domain = poptGetArg(popt);
	if (args->verb && check_verb(args->verb))
		return VMM_EXIT_USAGE;
	if (!args->domain || poptPeekArg(popt)) {
		poptPrintUsage(popt, stderr, 0);
		return VMM_EXIT_USAGE;
	}
	enables = !strcmp(args->verb, "enable");
	if (!enables && (args->reclaim || args->abits || args->agent)) {
		log_error("--reclaim, --abits and --agent only apply to "
			  "enable");
		return VMM_EXIT_USAGE;
	}
	if (!strcmp(args->verb, "show") &&
	    (args->print || args->yes || args->no_live)) {
		log_error("--print, --yes and --no-live do not apply to show");
		return VMM_EXIT_USAGE;
	}
	return check_request(args);
}

int cmd_libvirt(int argc, char **argv)
{
	struct libvirt_args args = { 0 };
	int rc;
	const struct poptOption table[] = {
		{ "connect", 'c', POPT_ARG_STRING, &args.uri, 0,
		  "URI of libvirt (its default)", "URI" },
		{ "reclaim", 'r', POPT_ARG_STRING, &args.reclaim, 0,
		  "enable: the policy, as for vmm run", "POLICY" },
		{ "abits", 'a', POPT_ARG_STRING, &args.abits, 0,
		  "enable: the source of accessed bits (auto)", "SOURCE" },
		{ "agent", 0, POPT_ARG_STRING, &args.agent, 0,
		  "enable: how the agent reaches the host: channel, vsock, none "
		  "(channel)", "DEVICE" },
		{ "print", 'p', POPT_ARG_NONE, &args.print, 0,
		  "only show the change", NULL },
		{ "yes", 'y', POPT_ARG_NONE, &args.yes, 0,
		  "do not ask for confirmation", NULL },
		{ "no-live", 0, POPT_ARG_NONE, &args.no_live, 0,
		  "do not change the running domain, only its definition",
		  NULL },
		POPT_AUTOHELP
		POPT_TABLEEND
	};
	poptContext popt = poptGetContext(argv[0], argc, (const char **)argv,
					  table, 0);

	poptSetOtherOptionHelp(popt, "[OPTION...] enable DOMAIN | "
			       "disable DOMAIN | show DOMAIN");
	rc = cmd_next_option(popt, table);
	if (rc < -1) {
		rc = cmd_bad_option(popt, rc);
	} else {
		rc = check(&args, popt);
	}
	if (!rc)
		rc = run(&args);
	free(args.uri);
	free(args.reclaim);
	free(args.abits);
	free(args.agent);
	poptFreeContext(popt);
	return rc;
}
