// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/access/source.h"
#include "vmm/engine/engine.h"
#include "vmm/service/service-options.h"
#include "vmm/sink/sink.h"
#include "vmm/util/exit-status.h"
#include "vmm/util/log.h"

int service_options_check(struct service_options *o)
{
	const struct access_source_ops *source;
	const struct reclaim_sink_ops *sink;
	const char *options;
	char why[512];

	if (o->sink && sink_find(&sink, o->sink, &options, why, sizeof(why))) {
		log_error("--sink %s: %s", o->sink, why);
		return VMM_EXIT_USAGE;
	}
	if (o->abits && strcmp(o->abits, "auto") && strcmp(o->abits, "none") &&
	    access_find(&source, o->abits, why, sizeof(why))) {
		log_error("--abits %s: %s", o->abits, why);
		return VMM_EXIT_USAGE;
	}
	if (o->reclaim_text && (engine_policy_parse(o->reclaim_text, &o->policy,
						    why, sizeof(why)) ||
				engine_check_policy(&o->policy, why,
						    sizeof(why)))) {
		log_error("--reclaim %s: %s", o->reclaim_text, why);
		return VMM_EXIT_USAGE;
	}
	if (o->sink && o->abits && !strcmp(o->abits, "none"))
		log_warn("--sink %s: nothing will be evicted, as --abits none "
			 "finds no idle pages: name another source, or leave "
			 "out --sink", o->sink);
	return VMM_EXIT_OK;
}

void service_options_free(struct service_options *o)
{
	free(o->name);
	free(o->socket);
	free(o->abits);
	free(o->sink);
	free(o->agent_record);
	free(o->reclaim_text);
	free(o->backing_text);
}
