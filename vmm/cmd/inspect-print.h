/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the views of `vmm inspect`. */
#ifndef VMM_CMD_INSPECT_PRINT_H
#define VMM_CMD_INSPECT_PRINT_H

#include "vmm/cmd/cmd-client.h"

/* rwxs as in /proc/PID/maps, then the rest by name. */
void inspect_print_vma_flags(const json_t *flags);

/*
 * inspect map PID [WHERE]: an exit status, errors are reported.  where may be
 * NULL: all regions.
 */
int inspect_map(struct client *client, const char *pid, const char *where);

/* inspect pid PID and inspect pids, from the VM's answer. */
void inspect_print_process(const json_t *json);
void inspect_print_processes(const json_t *json);

#endif
