// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <string.h>

#include "vmm/util/cleanup.h"
#include "vmm/util/json-text.h"
#include "vmm/util/printable.h"

json_t *json_text_new(const char *text)
{
	__cleanup_free char *copy = strdup(text);

	if (!copy)
		return NULL;
	printable_make_utf8(copy);
	return json_string(copy);
}
