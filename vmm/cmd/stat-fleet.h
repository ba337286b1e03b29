/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_CMD_STAT_FLEET_H
#define VMM_CMD_STAT_FLEET_H

/* `vmm stat --connect URI`, domains as libvirt sees them; an exit status. */
int fleet_stat(int argc, char **argv);

#endif
