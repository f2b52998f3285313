// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../db/recorder.h"
#include "../model_target.h"
#include "../session_make.h"

enum {
	RAM = 32 << 20,
	CALLS = 700,
};

static struct fuzz_base *made; // whose folder goes at exit
static pid_t owner;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(2);
}

void fuzz_write(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		fail(path);
	close(fd);
}

static struct fuzz_file read_file(const char *path)
{
	struct fuzz_file f = {0};
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		fail(path);
	f.size = (size_t)st.st_size;
	f.data = malloc(f.size + 1);
	if (!f.data || read(fd, f.data, f.size) != st.st_size)
		fail(path);
	close(fd);
	return f;
}

static void in_folder(const struct fuzz_base *b, const char *name, const void *data, size_t size)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", b->folder, name);
	fuzz_write(path, data, size);
}

static struct fuzz_file out_of_folder(const struct fuzz_base *b, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", b->folder, name);
	return read_file(path);
}

void fuzz_base_session(const struct fuzz_base *b, const void *rings, size_t rings_size,
		       const void *spool, size_t spool_size)
{
	static const char json[] = "{\"argv\": [\"model\", \"one\"]}";

	unlink(b->output);
	if (mkdir(b->folder, 0700) && errno != EEXIST)
		fail(b->folder);
	in_folder(b, "session.json", json, sizeof(json) - 1);
	in_folder(b, "rings", rings, rings_size);
	if (spool)
		in_folder(b, "spool", spool, spool_size);
}

void fuzz_base_header(const struct fuzz_base *b, const void *header, size_t size)
{
	char path[256];

	if (header) {
		in_folder(b, "header", header, size);
		return;
	}
	snprintf(path, sizeof(path), "%s/header", b->folder);
	unlink(path);
}

static void make_segment(struct fuzz_base *b)
{
	const struct session_size z = {
		.slots = 4, .rings = 2, .records = 512, .buckets = 16, .nodes = 64};
	struct session_header *h = session_make(NULL, &z);

	if (!h)
		fail("a segment");
	machine_config_default(&h->opt.machine, MODEL_CLASSIC, RAM, 2);
	h->ns0 = clock_monotonic_ns();
	fuzz_base_session(b, h, h->size, NULL, 0);
	in_folder(b, "header", h, sizeof(*h));
	munmap(h, h->size);
}

_Noreturn static void run_target(const char *folder)
{
	static struct target t = {.seed = 42};
	pid_t child;

	model_start(&t, folder);
	model_work(&t, CALLS);
	model_barrier(&t);
	child = fork();
	if (!child) {
		model_forked(&t);
		model_work(&t, CALLS / 2);
		atomic_store(&t.slot->state, SLOT_ENDED);
		_exit(0);
	}
	model_text(&t, TEXT_MARK, "half of it", 10);
	model_work(&t, CALLS);
	waitpid(child, NULL, 0);
	atomic_store(&t.slot->state, SLOT_ENDED);
	_exit(0);
}

static void wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status) {
		errno = ECHILD;
		fail("the session to start from");
	}
}

static void remove_base(void)
{
	char command[128];

	if (getpid() != owner)
		return;
	snprintf(command, sizeof(command), "rm -rf '%s'", made->dir);
	if (system(command))
		fprintf(stderr, "%s is left\n", made->dir);
}

void fuzz_base_make(struct fuzz_base *b)
{
	char err[ERR_LEN] = "";
	pid_t target, drainer;

	snprintf(b->dir, sizeof(b->dir), "/dev/shm/kalloscope-fuzz-XXXXXX");
	if (!mkdtemp(b->dir))
		fail(b->dir);
	made = b;
	owner = getpid();
	atexit(remove_base);
	snprintf(b->folder, sizeof(b->folder), "%s/recording.spool", b->dir);
	snprintf(b->output, sizeof(b->output), "%s/recording", b->dir);
	make_segment(b);
	target = fork();
	if (!target)
		run_target(b->folder);
	drainer = fork();
	if (!drainer)
		_exit(drain_run(b->folder, target, err) ? 1 : 0);
	wait_for(target);
	wait_for(drainer);
	b->header = out_of_folder(b, "header");
	b->rings = out_of_folder(b, "rings");
	b->spool = out_of_folder(b, "spool");
	if (insert_run(b->folder, false, NULL, NULL, err)) {
		fprintf(stderr, "%s\n", err);
		_exit(2);
	}
	b->recording = read_file(b->output);
}

void fuzz_quiet(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 1) < 0)
		fail("/dev/null");
	close(null);
}
