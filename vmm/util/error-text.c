// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <string.h>

#include "vmm/util/error-text.h"

bool error_is_fd_limit(int error)
{
	return error == EMFILE || error == ENFILE;
}

const char *error_text(int error)
{
	if (error == EMFILE)
		return "the limit of open files is reached: raise it with "
		       "ulimit -n, or LimitNOFILE= of a service";
	if (error == ENFILE)
		return "the host's limit of open files is reached: raise it "
		       "with sysctl fs.file-max";
	return strerror(error);
}
