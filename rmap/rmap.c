// SPDX-License-Identifier: GPL-2.0-or-later
#include "rmap/rmap.h"

/* The map itself follows. */
typedef int rmap_translation_unit;
