// SPDX-License-Identifier: Apache-2.0

// forbid-io-uring THREAD PROGRAM ARGUMENT...: runs a program whose io_uring_setup calls fail with EPERM in
// threads whose names begin with THREAD, as they all do where an administrator or a container forbids
// io_uring. Exit status 77 means that this kernel does not let us.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Has the kernel ask about each io_uring_setup; returns where it asks. */
static int intercept(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof filter / sizeof *filter, filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static int is_named(pid_t thread, const char *prefix)
{
	char path[40], name[32] = "";
	int file;

	snprintf(path, sizeof path, "/proc/%d/comm", (int)thread);
	file = open(path, O_RDONLY);
	if (file < 0 || read(file, name, sizeof name - 1) < 0)
		perror(path);
	close(file);
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static void answer(int listener, const char *prefix)
{
	struct seccomp_notif call = { 0 };
	struct seccomp_notif_resp response;

	while (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
		response = (struct seccomp_notif_resp){ .id = call.id };
		if (is_named(call.pid, prefix))
			response.error = -EPERM;
		else
			response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
		call = (struct seccomp_notif){ 0 };
	}
}

int main(int argc, char **argv)
{
	int listener, status;
	pid_t program, answerer;

	listener = argc > 2 ? intercept() : -1;
	if (listener < 0) {
		perror("seccomp");
		return 77;
	}
	fcntl(listener, F_SETFD, FD_CLOEXEC);
	program = fork();
	if (program == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	answerer = fork();
	if (answerer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		answer(listener, argv[1]);
		_exit(1);
	}
	close(listener);
	waitpid(program, &status, 0);
	/* It is under the filter as well, so it would wait for itself. */
	kill(answerer, SIGKILL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
