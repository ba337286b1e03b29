// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The socket and its routes.  libmicrohttpd's one thread serves all requests;
 * none blocks for long, and the stream of /events is suspended while empty.
 */
#include "config.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/host/listen.h"
#include "vmm/stat/events.h"
#include "vmm/stat/resource.h"
#include "vmm/stat/server.h"
#include "vmm/stat/snapshot.h"

#define MAX_CONNECTIONS 64
#define METRICS_TYPE \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

struct stat_server {
	struct stat_server_config config;
	char *path, *name;		/* owned */
	int listen_fd;			/* closed by the daemon */
	struct MHD_Daemon *daemon;
	struct event_hub *hub;
};

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

static enum MHD_Result respond_json(struct MHD_Connection *c,
				    struct stat_answer *a)
{
	size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(6);
	char *text, *line;

	if (!a->json) {
		if (a->status == MHD_HTTP_OK)
			return MHD_NO;
		a->json = json_pack("{s:s}", "error", a->why);
	}
	text = json_dumps(a->json, flags);
	json_decref(a->json);
	if (!text)
		return MHD_NO;
	/* A final newline is kind to people who use curl. */
	if (asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return respond_text(c, a->status, line, "application/json");
}

static enum MHD_Result handle(struct stat_server *s, struct MHD_Connection *c,
			      const char *url, const char *method,
			      const struct stat_request *req)
{
	struct stat_answer a = { .status = MHD_HTTP_OK };
	bool get = !strcmp(method, "GET");
	const struct stat_route *route;
	struct stat_snapshot snap;
	const char *arg;

	if (req->too_long) {
		a.status = MHD_HTTP_CONTENT_TOO_LARGE;
		snprintf(a.why, sizeof(a.why), "the body is over %u bytes",
			 STAT_MAX_BODY);
		return respond_json(c, &a);
	}
	if (get && !strcmp(url, "/metrics")) {
		stat_snapshot_take(&s->config, &snap);
		return respond_text(c, MHD_HTTP_OK,
				    stat_snapshot_metrics(&s->config, &snap),
				    METRICS_TYPE);
	}
	if (get && !strcmp(url, "/events"))
		return respond(c, MHD_HTTP_OK, event_hub_subscribe(s->hub, c),
			       "application/jsonl");
	route = stat_find_route(url, method, &arg, &a);
	if (route)
		route->answer(&s->config, arg, req, &a);
	return respond_json(c, &a);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *data_len, void **con_cls)
{
	struct stat_request *req = *con_cls;

	if (!req) {
		*con_cls = req = calloc(1, sizeof(*req));
		if (!req)
			return MHD_NO;
		req->connection = c;
		return MHD_YES;
	}
	if (*data_len) {
		if (*data_len > STAT_MAX_BODY - req->len) {
			req->too_long = true;
		} else {
			memcpy(req->body + req->len, data, *data_len);
			req->len += *data_len;
		}
		*data_len = 0;
		return MHD_YES;
	}
	return handle(arg, c, url, method, req);
}

static void on_completed(void *arg, struct MHD_Connection *c, void **con_cls,
			 enum MHD_RequestTerminationCode code)
{
	free(*con_cls);
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
	rc = s->listen_fd = unix_listen(s->path, "--socket", why, len);
	if (rc < 0)
		goto fail_said;
	s->daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL |
			MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC,
		0, NULL, NULL, on_request, s,
		MHD_OPTION_LISTEN_SOCKET, s->listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
		MHD_OPTION_END);
	if (!s->daemon) {
		rc = errno ? -errno : -EIO;
		snprintf(why, len, "can't start the HTTP server on %s: %s",
			 s->path, strerror(-rc));
		close(s->listen_fd);
		unlink(s->path);
		goto fail_said;
	}
	if (s->config.engine)
		engine_on_scan(s->config.engine, on_scan, s);
	*sp = s;
	return 0;

fail_free:
	snprintf(why, len, "no memory for the statistics socket");
fail_said:
	event_hub_free(s->hub);
	free(s->name);
	free(s->path);
	free(s);
	return rc;
fail:
	snprintf(why, len, "no memory for the statistics socket");
	return rc;
}

void stat_server_free(struct stat_server *s)
{
	if (!s)
		return;
	if (s->config.engine)
		engine_on_scan(s->config.engine, NULL, NULL);
	event_hub_close(s->hub);
	MHD_stop_daemon(s->daemon);
	event_hub_free(s->hub);
	unlink(s->path);
	free(s->name);
	free(s->path);
	free(s);
}
