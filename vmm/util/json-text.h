/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_JSON_TEXT_H
#define VMM_UTIL_JSON_TEXT_H

#include <jansson.h>

/*
 * A text from outside, as names, paths and error messages are, in which invalid
 * UTF-8 is replaced: JSON has none.  NULL without memory.
 */
json_t *json_text_new(const char *text);

#endif
