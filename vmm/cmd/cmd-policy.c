// SPDX-License-Identifier: GPL-2.0-or-later
/* vmm policy: show or change the reclaim policy of a running VM. */
#include "config.h"

#include <stdio.h>

#include "vmm/cmd/cmd-client.h"
#include "vmm/cmd/cmd.h"
#include "vmm/control/stat-snapshot.h"
#include "vmm/policy/policy.h"
#include "vmm/util/log.h"
#include "vmm/util/size.h"

static void print_policy(const struct engine_policy *p)
{
	char a[16];

	printf("reclaim  %s\n", p->enabled ? "on" : "off");
	printf("target   %s\n", p->target_bytes ?
	       size_format(p->target_bytes, a, sizeof(a)) : "none");
	printf("period   %u ms\n", p->scan_period_ms);
	printf("idle     %u scans\n", p->min_idle_scans);
	printf("cpu      %u %%\n", p->cpu_percent);
	if (p->hard)
		printf("hard     on\n");
	for (unsigned int i = 0; i < GUEST_NUMA_NODES; i++)
		if (p->node_target_bytes[i])
			printf("node%u    %s\n", i,
			       size_format(p->node_target_bytes[i], a,
					   sizeof(a)));
	if (p->prefetch_pages)
		printf("prefetch %u pages\n", p->prefetch_pages);
	if (p->proactive_ppm)
		printf("proactive %g %% of the working set per minute\n",
		       p->proactive_ppm / 1e4);
	if (p->psi_limit)
		printf("psi      %g %%\n", p->psi_limit / 100.0);
	if (p->io_bytes)
		printf("io       %s per second\n",
		       size_format(p->io_bytes, a, sizeof(a)));
	if (p->low_bytes)
		printf("low      %s available on the host\n",
		       size_format(p->low_bytes, a, sizeof(a)));
	if (p->high_bytes)
		printf("high     %s available on the host\n",
		       size_format(p->high_bytes, a, sizeof(a)));
}

/*
 * Sends what text, an argument, changes, and nothing else: another program may
 * change the rest.  An exit status; *answer: the new policy, which the caller
 * frees.
 */
static int put(struct client *c, const json_t *current, const char *text,
	       json_t **answer)
{
	struct engine_policy policy = ENGINE_POLICY_DEFAULT;
	json_t *body;
	char why[512];

	if (stat_policy_from_json(current, &policy, why, sizeof(why))) {
		log_error("%s: the answer is not a valid policy: %s",
			  c->path, why);
		return VMM_EXIT_FAILURE;
	}
	body = stat_policy_changes_json(&policy, text, why, sizeof(why));
	if (!body) {
		log_error("%s", why);
		return VMM_EXIT_USAGE;
	}
	*answer = client_request(c, "/policy", body);
	json_decref(body);
	return *answer ? VMM_EXIT_OK : VMM_EXIT_FAILURE;
}

int cmd_policy(int argc, char **argv)
{
	struct client c = { 0 };
	struct engine_policy policy = ENGINE_POLICY_DEFAULT;
	json_t *j = NULL, *changed = NULL;
	const char *text;
	char why[512];
	int rc;
	const struct poptOption options[] = {
		CLIENT_OPTIONS(&c),
		POPT_AUTOHELP
		POPT_TABLEEND
	};

	rc = client_open(&c, options, argc, argv,
			 "[OPTION...] [off|on|KEY=VALUE[,KEY=VALUE...]]", 0, 1);
	if (rc)
		goto out;
	rc = VMM_EXIT_FAILURE;
	j = client_request(&c, "/policy", NULL);
	if (!j)
		goto out;
	text = poptGetArg(c.popt);
	if (text) {
		rc = put(&c, j, text, &changed);
		json_decref(j);
		j = changed;
		if (rc)
			goto out;
		rc = VMM_EXIT_FAILURE;
	}
	if (c.json) {
		client_print_json(j);
	} else if (stat_policy_from_json(j, &policy, why, sizeof(why))) {
		log_error("%s: the answer is not a valid policy: %s",
			  c.path, why);
		goto out;
	} else {
		print_policy(&policy);
	}
	rc = VMM_EXIT_OK;
out:
	json_decref(j);
	client_close(&c);
	return rc;
}
