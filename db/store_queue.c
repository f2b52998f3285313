// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The thread that stores: what the fold has to write goes through a queue, so that folding and
// inserting take two CPUs where there are two.
//
// Jobs are done in the order they were given. The database belongs to the thread; whoever else wants
// to ask it something waits for the queue to be empty first (store_wait) and gives it no job
// meanwhile.
#include <errno.h>
#include <string.h>

#include "inserter.h"
#include "store_queue.h"

enum {
	QUEUE_BYTES = 16 << 20 // of jobs that wait; who gives more waits, too
};

struct store_queue {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more, less; // work came; work was done
	struct store_job *first, **last;
	size_t bytes; // of jobs not done
	bool stop;
};

static struct store_job *job_take(struct store_queue *q)
{
	struct store_job *job;

	pthread_mutex_lock(&q->lock);
	while (!q->first && !q->stop)
		pthread_cond_wait(&q->more, &q->lock);
	job = q->first;
	if (job && !(q->first = job->next))
		q->last = &q->first;
	pthread_mutex_unlock(&q->lock);
	return job;
}

static void *store_main(void *arg)
{
	struct inserter *ins = arg;
	struct store_queue *q = ins->queue;
	struct store_job *job;

	pthread_setname_np(pthread_self(), "kalloscope-sql");
	while ((job = job_take(q))) {
		size_t bytes = job->bytes;

		store_do(ins, job);
		pthread_mutex_lock(&q->lock);
		q->bytes -= bytes;
		pthread_cond_signal(&q->less);
		pthread_mutex_unlock(&q->lock);
	}
	return NULL;
}

int store_queue_start(struct inserter *ins)
{
	struct store_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->last = &q->first;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->more, NULL);
	pthread_cond_init(&q->less, NULL);
	ins->queue = q;
	if (!pthread_create(&q->thread, NULL, store_main, ins))
		return 0;
	ins->queue = NULL; // everything is done at once then
	free(q);
	return 0;
}

void store_queue_stop(struct inserter *ins)
{
	struct store_queue *q = ins->queue;

	if (!q)
		return;
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_signal(&q->more);
	pthread_mutex_unlock(&q->lock);
	pthread_join(q->thread, NULL);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->more);
	pthread_cond_destroy(&q->less);
	ins->queue = NULL;
	free(q);
}

void store_give(struct inserter *ins, struct store_job *job)
{
	struct store_queue *q = ins->queue;

	if (!q) {
		store_do(ins, job);
		return;
	}
	job->next = NULL;
	pthread_mutex_lock(&q->lock);
	while (q->bytes && q->bytes + job->bytes > QUEUE_BYTES)
		pthread_cond_wait(&q->less, &q->lock);
	*q->last = job;
	q->last = &job->next;
	q->bytes += job->bytes;
	pthread_cond_signal(&q->more);
	pthread_mutex_unlock(&q->lock);
}

bool store_behind(struct inserter *ins)
{
	struct store_queue *q = ins->queue;
	bool behind;

	if (!q)
		return false;
	pthread_mutex_lock(&q->lock);
	behind = q->bytes > QUEUE_BYTES / 2;
	pthread_mutex_unlock(&q->lock);
	return behind;
}

void store_wait(struct inserter *ins)
{
	struct store_queue *q = ins->queue;

	if (!q)
		return;
	pthread_mutex_lock(&q->lock);
	while (q->bytes)
		pthread_cond_wait(&q->less, &q->lock);
	pthread_mutex_unlock(&q->lock);
}
