// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-agent/protocol.h"
#include "vmm/access/source.h"
#include "vmm/control/server.h"
#include "vmm/dev/device.h"
#include "vmm/engine/engine.h"
#include "vmm/guest/agent-server.h"
#include "vmm/guest/guest-harvest.h"
#include "vmm/guest/view.h"
#include "vmm/kvm/vm.h"
#include "vmm/service/providers.h"
#include "vmm/service/service.h"
#include "vmm/service/service-options.h"
#include "vmm/sink/sink.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/rundir.h"

/*
 * No source works, because of rc and `reasons`.  A guest runs without accessed
 * bits, too: this is an error, rc with why, only if the user requested reclaim
 * or named a source.
 */
static int without_source(const struct service_options *o, int rc,
			  const char *reasons, char *why, size_t len)
{
	if (strcmp(o->abits, "auto") || o->policy.enabled) {
		snprintf(why, len, "no source of accessed bits works: %s (to "
			 "examine this host: vmm doctor)", reasons);
		return rc;
	}
	log_warn("running without accessed bits, so without reclaim: %s (to "
		 "examine this host: vmm doctor)", reasons);
	return 0;
}

static enum access_memory memory_kind(enum guest_mem_backing backing,
				      const char *sink)
{
	enum access_memory kind = ACCESS_MEMORY_PLAIN;
	const struct reclaim_sink_ops *ops;
	const char *options;
	char why[256];

	if (backing == GUEST_MEM_HUGETLB || backing == GUEST_MEM_HUGETLB_1G)
		kind |= ACCESS_MEMORY_HUGETLB;
	/* A bad name or option is reported when the sink is opened. */
	if (!sink_find(&ops, sink, &options, why, sizeof(why)) &&
	    ops->serves_faults)
		kind |= ACCESS_MEMORY_SERVED;
	return kind;
}

static bool is_given(const struct service_options *o)
{
	return o->backing_text && !o->small_pages;
}

/*
 * Unless the type of memory is given: huge pages, of the type that the source
 * needs.  Sinks other than the default handle each page by itself.
 */
static enum guest_mem_backing default_backing(const struct service_options *o,
					      enum guest_mem_backing needed)
{
	if (o->small_pages || strcmp(o->sink, sink_swap.name))
		return needed;
	return needed == GUEST_MEM_MEMFD ? GUEST_MEM_MEMFD_THP : GUEST_MEM_THP;
}

int service_choose_source(struct service *s, const struct service_options *o,
			  enum guest_mem_backing *backing, char *why,
			  size_t len)
{
	char reasons[1024];
	int rc;

	*backing = is_given(o) ? o->backing :
		   default_backing(o, GUEST_MEM_ANON);
	if (!strcmp(o->abits, "none")) {
		if (!o->policy.enabled)
			return 0;
		snprintf(why, len, "--reclaim needs a source of accessed bits, "
			 "but --abits is none: name another source, or auto");
		return -EINVAL;
	}
	if (!strcmp(o->abits, "auto"))
		rc = access_choose(&s->source_ops,
				   memory_kind(*backing, o->sink), reasons,
				   sizeof(reasons));
	else
		rc = access_find(&s->source_ops, o->abits, reasons,
				 sizeof(reasons));
	if (rc)
		return without_source(o, rc, reasons, why, len);
	if (!is_given(o))
		*backing = default_backing(o, s->source_ops->backing);
	return 0;
}

/* For "auto": the first source that works with this memory, by its probe. */
static int choose_by_probe(struct service *s, const struct service_parts *parts,
			   char *why, size_t len)
{
	const struct access_target target = {
		.mem = parts->mem, .vm_fd = parts->vm_fd,
	};
	size_t used = 0;

	snprintf(why, len, "there is no source");
	for (size_t i = 0; access_sources[i]; i++) {
		const struct access_source_ops *ops = access_sources[i];
		char reason[256] = "";

		if (ops->by_name_only)
			continue;
		if (!ops->probe(&target, reason, sizeof(reason))) {
			s->source_ops = ops;
			return 0;
		}
		if (used < len)
			used += snprintf(why + used, len - used, "%s%s: %s",
					 used ? "; " : "", ops->name, reason);
	}
	return -ENODEV;
}

int service_choose_source_for(struct service *s,
			      const struct service_options *o,
			      const struct service_parts *parts, char *why,
			      size_t len)
{
	enum guest_mem_backing backing;
	char reasons[1024];
	int rc;

	if (strcmp(o->abits, "auto"))
		return service_choose_source(s, o, &backing, why, len);
	rc = choose_by_probe(s, parts, reasons, sizeof(reasons));
	return rc ? without_source(o, rc, reasons, why, len) : 0;
}

static int open_source(struct service *s, const struct service_options *o,
		       const struct service_parts *parts, char *why, size_t len)
{
	char reasons[768];
	int rc;

	if (!s->source_ops)
		return 0;
	s->target = calloc(1, sizeof(*s->target));
	s->guest = calloc(1, sizeof(*s->guest));
	if (!s->target || !s->guest) {
		snprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	s->target->mem = parts->mem;
	s->target->vm_fd = parts->vm_fd;
	*s->guest = (struct access_guest){ guest_harvest, s->view };
	/* Guest page tables can be read only in our own memory. */
	s->target->guest = o->no_agent || !parts->vm ? NULL : s->guest;
	rc = access_open(&s->source, strcmp(o->abits, "auto") ? o->abits :
			 s->source_ops->name, s->target, reasons,
			 sizeof(reasons));
	return rc ? without_source(o, rc, reasons, why, len) : 0;
}

static int open_sink(struct service *s, const struct service_options *o,
		     const struct service_parts *parts, char *why, size_t len)
{
	const struct reclaim_sink_ops *ops = NULL;
	const char *options;
	int rc = sink_find(&ops, o->sink, &options, why, len);

	if (!rc)
		rc = ops->open(&s->sink, parts->mem, options, why, len);
	/* Only the default, swap, may fail: others have been requested. */
	if (!rc || o->policy.enabled || ops != &sink_swap)
		return rc;
	log_warn("page ages are tracked, but nothing can be evicted: %s (to "
		 "examine this host: vmm doctor)", why);
	return 0;
}

static int drop_cache(void *ctx, uint64_t nr_bytes)
{
	struct service *s = ctx;

	return s->agent ? agent_server_drop_cache(s->agent, nr_bytes) :
			  -ENOTCONN;
}

static int give_free(void *ctx, uint64_t nr_bytes)
{
	struct service *s = ctx;

	return virtio_balloon_inflate_and_deflate(s->balloon, nr_bytes);
}

static int start_engine(struct service *s, const struct service_options *o,
			const struct service_parts *parts, char *why,
			size_t len)
{
	struct engine_config config = {
		.mem = parts->mem, .view = s->view, .source = s->source,
		.sink = s->sink, .policy = o->policy,
		.numa = parts->vm ? vm_numa(parts->vm) : NULL,
	};
	int rc;

	s->guest_ops = malloc(sizeof(*s->guest_ops));
	if (!s->guest_ops) {
		snprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	*s->guest_ops = (struct engine_guest){
		.drop_cache = drop_cache,
		/* Pages of the host's hugetlb pool cannot be discarded. */
		.give_free = s->balloon && !guest_mem_is_hugetlb(parts->mem) ?
				     give_free : NULL,
		.ctx = s,
	};
	config.guest = s->guest_ops;
	rc = engine_new(&s->engine, &config);

	if (rc == -EINVAL)
		snprintf(why, len, "--reclaim %s: a value is out of range; see "
			 "vmm-policy(1)", o->reclaim_text);
	else if (rc)
		snprintf(why, len, "cannot start the reclaim engine: %s",
			 error_text(-rc));
	return rc;
}

static int start_server(struct service *s, const struct service_options *o,
			const struct service_parts *parts, char *why,
			size_t len)
{
	char path[108];
	struct stat_server_config config = {
		.path = o->socket, .name = o->name, .mem = parts->mem,
		.view = s->view, .engine = s->engine, .sink = s->sink,
		.vm = service_vm_provider(parts->vm),
		.balloon = service_balloon_provider(parts->balloon),
	};
	int rc;

	if (!o->socket) {
		rc = rundir_socket_path(o->name, path, sizeof(path));
		if (rc == -EINVAL || rc == -ENAMETOOLONG) {
			snprintf(why, len, RUNDIR_BAD_NAME "; choose another "
				 "with --name, or a path with --socket",
				 o->name);
			return rc;
		}
		if (rc) {
			snprintf(why, len, "cannot use the default path of the "
				 "socket of '%s': %s; name a path with "
				 "--socket", o->name,
				 error_text(-rc));
			return rc;
		}
		config.path = path;
	}
	return stat_server_new(&s->server, &config, why, len);
}

static int start_agent_server(struct service *s, struct virtio_vsock *vsock,
			      char *why, size_t len)
{
	int rc = agent_server_new(&s->agent, s->view);

	if (!rc && vsock)
		rc = virtio_vsock_listen(vsock, VMM_AGENT_VSOCK_PORT,
					 agent_server_accept, s->agent);
	if (rc)
		snprintf(why, len, "cannot listen for the guest agent: %s",
			 error_text(-rc));
	return rc;
}

int service_start(struct service *s, const struct service_options *o,
		  const struct service_parts *parts, char *why, size_t len)
{
	int rc = view_new(&s->view, parts->mem);

	s->balloon = parts->balloon;
	if (rc) {
		snprintf(why, len, "not enough memory for the reverse map");
		return rc;
	}
	rc = o->agent_record ? view_record(s->view, o->agent_record) : 0;
	if (rc) {
		snprintf(why, len, "--agent-record %s: %s", o->agent_record,
			 error_text(-rc));
		return rc;
	}
	rc = o->no_agent ? 0 : start_agent_server(s, parts->vsock, why, len);
	/* Before the source, as open() of the sink requires. */
	if (!rc && s->source_ops)
		rc = open_sink(s, o, parts, why, len);
	if (!rc)
		rc = open_source(s, o, parts, why, len);
	if (!rc && s->source)
		rc = start_engine(s, o, parts, why, len);
	if (!rc)
		rc = start_server(s, o, parts, why, len);
	return rc;
}

void service_stop(struct service *s)
{
	stat_server_free(s->server);
	engine_free(s->engine);
	if (s->source)
		access_close(s->source);
	agent_server_free(s->agent);
	view_free(s->view);
	free(s->target);
	free(s->guest);
	free(s->guest_ops);
}

void service_close_sink(struct service *s)
{
	if (s->sink)
		s->sink->ops->close(s->sink);
}
