// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// forks MODE: every way to become two processes, while memory is in use.
#include "hazard.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static volatile bool stop;

static void await(pid_t pid)
{
	int status = -1;

	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
}

static void *worker(void *arg)
{
	while (!stop) {
		churn(200);
		usleep(2000);
	}
	return arg;
}

// Threads hold whatever they hold at the moment of each fork.
static void threads(void)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, worker, NULL));
	for (int i = 0; i < 40; i++) {
		char *mine = malloc(5000);
		fill(mine, 5000, (unsigned)i);
		pid_t pid = fork();
		if (!pid) {
			CHECK(filled(mine, 5000, (unsigned)i));
			churn(500);
			free(mine);
			exit(0);
		}
		fill(mine, 5000, (unsigned)i + 1); // the child has its own copy
		await(pid);
		free(mine);
	}
	stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	puts("40 children of a threaded process");
}

// The child of vfork runs in the parent's memory until it execs.
static void vforks(void)
{
	for (volatile int i = 0; i < 20; i++) {
		char *volatile p = NULL;
		pid_t pid = vfork();
		if (!pid) {
			p = malloc(1000); // what shells do between vfork and exec
			execl("/bin/true", "true", (char *)NULL);
			_exit(127);
		}
		await(pid);
		CHECK(p);
		free(p);
		churn(100);
	}
	puts("20 children of vfork");
}

static void spawns(void)
{
	char *args[] = {"sh", "-c", "exit 0", NULL}, *env[] = {"PATH=/usr/bin:/bin", NULL};
	extern char **environ;

	for (int i = 0; i < 20; i++) {
		pid_t pid;
		CHECK(!posix_spawn(&pid, "/bin/sh", NULL, NULL, args, i & 1 ? env : environ));
		churn(50);
		await(pid);
	}
	puts("20 spawned, every second without our environment");
}

static void doubles(void)
{
	for (int i = 0; i < 10; i++) {
		int fd[2];
		char c = 0;
		CHECK(!pipe(fd));
		pid_t pid = fork();
		if (!pid) {
			if (fork())
				_exit(0);
			setsid();
			churn(500);
			c = 'd';
			_exit(write(fd[1], &c, 1) != 1);
		}
		await(pid);
		CHECK(read(fd[0], &c, 1) == 1 && c == 'd');
		close(fd[0]);
		close(fd[1]);
	}
	puts("10 daemons");
}

// No handler of pthread_atfork runs here: the library finds out by itself.
static void clones(void)
{
	char *before = malloc(3000);

	fill(before, 3000, 9);
	for (int i = 0; i < 10; i++) {
		long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (!pid) {
			CHECK(filled(before, 3000, 9));
			churn(300);
			free(before);
			pid_t grandchild = fork();
			if (!grandchild) {
				churn(100);
				_exit(0);
			}
			await(grandchild);
			_exit(0);
		}
		await((pid_t)pid);
		churn(100);
	}
	CHECK(filled(before, 3000, 9));
	puts("10 children of clone");
}

static int clone_main(void *arg)
{
	churn(500);
	free(*(void **)arg);
	*(void **)arg = malloc(777);
	return 0;
}

// Memory is shared but it is no thread of libc's: the way of container runtimes.
static void clone_vm(void)
{
	enum {
		STACK = 256 << 10
	};
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 10; i++) {
		void *p = malloc(500);
		pid_t pid = clone(clone_main, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &p);
		await(pid);
		CHECK(p);
		free(p);
	}
	munmap(stack, STACK);
	puts("10 children in the same memory");
}

static void *atfork_block;

static void atfork_prepare(void)
{
	atfork_block = malloc(300);
}

static void atfork_after(void)
{
	free(atfork_block);
	atfork_block = NULL;
	churn(10);
}

static void atforks(void)
{
	CHECK(!pthread_atfork(atfork_prepare, atfork_after, atfork_after));
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		if (!pid) {
			CHECK(!atfork_block);
			exit(0);
		}
		await(pid);
	}
	puts("20 forks with handlers that allocate");
}

// Private memory is copied, shared memory is not: also what we serve.
static void shared(void)
{
	size_t size = 64 << 10;
	char *both = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *mine = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *heap = malloc(size);

	memset(both, 1, size);
	memset(mine, 1, size);
	memset(heap, 1, size);
	pid_t pid = fork();
	if (!pid) {
		memset(both, 2, size);
		memset(mine, 2, size);
		memset(heap, 2, size);
		exit(0);
	}
	await(pid);
	printf("shared %d %d, private %d, heap %d\n", both[0], both[size - 1], mine[size - 1],
	       heap[size - 1]);
	CHECK(!munmap(both, size) && !munmap(mine, size));
	free(heap);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"threads", threads}, {"vfork", vforks},  {"spawn", spawns},
		{"double", doubles},  {"clone", clones},  {"clone_vm", clone_vm},
		{"atfork", atforks},  {"shared", shared},
	};

	return RUN_MODE(modes, argc, argv);
}
