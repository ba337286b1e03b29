// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmm/top/feed.h"
#include "vmm/top/loop.h"
#include "vmm/top/screen.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/size.h"
#include "vmm/util/stop-guard.h"

struct app {
	struct top_model model;
	struct top_ui ui;
	struct top_host host;
	struct top_feed *feed;
	struct screen screen;
	char clock[16];
	uint64_t next_ns;	/* time of the next query of the VMs */
	uint64_t delay_ns;
};

static void on_processes(void *arg, const char *socket, const json_t *answer,
			 const char *why)
{
	struct app *app = arg;

	if (app->ui.view != TOP_GUESTS && !strcmp(app->ui.guest, socket))
		top_ui_processes(&app->ui, answer, why);
}

static void on_policy(void *arg, const char *socket, const json_t *answer,
		      const char *why)
{
	struct app *app = arg;
	struct top_guest *g = top_model_find(&app->model, socket);
	const char *name = g ? g->name : socket;
	json_int_t target = json_integer_value(
		json_object_get(answer, "target_bytes"));
	bool on = json_is_true(json_object_get(answer, "enabled"));
	char a[16];

	if (!answer) {
		top_ui_set_message(&app->ui, true, "%s: %s", name, why);
		return;
	}
	top_ui_set_message(&app->ui, false, "%s: reclaim %s, target %s", name,
			   on ? "on" : "paused",
			   target ? size_format(target, a, sizeof(a)) : "none");
	app->next_ns = 0;	/* query at once, to show the effect */
}

/* 0 or -errno with why. */
static int wait_for_answers(struct app *app, const int *fds, size_t nr_fds,
			    int timeout_ms, char *why, size_t len)
{
	int rc = top_feed_wait(app->feed, fds, nr_fds, timeout_ms);

	if (rc)
		snprintf(why, len, "cannot wait for answers of VMs: %s",
			 error_text(-rc));
	return rc;
}

static int start(struct app *app, const struct top_options *o, char *why,
		 size_t len)
{
	struct top_feed_config config = {
		.model = &app->model, .sockets = o->sockets,
		.fleets = o->fleets,
		.on_processes = on_processes, .on_policy = on_policy,
		.arg = app,
	};

	app->delay_ns = o->delay_s * NSEC_PER_SEC;
	app->model.sort = o->sort;
	app->model.ascending = o->sort == TOP_NAME;
	return top_feed_new(&app->feed, &config, why, len);
}

static void finish(struct app *app)
{
	top_feed_free(app->feed);
	top_ui_free(&app->ui);
	top_model_free(&app->model);
}

static void read_host(struct app *app)
{
	time_t now = time(NULL);
	struct tm tm;

	strftime(app->clock, sizeof(app->clock), "%H:%M:%S",
		 localtime_r(&now, &tm));
	top_host_read(&app->host);
}

static struct top_scene scene_of(struct app *app, bool utf8)
{
	return (struct top_scene){
		.model = &app->model, .ui = &app->ui, .host = &app->host,
		.now_ns = clock_now_ns(), .clock = app->clock, .utf8 = utf8,
	};
}

static void draw(struct app *app)
{
	struct top_scene scene = scene_of(app, app->screen.utf8);
	struct top_page page;

	if (top_page_make(&page, app->screen.rows, app->screen.cols, &scene))
		return;		/* no memory: keep the old one */
	screen_show(&app->screen, &page);
	free(page.lines);
}

static void put_policy(struct app *app, const struct top_action *a)
{
	json_t *body = a->request == TOP_PUT_ENABLED ?
		json_pack("{s:b}", "enabled", a->enabled) : a->target ?
		json_pack("{s:I, s:b}", "target_bytes", (json_int_t)a->target,
			  "enabled", 1) :
		json_pack("{s:i}", "target_bytes", 0);

	if (!body || top_feed_put_policy(app->feed, a->socket, body))
		top_ui_set_message(&app->ui, true, "not enough memory for a "
				   "request");
	json_decref(body);
}

/* true: the user wants to quit. */
static bool perform_action(struct app *app, const struct top_action *a)
{
	switch (a->request) {
	case TOP_QUIT:
		return true;
	case TOP_REFRESH:
		app->next_ns = 0;
		break;
	case TOP_REQUEST_PROCESSES:
		if (top_feed_request_processes(app->feed, a->socket))
			top_ui_set_message(&app->ui, true,
					   "not enough memory for a request");
		break;
	case TOP_PUT_TARGET:
	case TOP_PUT_ENABLED:
		put_policy(app, a);
		break;
	case TOP_NOTHING:
		break;
	}
	return false;
}

static bool take_keys(struct app *app)
{
	struct top_action a;
	int key;

	while ((key = screen_key()) >= 0) {
		a = top_ui_key(&app->ui, &app->model, key);
		if (perform_action(app, &a))
			return true;
	}
	return false;
}

/* Queries the VMs if it is time to.  1: it was, 0, or -errno with why. */
static int round_if_due(struct app *app, char *why, size_t len)
{
	uint64_t now = clock_now_ns();
	int rc;

	if (now < app->next_ns)
		return 0;
	app->next_ns = now + app->delay_ns;
	read_host(app);
	rc = top_feed_round(app->feed);
	if (!rc && app->ui.view == TOP_PROCESSES)
		rc = top_feed_request_processes(app->feed, app->ui.guest);
	if (rc)
		snprintf(why, len, "cannot send requests to VMs: %s",
			 error_text(-rc));
	return rc ? rc : 1;
}

static int ms_left(const struct app *app)
{
	uint64_t now = clock_now_ns();

	return now >= app->next_ns ? 0 :
		(app->next_ns - now) / NSEC_PER_MSEC + 1;
}

int top_screen_run(const struct top_options *o, char *why, size_t len)
{
	struct app app = { 0 };
	int fds[3] = { STDIN_FILENO };
	bool done = false;
	long left = o->iterations;
	int rc = start(&app, o, why, len);

	if (rc)
		return rc;
	rc = screen_open(&app.screen, why, len);
	if (rc) {
		finish(&app);
		return rc;
	}
	fds[1] = app.screen.signal_fd;
	fds[2] = o->stop_fd;
	while (!done && rc >= 0) {
		rc = round_if_due(&app, why, len);
		if (rc == 1 && o->iterations && left-- == 0)
			break;
		draw(&app);
		if (rc >= 0)
			rc = wait_for_answers(&app, fds, 3, ms_left(&app), why,
					      len);
		done = stop_guard_is_stopping() ||
		       screen_signal(&app.screen) || take_keys(&app);
	}
	screen_close(&app.screen);
	finish(&app);
	return rc < 0 ? rc : 0;
}

static void print_all(struct app *app, bool utf8)
{
	struct top_scene scene = scene_of(app, utf8);
	char lines[TOP_NR_SUMMARY][TOP_LINE], line[TOP_LINE];
	struct top_layout layout;

	top_summary(&scene, lines);
	for (int i = 0; i < TOP_NR_SUMMARY; i++)
		printf("%s\n", lines[i]);
	top_layout_fit(&layout, TOP_LINE / 4, utf8);
	top_table_heading(&layout, line);
	printf("%s\n", line);
	for (size_t i = 0; i < app->model.nr; i++) {
		top_table_row(&layout, app->model.guests[i], scene.now_ns,
			      line);
		printf("%s\n", line);
	}
	for (size_t i = 0; i < app->model.nr; i++)
		if (*app->model.guests[i]->why)
			printf("%s: %s\n", app->model.guests[i]->name,
			       app->model.guests[i]->why);
}

int top_batch_run(const struct top_options *o, char *why, size_t len)
{
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	struct app app = { 0 };
	int rc = start(&app, o, why, len);

	if (rc)
		return rc;
	for (long i = 0; !o->iterations || i < o->iterations; i++) {
		while (i && ms_left(&app) && rc >= 0)
			rc = wait_for_answers(&app, NULL, 0, ms_left(&app), why,
					      len);
		if (rc >= 0)
			rc = round_if_due(&app, why, len);
		while (rc >= 0 && top_feed_nr_pending(app.feed))
			rc = wait_for_answers(&app, NULL, 0, 1000, why, len);
		if (rc < 0)
			break;
		if (i)
			putchar('\n');
		print_all(&app, utf8);
		if (fflush(stdout)) {
			rc = -errno;
			snprintf(why, len, "cannot write to standard output: "
				 "%s",
				 error_text(errno));
			break;
		}
	}
	finish(&app);
	return rc < 0 ? rc : 0;
}
