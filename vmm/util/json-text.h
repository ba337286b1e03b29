/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_JSON_TEXT_H
#define VMM_UTIL_JSON_TEXT_H

#include <jansson.h>

/*
 * A JSON string of a text from outside, such as a name, a path or an error
 * message: '?' replaces invalid UTF-8, which JSON does not allow.  NULL: no
 * memory.
 */
json_t *json_text_new(const char *text);

#endif
