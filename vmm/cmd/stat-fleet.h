/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_CMD_STAT_FLEET_H
#define VMM_CMD_STAT_FLEET_H

/* `vmm stat --connect URI`, what libvirt says of domains; an exit status. */
int fleet_stat(int argc, char **argv);

#endif
