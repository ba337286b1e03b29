// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an evictor may do: no privileges, no files but its socket, the pidfd of
 * itself and /dev/null, no memory that others can read, and these system calls:
 *
 *   recvfrom, sendto               requests and replies
 *   madvise, process_madvise       eviction
 *   clock_gettime                  the CPU time used
 *   exit_group, rt_sigreturn, restart_syscall
 */
#include "config.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/sink/evictor-internal.h"

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000u	/* Linux 4.14 */
#endif

static const int allowed[] = {
	SYS_recvfrom, SYS_sendto, SYS_madvise, SYS_process_madvise,
	SYS_clock_gettime, SYS_exit_group, SYS_rt_sigreturn,
	SYS_restart_syscall,
};
#define NR_ALLOWED (sizeof(allowed) / sizeof(*allowed))

/*
 * A kernel without seccomp, or a container that forbids it, is no reason to
 * have no evictor: it reads nothing that a guest controls but page numbers.
 */
static void limit_system_calls(void)
{
	struct sock_filter code[NR_ALLOWED + 6] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { .filter = code };
	size_t n = 4;

	for (size_t i = 0; i < NR_ALLOWED; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
			NR_ALLOWED - i, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						 SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						 SECCOMP_RET_ALLOW);
	program.len = n;
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Those for all processes of a terminal or a service: our parent ends us. */
static void ignore_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT,
				       SIGTSTP, SIGTTOU, SIGUSR1, SIGUSR2 };

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], SIG_IGN);
}

bool evictor_enter_jail(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	const struct __user_cap_data_struct none[2] = { 0 };
	const struct rlimit no_core = { 0, 0 };

	prctl(PR_SET_NAME, EVICTOR_NAME);
	ignore_signals();
	/*
	 * The socket tells, too, that our parent has ended, but only between
	 * two requests.
	 */
	if (prctl(PR_SET_DUMPABLE, 0) || setrlimit(RLIMIT_CORE, &no_core) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_capset, &header, none) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL))
		return false;
	limit_system_calls();
	return true;
}
