// SPDX-License-Identifier: GPL-2.0-or-later
/* vmm metrics: all VMs of the host, for Prometheus; once, or by HTTP. */
#include "config.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <popt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/client/metrics-all.h"
#include "vmm/cmd/cmd.h"
#include "vmm/control/connections.h"
#include "vmm/libvirt/fleet-metrics.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/rundir.h"
#include "vmm/util/stop-guard.h"

#define TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TIMEOUT_MS 3000
#define MAX_VMS 4096
#define MAX_CONNECTIONS 16u
#define FLEET_PERIOD_MS 10000
#define FLEET_WAIT_MS 30000	/* for the first answer, if printed once */

static struct libvirt_fleet **fleets;	/* for the life of the process */

struct list {
	struct metrics_vm *vms;		/* owned, and their strings */
	size_t nr;
};

static void add(const char *name, const char *path, void *arg)
{
	struct list *list = arg;
	struct metrics_vm *bigger;

	if (list->nr == MAX_VMS)
		return;
	bigger = realloc(list->vms, (list->nr + 1) * sizeof(*bigger));
	if (!bigger)
		return;
	list->vms = bigger;
	bigger[list->nr].name = strdup(name);
	bigger[list->nr].socket = strdup(path);
	list->nr++;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct metrics_vm *)a)->name,
		      ((const struct metrics_vm *)b)->name);
}

/* Returns text with the metrics of libvirt's domains added; frees text. */
static char *add_fleets(char *text, unsigned int wait_ms)
{
	char *all = NULL, *end = text ? strstr(text, "# EOF\n") : NULL;
	size_t len;
	FILE *out = end && *fleets ? open_memstream(&all, &len) : NULL;

	if (!out)
		return text;
	fwrite(text, 1, end - text, out);
	fleet_print_metrics(fleets, wait_ms, out);
	fputs("# EOF\n", out);
	free(text);
	if (!fclose(out))
		return all;
	free(all);
	return NULL;
}

/* All metrics now; owned by the caller. */
static char *collect(unsigned int wait_ms)
{
	struct list list = { 0 };
	bool whole = true;
	char *text = NULL;

	rundir_each(add, &list);
	for (size_t i = 0; i < list.nr; i++)
		whole &= list.vms[i].name && list.vms[i].socket;
	if (whole && list.nr)
		qsort(list.vms, list.nr, sizeof(*list.vms), by_name);
	if (whole)
		text = metrics_all(list.vms, list.nr, TIMEOUT_MS);
	for (size_t i = 0; i < list.nr; i++) {
		free((char *)list.vms[i].name);
		free((char *)list.vms[i].socket);
	}
	free(list.vms);
	return add_fleets(text, wait_ms);
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned int status,
			      const char *type, char *text,
			      enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(strlen(text),
								 text, mode);
	enum MHD_Result rc;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *size, void **state)
{
	char *text;

	connections_enter(arg, c, CONNECTION_READS);
	if (strcmp(method, "GET") != 0)
		return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain",
			      "only the method GET is supported\n",
			      MHD_RESPMEM_PERSISTENT);
	if (strcmp(url, "/metrics") != 0)
		return answer(c, MHD_HTTP_NOT_FOUND, "text/plain",
			      "no such resource: only /metrics exists\n",
			      MHD_RESPMEM_PERSISTENT);
	text = collect(0);
	if (!text)
		return answer(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "text/plain",
			      "out of memory\n", MHD_RESPMEM_PERSISTENT);
	return answer(c, MHD_HTTP_OK, TYPE, text, MHD_RESPMEM_MUST_FREE);
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state,
			 enum MHD_RequestTerminationCode code)
{
	connections_enter(arg, c, CONNECTION_IDLE);
}

/* The resolver accepts any number, and truncates those above 65535. */
static bool is_port(const char *text)
{
	return strspn(text, "0123456789") == strlen(text) &&
	       strlen(text) <= 5 && atoi(text) >= 1 && atoi(text) <= 65535;
}

/* "HOST:PORT", "[::1]:PORT", or ":PORT" on 127.0.0.1.  0 or EAI_*, reported. */
static int resolve(const char *text, struct addrinfo **found)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV,
	};
	const char *colon = strrchr(text, ':');
	char host[256];
	size_t len = colon ? colon - text : 0;
	int rc = EAI_NONAME;

	if (colon && !is_port(colon + 1)) {
		log_error("--listen %s: '%s' is not a port: ports are 1 to "
			  "65535; for example 127.0.0.1:9717", text, colon + 1);
		return EAI_SERVICE;
	}
	if (colon && len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (colon && colon[1] && len < sizeof(host)) {
		memcpy(host, text, len);
		host[len] = '\0';
		rc = getaddrinfo(*host ? host : "127.0.0.1", colon + 1, &hints,
				 found);
	}
	if (rc)
		log_error("--listen %s: %s; for example 127.0.0.1:9717",
			  text, gai_strerror(rc));
	return rc;
}

/* Until a stop signal. */
static int serve(const char *listen, int stop_fd)
{
	struct connections connections;
	struct MHD_Daemon *daemon;
	struct addrinfo *at;
	unsigned int flags = MHD_USE_INTERNAL_POLLING_THREAD;
	struct pollfd stop = { .fd = stop_fd, .events = POLLIN };

	if (resolve(listen, &at))
		return VMM_EXIT_USAGE;
	if (at->ai_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	connections_init(&connections, MAX_CONNECTIONS);
	errno = 0;
	daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request,
				  &connections,
				  MHD_OPTION_SOCK_ADDR, at->ai_addr,
				  MHD_OPTION_CONNECTION_LIMIT,
				  2u * MAX_CONNECTIONS,
				  MHD_OPTION_CONNECTION_TIMEOUT, 30u,
				  MHD_OPTION_NOTIFY_CONNECTION,
				  connections_notify, &connections,
				  MHD_OPTION_NOTIFY_COMPLETED, on_completed,
				  &connections, MHD_OPTION_END);
	freeaddrinfo(at);
	if (!daemon) {
		log_error("--listen %s: %s", listen, error_text(errno ? errno :
							      EADDRINUSE));
		return VMM_EXIT_FAILURE;
	}
	log_info("serving http://%s/metrics", listen);
	while (poll(&stop, 1, -1) != 1)
		;
	MHD_stop_daemon(daemon);
	return VMM_EXIT_OK;
}

int cmd_metrics(int argc, char **argv)
{
	char *listen = NULL, *text, **uris = NULL, why[512];
	int rc, stop_fd = -1;
	const struct poptOption options[] = {
		{ "listen", 'l', POPT_ARG_STRING, &listen, 0,
		  "serve the metrics by HTTP until stopped, instead of "
		  "printing them once", "HOST:PORT" },
		{ "connect", 'c', POPT_ARG_ARGV, &uris, 0,
		  "also include the domains of this libvirt, as libvirt "
		  "reports them; may be repeated", "URI" },
		POPT_AUTOHELP
		POPT_TABLEEND
	};
	poptContext popt = poptGetContext("vmm metrics", argc,
					  (const char **)argv, options, 0);

	rc = cmd_next_option(popt, options);
	if (rc < -1) {
		rc = cmd_bad_option(popt, rc);
	} else if (poptPeekArg(popt)) {
		log_error("metrics: unexpected argument '%s'; see --help",
			  poptPeekArg(popt));
		rc = VMM_EXIT_USAGE;
	} else if (listen && (stop_fd = stop_guard_start_server()) < 0) {
		log_error("cannot set up signal handling: %s",
			  error_text(-stop_fd));
		rc = VMM_EXIT_FAILURE;
	} else if (!(fleets = fleet_open(uris, FLEET_PERIOD_MS, why,
					 sizeof(why)))) {
		log_error("%s", why);
		rc = VMM_EXIT_FAILURE;
	} else if (listen) {
		rc = serve(listen, stop_fd);
	} else {
		text = collect(FLEET_WAIT_MS);
		rc = text && fputs(text, stdout) >= 0 && !fflush(stdout) ?
			     VMM_EXIT_OK : VMM_EXIT_FAILURE;
		if (rc)
			log_error("cannot print the metrics: %s",
				  text ? error_text(errno) : "out of memory");
		free(text);
	}
	fleet_close(fleets);
	for (char **u = uris; u && *u; u++)
		free(*u);
	free(uris);
	free(listen);
	poptFreeContext(popt);
	return rc;
}
