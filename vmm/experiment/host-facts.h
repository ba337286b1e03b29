/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_EXPERIMENT_HOST_FACTS_H
#define VMM_EXPERIMENT_HOST_FACTS_H

#include <jansson.h>

/* Host properties that influence results: an object of strings and numbers. */
json_t *host_facts(void);

#endif
