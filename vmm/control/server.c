// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The socket and its routes.  libmicrohttpd's one thread serves all connections
 * and quick requests; requests that examine much of the guest are handled by
 * another thread, with the connection suspended, like an empty /events stream.
 */
#include "config.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/control/connections.h"
#include "vmm/control/events.h"
#include "vmm/control/jobs.h"
#include "vmm/control/resident-count.h"
#include "vmm/control/resource.h"
#include "vmm/control/server.h"
#include "vmm/control/stat-snapshot.h"
#include "vmm/util/error-text.h"
#include "vmm/util/fd-limit.h"
#include "vmm/util/listen.h"

#define MAX_CONNECTIONS 64
/*
 * 1/4 of the free descriptors may be used for open connections: as many more
 * may be closing, and half is left for other uses.
 */
#define SHARE_OF_FDS	4
#define IDLE_S		20
#define HEADER_BYTES	(32u << 10)
#define IS_TOO_LONG	"the body is longer than 65536 bytes"

_Static_assert(STAT_MAX_BODY == 65536, "IS_TOO_LONG says so");

#define METRICS_TYPE \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

struct stat_server {
	struct stat_server_config config;
	char *path, *name;		/* owned */
	int listen_fd;			/* closed by the daemon */
	struct MHD_Daemon *daemon;
	struct event_hub *hub;
	struct stat_jobs *jobs;
	struct connections connections;	/* of the daemon's thread */
};

static void enter(struct stat_server *s, struct MHD_Connection *c,
		  enum connection_state state)
{
	connections_enter(&s->connections, c, state);
}

static enum MHD_Result respond(struct MHD_Connection *c, unsigned int status,
			       struct MHD_Response *response, const char *type)
{
	enum MHD_Result rc;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	rc = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result respond_text(struct MHD_Connection *c,
				    unsigned int status, char *text,
				    const char *type)
{
	struct MHD_Response *r;

	if (!text)
		return MHD_NO;
	r = MHD_create_response_from_buffer(strlen(text), text,
					    MHD_RESPMEM_MUST_FREE);
	if (!r)
		free(text);
	return respond(c, status, r, type);
}

static enum MHD_Result respond_answer(struct MHD_Connection *c,
				      struct control_answer *a)
{
	char *text = a->text;

	a->text = NULL;
	return respond_text(c, a->status, text, "application/json");
}

static enum MHD_Result respond_json(struct MHD_Connection *c,
				    struct control_answer *a)
{
	control_answer_format(a);
	return respond_answer(c, a);
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned int status,
			      const char *why)
{
	struct control_answer a = { .status = status };

	snprintf(a.why, sizeof(a.why), "%s", why);
	return respond_json(c, &a);
}

static enum MHD_Result respond_events(struct stat_server *s,
				      struct MHD_Connection *c)
{
	struct MHD_Response *r = NULL;
	int rc = event_hub_subscribe(s->hub, c, &r);

	if (rc == -EBUSY)
		return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many "
			      "clients read /events already; end one of them");
	/* No timeout: a reader that stops loses lines, and may go on later. */
	MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
	enter(s, c, CONNECTION_BUSY);
	return respond(c, MHD_HTTP_OK, r, "application/jsonl");
}

static enum MHD_Result start_job(struct stat_server *s,
				 struct MHD_Connection *c,
				 const struct stat_route *route,
				 const char *arg, struct control_request *req)
{
	struct stat_job *job = calloc(1, sizeof(*job));

	if (!job)
		return MHD_NO;
	job->route = route;
	job->arg = arg;
	job->request = req;
	job->answer.status = MHD_HTTP_OK;
	req->job = job;
	enter(s, c, CONNECTION_BUSY);
	if (stat_jobs_add(s->jobs, job, connection_fd(c)))
		return MHD_YES;
	enter(s, c, CONNECTION_READS);
	return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many long requests "
		      "are queued already; retry later");
}

static enum MHD_Result handle(struct stat_server *s, struct MHD_Connection *c,
			      const char *url, const char *method,
			      struct control_request *req)
{
	struct control_answer a = { .status = MHD_HTTP_OK };
	bool get = !strcmp(method, "GET");
	const struct stat_route *route;
	struct stat_snapshot snap;
	const char *arg;

	enter(s, c, CONNECTION_READS);
	if (get && !strcmp(url, "/metrics")) {
		stat_snapshot_take(&s->config, &snap);
		return respond_text(c, MHD_HTTP_OK,
				    stat_snapshot_metrics(&s->config, &snap),
				    METRICS_TYPE);
	}
	if (get && !strcmp(url, "/events"))
		return respond_events(s, c);
	route = stat_find_route(url, method, &arg, &a);
	if (route && route->is_long)
		return start_job(s, c, route, arg, req);
	if (route)
		route->answer(&s->config, arg, req, &a);
	return respond_json(c, &a);
}

/* By Content-Length.  A chunked body has none: take_body() checks it. */
static bool says_too_long(struct MHD_Connection *c)
{
	const char *len = MHD_lookup_connection_value(
		c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return len && strtoull(len, NULL, 10) > STAT_MAX_BODY;
}

/* The header is complete.  An answer before the body ends the connection. */
static enum MHD_Result begin_request(struct stat_server *s,
				     struct MHD_Connection *c, void **con_cls)
{
	struct control_request *req;

	if (says_too_long(c)) {
		enter(s, c, CONNECTION_READS);
		return refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, IS_TOO_LONG);
	}
	enter(s, c, CONNECTION_SENDS);
	*con_cls = req = calloc(1, sizeof(*req));
	if (!req)
		return MHD_NO;
	req->connection = c;
	return MHD_YES;
}

static enum MHD_Result take_body(struct control_request *req, const char *data,
				 size_t *data_len)
{
	if (*data_len > STAT_MAX_BODY - req->len) {
		/* The library accepts no answer in the middle of a body. */
		connection_refuse(connection_fd(req->connection),
				  "413 Content Too Large", IS_TOO_LONG);
		return MHD_NO;
	}
	memcpy(req->body + req->len, data, *data_len);
	req->len += *data_len;
	*data_len = 0;
	return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *data_len, void **con_cls)
{
	struct control_request *req = *con_cls;

	if (!req)
		return begin_request(arg, c, con_cls);
	if (*data_len)
		return take_body(req, data, data_len);
	if (req->job) {
		enter(arg, c, CONNECTION_READS);
		return respond_answer(c, &req->job->answer);
	}
	return handle(arg, c, url, method, req);
}

static void on_completed(void *arg, struct MHD_Connection *c, void **con_cls,
			 enum MHD_RequestTerminationCode code)
{
	struct control_request *req = *con_cls;

	enter(arg, c, CONNECTION_IDLE);
	if (req && req->job)
		free(req->job->answer.text);
	if (req)
		free(req->job);
	free(req);
	*con_cls = NULL;
}

static void on_scan(const struct engine_stats *stats, void *arg)
{
	struct stat_server *s = arg;
	struct stat_snapshot snap;
	char *text, *line;
	json_t *json;

	if (!event_hub_has_readers(s->hub))
		return;
	stat_snapshot_take(&s->config, &snap);
	snap.engine = *stats;
	json = stat_snapshot_json(&s->config, &snap);
	text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6)) :
		      NULL;
	if (text && asprintf(&line, "%s\n", text) >= 0) {
		event_hub_publish(s->hub, line);
		free(line);
	}
	free(text);
	json_decref(json);
}

/*
 * Fewer than MAX_CONNECTIONS if few descriptors are left: a connection that
 * cannot be accepted, for lack of one, would not make another one close.
 */
static unsigned int max_connections(void)
{
	unsigned int max = fd_limit_left() / SHARE_OF_FDS;

	return max < 1 ? 1 : max > MAX_CONNECTIONS ? MAX_CONNECTIONS : max;
}

int stat_server_new(struct stat_server **sp,
		    const struct stat_server_config *config, char *why,
		    size_t len)
{
	struct stat_server *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;

	if (!s)
		goto fail;
	s->config = *config;
	s->path = strdup(config->path);
	s->name = strdup(config->name);
	s->hub = event_hub_new();
	if (!s->path || !s->name || !s->hub)
		goto fail_free;
	s->config.path = s->path;
	s->config.name = s->name;
	connections_init(&s->connections, max_connections());
	rc = s->config.engine ? 0 : resident_count_new(&s->config.resident,
						       s->config.mem);
	if (!rc)
		rc = stat_jobs_new(&s->jobs, &s->config);
	if (rc)
		goto fail_free;
	rc = s->listen_fd = unix_listen(s->path, "--socket", why, len);
	if (rc < 0)
		goto fail_said;
	s->daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL |
			MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC,
		0, NULL, NULL, on_request, s,
		MHD_OPTION_LISTEN_SOCKET, s->listen_fd,
		/* Half of them may be closing. */
		MHD_OPTION_CONNECTION_LIMIT, 2 * s->connections.max,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES,
		MHD_OPTION_NOTIFY_CONNECTION, connections_notify,
		&s->connections,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
		MHD_OPTION_END);
	if (!s->daemon) {
		rc = errno ? -errno : -EIO;
		snprintf(why, len, "cannot start the HTTP server on %s: %s",
			 s->path, error_text(-rc));
		unlink(s->path);
		close(s->listen_fd);
		goto fail_said;
	}
	if (s->config.engine)
		engine_on_scan(s->config.engine, on_scan, s);
	*sp = s;
	return 0;

fail_free:
	snprintf(why, len, "not enough memory for the statistics socket");
fail_said:
	if (s->jobs)
		stat_jobs_stop(s->jobs);
	stat_jobs_free(s->jobs);
	resident_count_free(s->config.resident);
	event_hub_free(s->hub);
	free(s->name);
	free(s->path);
	free(s);
	return rc;
fail:
	snprintf(why, len, "not enough memory for the statistics socket");
	return rc;
}

void stat_server_free(struct stat_server *s)
{
	if (!s)
		return;
	if (s->config.engine)
		engine_on_scan(s->config.engine, NULL, NULL);
	/* First, while we still listen, so that it is ours: see listen.h. */
	unlink(s->path);
	event_hub_close(s->hub);
	stat_jobs_stop(s->jobs);
	MHD_stop_daemon(s->daemon);
	stat_jobs_free(s->jobs);
	resident_count_free(s->config.resident);
	event_hub_free(s->hub);
	free(s->name);
	free(s->path);
	free(s);
}
