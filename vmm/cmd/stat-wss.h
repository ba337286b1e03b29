/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_CMD_STAT_WSS_H
#define VMM_CMD_STAT_WSS_H

#include <jansson.h>

/* The path to request, malloc'ed; NULL: a value is not valid in a URL. */
char *stat_wss_path(const char *window, const char *pid);
void stat_wss_print(const json_t *answer);

#endif
