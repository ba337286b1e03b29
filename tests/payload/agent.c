// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/payload/payload.h"
const char *agent_start(const struct agent_view *view)
{
	return "not-built";
}
void agent_poll(void)
{
}
