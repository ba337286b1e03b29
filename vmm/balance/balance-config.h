/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration of `vmm balance`: the host's target, and guests' limits. */
#ifndef VMM_BALANCE_BALANCE_CONFIG_H
#define VMM_BALANCE_BALANCE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#define BALANCE_MAX_GUESTS 256
#define BALANCE_NAME_BYTES 64
#define BALANCE_PATH_BYTES 108		/* of a unix socket's address */

/* For one guest; bytes, 0 if not set. */
struct balance_rule {
	char name[BALANCE_NAME_BYTES];
	char socket[BALANCE_PATH_BYTES];	/* "": default for its name */
	double shares;
	uint64_t min_bytes, max_bytes;
};

struct balance_config {
	uint64_t target_bytes;	/* for all guests; 0: by free_bytes */
	uint64_t free_bytes;	/* of the host, to be kept available */
	unsigned int nr_rules;
	struct balance_rule rules[BALANCE_MAX_GUESTS];
};

/*
 * "NAME[,shares=N][,min=SIZE][,max=SIZE][,socket=PATH]": adds a rule, or
 * changes the one for NAME.  -EINVAL or -ENOMEM with why.
 */
int balance_config_guest(struct balance_config *config, const char *text,
			 char *why, size_t len);

/*
 * {"target": SIZE, "keep_free": SIZE, "guests": {NAME: {"shares": NUMBER,
 * "min": SIZE, "max": SIZE, "socket": PATH}}}, where SIZE is a string like
 * "512M" or a number of bytes; every member is optional.  -errno with why.
 */
int balance_config_file(struct balance_config *config, const char *path,
			char *why, size_t len);

/*
 * -EINVAL with why: a minimum above a maximum, minima above the target, or not
 * exactly one of target_bytes and free_bytes.
 */
int balance_config_check(const struct balance_config *config, char *why,
			 size_t len);

/* NULL: no rule for it. */
const struct balance_rule *balance_config_find(
	const struct balance_config *config, const char *name);

#endif
