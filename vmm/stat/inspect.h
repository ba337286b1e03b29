/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two directions of the reverse map as JSON: from a frame to the regions
 * that map it, and from a process to its regions' frames with their ages.
 * Each takes the view's lock, then the engine's only through its functions.
 */
#ifndef VMM_STAT_INSPECT_H
#define VMM_STAT_INSPECT_H

#include <jansson.h>

#include "vmm/stat/server.h"

/* NULL with *status 404 and why: no such frame. */
json_t *stat_inspect_page(const struct stat_server_config *config, gfn_t gfn,
			  unsigned int *status, char *why, size_t len);
json_t *stat_inspect_processes(const struct stat_server_config *config);
/* NULL with *status 404 and why: the agent never told of it. */
json_t *stat_inspect_process(const struct stat_server_config *config,
			     uint32_t pid, unsigned int *status, char *why,
			     size_t len);
/* Resident pages by idle age. */
json_t *stat_inspect_wss(const struct stat_server_config *config);

#endif
