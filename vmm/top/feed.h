/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the VMs of this user and queries all of them in parallel: a VM that
 * does not answer in time is shown as silent, and does not delay the others.
 */
#ifndef VMM_TOP_FEED_H
#define VMM_TOP_FEED_H

#include "vmm/client/client-multi.h"
#include "vmm/libvirt/libvirt-fleet.h"
#include "vmm/top/model.h"

struct top_feed;

struct top_feed_config {
	struct top_model *model;	/* not owned, nor are those below */
	char *const *sockets;		/* of --socket; NULL ends; or NULL */
	struct libvirt_fleet *const *fleets;	/* likewise */
	/*
	 * Answers to the requests below; answer NULL: failed, with the reason
	 * in why.
	 */
	void (*on_processes)(void *arg, const char *socket,
			     const json_t *answer, const char *why);
	void (*on_policy)(void *arg, const char *socket, const json_t *answer,
			  const char *why);
	void *arg;
};

/* -ENOMEM or -ENAMETOOLONG with why. */
int top_feed_new(struct top_feed **feedp, const struct top_feed_config *config,
		 char *why, size_t len);
/* Does not wait for answers. */
void top_feed_free(struct top_feed *feed);

/* Finds VMs, and queries each that has no pending query.  0 or -ENOMEM. */
int top_feed_round(struct top_feed *feed);

/* How many VMs have a pending query. */
unsigned int top_feed_nr_pending(const struct top_feed *feed);

/* As stat_multi_wait(); answers go to the model, or to the callbacks above. */
int top_feed_wait(struct top_feed *feed, const int *fds, size_t nr_fds,
		  int timeout_ms);

/* While one is pending for the guest, further calls do nothing; 0. */
int top_feed_request_processes(struct top_feed *feed, const char *socket);
/* PUT /policy with these members. */
int top_feed_put_policy(struct top_feed *feed, const char *socket,
			const json_t *body);

#endif
