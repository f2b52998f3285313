// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// confined MODE: a process that loses sight of the file system after it has started.
#include "hazard.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void *thread_main(void *arg)
{
	churn(500);
	return arg;
}

static void live(void)
{
	pthread_t t;
	int status;

	churn(2000);
	CHECK(!pthread_create(&t, NULL, thread_main, NULL) && !pthread_join(t, NULL));
	pid_t pid = fork();
	if (!pid) {
		churn(500);
		exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
}

static void in_chroot(void)
{
	char folder[] = "/tmp/hazard.XXXXXX";

	CHECK(mkdtemp(folder) && !chdir(folder) && !rmdir(folder) && !chroot("."));
	live();
	puts("in an empty root");
}

static void no_proc(void)
{
	CHECK(!unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK(!mount("none", "/proc", "tmpfs", 0, NULL));
	CHECK(access("/proc/self", F_OK));
	live();
	puts("without /proc");
}

static void as_nobody(void)
{
	CHECK(!setgroups(0, NULL) && !setresgid(65534, 65534, 65534) &&
	      !setresuid(65534, 65534, 65534));
	live();
	puts("as another user");
}

static void read_only(void)
{
	CHECK(!unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK(!mount("none", "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CHECK(open("/tmp/hazard.write", O_CREAT | O_WRONLY, 0600) < 0);
	live();
	puts("on a file system nobody may write");
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {{"chroot", in_chroot},
					    {"no_proc", no_proc},
					    {"nobody", as_nobody},
					    {"read_only", read_only}};

	return RUN_MODE(modes, argc, argv);
}
