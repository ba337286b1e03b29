// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/control/inspect.h"
#include "vmm/control/resource.h"
#include "vmm/control/stat-snapshot.h"
#include "vmm/util/json-text.h"
#include "vmm/util/size.h"

static void get_vms(const struct stat_server_config *c, const char *arg,
		    const struct control_request *req, struct control_answer *a)
{
	a->json = json_pack("[{s:o, s:i, s:I, s:i, s:o}]",
		"name", json_text_new(c->name),
		"pid", (int)guest_mem_pid(c->mem),
		"memory_bytes", (json_int_t)(guest_mem_nr_pages(c->mem) *
					     VMM_PAGE_SIZE),
		"cpus", c->vm.ops ? (int)c->vm.ops->nr_cpus(c->vm.vm) : 0,
		"socket", json_text_new(c->path));
}

static void get_stats(const struct stat_server_config *c, const char *arg,
		      const struct control_request *req,
		      struct control_answer *a)
{
	struct stat_snapshot snap;

	stat_snapshot_take(c, &snap);
	a->json = stat_snapshot_json(c, &snap);
}

static void get_policy(const struct stat_server_config *c, const char *arg,
		       const struct control_request *req,
		       struct control_answer *a)
{
	struct engine_policy policy;

	if (!c->engine) {
		a->status = MHD_HTTP_CONFLICT;
		snprintf(a->why, sizeof(a->why), "this VM runs without an "
			 "access source, so it has no reclaim policy; start it "
			 "with --abits other than none");
		return;
	}
	engine_get_policy(c->engine, &policy);
	a->json = stat_policy_json(&policy);
}

/* The request's body; the caller owns it.  NULL: bad, with a->why. */
static json_t *parse_body(const struct control_request *req,
			  struct control_answer *a)
{
	json_error_t err;
	json_t *body = json_loadb(req->body, req->len, JSON_REJECT_DUPLICATES,
				  &err);

	if (!body) {
		a->status = MHD_HTTP_BAD_REQUEST;
		snprintf(a->why, sizeof(a->why), "the body is not valid JSON: "
			 "%s", err.text);
	}
	return body;
}

static void put_policy(const struct stat_server_config *c, const char *arg,
		       const struct control_request *req,
		       struct control_answer *a)
{
	struct engine_policy policy;
	json_t *obj;

	get_policy(c, arg, req, a);
	if (!a->json)
		return;
	json_decref(a->json);
	a->json = NULL;
	obj = parse_body(req, a);
	if (!obj)
		return;
	engine_get_policy(c->engine, &policy);
	if (stat_policy_from_json(obj, &policy, a->why, sizeof(a->why)) ||
	    engine_set_policy(c->engine, &policy, a->why,
			      sizeof(a->why)))
		a->status = MHD_HTTP_BAD_REQUEST;
	json_decref(obj);
	if (a->status == MHD_HTTP_OK)
		get_policy(c, arg, req, a);
}

static void get_balloon(const struct stat_server_config *c, const char *arg,
			const struct control_request *req,
			struct control_answer *a)
{
	const struct stat_balloon_provider *b = &c->balloon;
	struct stat_balloon_counters counters;

	if (!b->ops) {
		a->status = MHD_HTTP_CONFLICT;
		snprintf(a->why, sizeof(a->why), "this VM has no balloon");
		return;
	}
	b->ops->get_counters(b->balloon, &counters);
	a->json = json_pack("{s:I, s:I}",
			    "target", (json_int_t)counters.target_bytes,
			    "actual", (json_int_t)counters.actual_bytes);
}

/* Only {"target": BYTES}, at most the guest's memory; or false with a->why. */
static bool parse_balloon(const struct stat_server_config *c, json_t *obj,
			  uint64_t *target, struct control_answer *a)
{
	uint64_t mem_bytes = guest_mem_nr_pages(c->mem) * VMM_PAGE_SIZE;
	json_int_t n;

	if (json_unpack(obj, "{s:I!}", "target", &n)) {
		snprintf(a->why, sizeof(a->why), "PUT /balloon takes "
			 "{\"target\": BYTES}, the size of the balloon");
		return false;
	}
	if (n < 0 || (uint64_t)n > mem_bytes) {
		snprintf(a->why, sizeof(a->why), "target must be from 0 to "
			 "%llu bytes, the guest's memory",
			 (unsigned long long)mem_bytes);
		return false;
	}
	*target = (uint64_t)n;
	return true;
}

/* Does not wait for the guest's driver, which may be slow, or missing. */
static void put_balloon(const struct stat_server_config *c, const char *arg,
			const struct control_request *req,
			struct control_answer *a)
{
	uint64_t target;
	json_t *obj;

	get_balloon(c, arg, req, a);
	if (!a->json)
		return;
	json_decref(a->json);
	a->json = NULL;
	obj = parse_body(req, a);
	if (!obj)
		return;
	if (parse_balloon(c, obj, &target, a)) {
		c->balloon.ops->set_target(c->balloon.balloon, target);
		get_balloon(c, arg, req, a);
	} else {
		a->status = MHD_HTTP_BAD_REQUEST;
	}
	json_decref(obj);
}

static bool parse_gfn(const char *text, uint64_t *gfn, struct control_answer *a)
{
	if (number_parse(text, gfn))
		return true;
	a->status = MHD_HTTP_BAD_REQUEST;
	snprintf(a->why, sizeof(a->why), "'%.40s' is not a guest frame number",
		 text);
	return false;
}

static void get_page(const struct stat_server_config *c, const char *arg,
		     const struct control_request *req,
		     struct control_answer *a)
{
	uint64_t gfn;

	if (parse_gfn(arg, &gfn, a))
		a->json = stat_inspect_page(c, GFN(gfn), &a->status, a->why,
					    sizeof(a->why));
}

static void post_referenced(const struct stat_server_config *c, const char *arg,
			    const struct control_request *req,
			    struct control_answer *a)
{
	uint64_t gfn;

	if (parse_gfn(arg, &gfn, a))
		a->json = stat_page_referenced(c, GFN(gfn), &a->status, a->why,
					       sizeof(a->why));
}

static void get_processes(const struct stat_server_config *c, const char *arg,
			  const struct control_request *req,
			  struct control_answer *a)
{
	a->json = stat_inspect_processes(c, &a->status, a->why,
					 sizeof(a->why));
}

static bool parse_pid(const char *text, uint32_t *pid, struct control_answer *a)
{
	uint64_t n;

	if (number_parse(text, &n) && n <= UINT32_MAX) {
		*pid = n;
		return true;
	}
	a->status = MHD_HTTP_BAD_REQUEST;
	snprintf(a->why, sizeof(a->why), "'%.40s' is not a process id", text);
	return false;
}

static void get_process(const struct stat_server_config *c, const char *arg,
			const struct control_request *req,
			struct control_answer *a)
{
	uint32_t pid;

	if (!parse_pid(arg, &pid, a))
		return;
	a->json = stat_inspect_process(c, pid, &a->status, a->why,
				       sizeof(a->why));
}

/* A parameter of the query, ?name=value; "" where it is missing. */
static const char *parameter(const struct control_request *req,
			     const char *name)
{
	const char *value = MHD_lookup_connection_value(
		req->connection, MHD_GET_ARGUMENT_KIND, name);

	return value ? value : "";
}

static bool parse_address(const struct control_request *req, const char *name,
			  uint64_t *address, struct control_answer *a)
{
	const char *text = parameter(req, name);

	if (number_parse(text, address))
		return true;
	a->status = MHD_HTTP_BAD_REQUEST;
	snprintf(a->why, sizeof(a->why), "%s: '%.40s' is not an address; /map "
		 "takes ?pid=NUMBER&start=ADDRESS&end=ADDRESS", name, text);
	return false;
}

static void get_map(const struct stat_server_config *c, const char *arg,
		    const struct control_request *req, struct control_answer *a)
{
	uint64_t start, end;
	uint32_t pid;

	if (parse_pid(parameter(req, "pid"), &pid, a) &&
	    parse_address(req, "start", &start, a) &&
	    parse_address(req, "end", &end, a))
		a->json = stat_inspect_map(c, pid, start, end, &a->status,
					   a->why, sizeof(a->why));
}

/* Seconds, possibly with a fraction. */
static bool parse_window(const char *text, uint64_t *window_ns,
			 struct control_answer *a)
{
	double s, max = WSS_MAX_WINDOW_NS * 1e-9;
	char *end;

	s = strtod(text, &end);
	if (*text >= '0' && *text <= '9' && !*end && s > 0 && s <= max) {
		*window_ns = s * 1e9;
		return true;
	}
	a->status = MHD_HTTP_BAD_REQUEST;
	snprintf(a->why, sizeof(a->why), "window: '%.40s' is not a number of "
		 "seconds above 0 and up to %.0f", text, max);
	return false;
}

static void get_wss(const struct stat_server_config *c, const char *arg,
		    const struct control_request *req, struct control_answer *a)
{
	uint64_t window_ns = WSS_DEFAULT_WINDOW_NS;
	const char *window = parameter(req, "window");
	const char *pid_text = parameter(req, "pid");
	uint32_t pid;

	if ((*window && !parse_window(window, &window_ns, a)) ||
	    (*pid_text && !parse_pid(pid_text, &pid, a)))
		return;
	a->json = stat_inspect_wss(c, window_ns, *pid_text ? &pid : NULL,
				   &a->status, a->why, sizeof(a->why));
}

static const struct stat_route routes[] = {
	{ "/vms", "GET", false, get_vms },
	{ "/stats", "GET", false, get_stats },
	{ "/policy", "GET", false, get_policy },
	{ "/policy", "PUT", false, put_policy },
	{ "/balloon", "GET", false, get_balloon },
	{ "/balloon", "PUT", false, put_balloon },
	{ "/page/", "GET", true, get_page },
	{ "/referenced/", "POST", true, post_referenced },
	{ "/processes", "GET", true, get_processes },
	{ "/process/", "GET", true, get_process },
	{ "/map", "GET", true, get_map },
	{ "/wss", "GET", true, get_wss },
};

#define NR_ROUTES (sizeof(routes) / sizeof(routes[0]))

void control_answer_format(struct control_answer *a)
{
	size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(6);
	char *text;

	if (!a->json && a->status != MHD_HTTP_OK)
		a->json = json_pack("{s:o}", "error", json_text_new(a->why));
	text = a->json ? json_dumps(a->json, flags) : NULL;
	json_decref(a->json);
	a->json = NULL;
	/* A final newline, for people who use curl. */
	if (!text || asprintf(&a->text, "%s\n", text) < 0)
		a->text = NULL;
	free(text);
}

const struct stat_route *stat_find_route(const char *url, const char *method,
					 const char **arg,
					 struct control_answer *a)
{
	a->status = MHD_HTTP_NOT_FOUND;
	snprintf(a->why, sizeof(a->why), "no such resource: %.80s", url);
	for (size_t i = 0; i < NR_ROUTES; i++) {
		const struct stat_route *r = &routes[i];
		size_t n = strlen(r->path);

		if (r->path[n - 1] == '/' ? strncmp(url, r->path, n) != 0 :
					    strcmp(url, r->path) != 0)
			continue;
		if (!strcmp(method, r->method)) {
			*arg = url + n;
			a->status = MHD_HTTP_OK;
			return r;
		}
		a->status = MHD_HTTP_METHOD_NOT_ALLOWED;
		snprintf(a->why, sizeof(a->why), "%.80s does not support the "
			 "method %.16s",
			 url, method);
	}
	return NULL;
}
