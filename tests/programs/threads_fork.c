// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A process of five threads forks: the child has one. Both then allocate.
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t ready, done;
static void *volatile sink;

static void *sleeper(void *arg)
{
	sink = malloc(100);
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&done);
	return arg;
}

int main(void)
{
	pthread_t t[4];
	int status = 1;

	pthread_barrier_init(&ready, NULL, 5);
	pthread_barrier_init(&done, NULL, 5);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, sleeper, NULL);
	pthread_barrier_wait(&ready);
	pid_t pid = fork();
	if (!pid) {
		sink = malloc(1000);
		exit(sink ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	pthread_barrier_wait(&done);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	sink = malloc(10);
	return status;
}
