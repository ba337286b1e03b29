/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DAMON's sysfs files below an open directory of DAMON_CTL_SYSFS; paths are
 * relative to it.  Functions return 0 or -errno unless they say otherwise.
 */
#ifndef VMM_ACCESS_DAMON_DAMON_SYSFS_H
#define VMM_ACCESS_DAMON_DAMON_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAMON_CTL_SYSFS "/sys/kernel/mm/damon/admin/kdamonds"
#define DAMON_RUN_DIR	"/run/vmm"
#define DAMON_LOCK_PATH DAMON_RUN_DIR "/damon.lock"
#define DAMON_SAVE_PATH DAMON_RUN_DIR "/damon.saved"
#define DAMON_USERS_PATH DAMON_RUN_DIR "/damon.users"

#define DAMON_CONTEXT "0/contexts/0"
#define DAMON_SCHEME  DAMON_CONTEXT "/schemes/0"
#define DAMON_TARGET  DAMON_CONTEXT "/targets/0"

/*
 * Marks a configuration as ours: as the largest size of a region it means no
 * limit, and no other program would write exactly this number.
 */
#define DAMON_MARK_PATH DAMON_SCHEME "/access_pattern/sz/max"
#define DAMON_MARK	"18446744073709551557"

int damon_sysfs_put(int dir_fd, const char *path, const char *value);
int damon_sysfs_put_u64(int dir_fd, const char *path, uint64_t value);
/* The first line, without its end. */
int damon_sysfs_get(int dir_fd, const char *path, char *buf, size_t len);
int damon_sysfs_get_u64(int dir_fd, const char *path, uint64_t *value);

/* Index of a kdamond that runs, or seems to (its file is busy); or -1. */
int damon_sysfs_running(int dir_fd);

/*
 * Replaces any configuration by one kdamond that applies the young filter to
 * every page of its regions, of which there are none yet; with pageout it
 * evicts pages that are not young.
 */
int damon_sysfs_configure(int dir_fd, bool pageout);
/*
 * Whether the configuration is still as damon_sysfs_configure() left it,
 * whatever the regions are.
 */
bool damon_sysfs_is_configured(int dir_fd, bool pageout);

#endif
