// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/mem/advise-many.h"

size_t advise_rest(const struct iovec **iov, size_t nr, ssize_t done)
{
	for (; nr && done >= (ssize_t)(*iov)->iov_len; ++*iov, nr--)
		done -= (*iov)->iov_len;
	if (nr) {
		++*iov;
		nr--;
	}
	return nr;
}

void advise_many(int pidfd, const struct iovec *iov, size_t nr, int advice)
{
	while (nr) {
		ssize_t done = pidfd < 0 ? -1 :
			syscall(SYS_process_madvise, pidfd, iov, nr, advice, 0);

		if (done < 0)
			madvise(iov->iov_base, iov->iov_len, advice);
		nr = advise_rest(&iov, nr, done);
	}
}
