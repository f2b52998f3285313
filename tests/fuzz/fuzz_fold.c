// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Records as a program may leave them in a ring, or a file in its log, applied to a machine; then
// everything that reads a machine.
//
//   input: byte (which machine), records of 32 bytes
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../core/procfs.h"
#include "../../core/trace_text.h"
#include "../../core/translate.h"
#include "../../db/codec.h"
#include "fuzz.h"
#include "machines.h"

static struct booted {
	void *memory; // private: what is written goes away with MADV_DONTNEED
	size_t size;
} booted[MACHINES];
static char text[1 << 20];

static void boot(unsigned which)
{
	struct booted *b = &booted[which];
	struct machine_config cfg;
	int fd = memfd_create("machine", MFD_CLOEXEC);
	void *shared;

	fuzz_machine_config(which, &cfg);
	b->size = machine_size(&cfg);
	if (fd < 0 || ftruncate(fd, (off_t)b->size))
		abort();
	shared = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		abort();
	fuzz_machine_boot(which, shared);
	munmap(shared, b->size);
	b->memory = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (b->memory == MAP_FAILED)
		abort();
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (unsigned i = 0; i < MACHINES; i++)
		boot(i);
	return 0;
}

// As `export --format ftrace` and the viewer's steps read what the fold tells.
static void on_trace(struct machine *m, const struct trace_event *t)
{
	const struct trace_context c = {.comm = "fuzz", .pid = 1, .ns = 1};

	for (uint32_t i = 0; i < t->count && i < 3; i++)
		trace_text(m, t, i, &c, text, sizeof(text));
}

static const struct machine_ops ops = {.trace = on_trace};

static void look_at(struct machine *m, const struct record *r, size_t n)
{
	struct translation t;
	char why[256];

	for (const struct proc_file *f = proc_files; f->name; f++)
		if (f->print(m, text, sizeof(text)) < 0)
			abort();
	for (size_t i = 0; i < n; i += n / 32 + 1)
		for (unsigned a = 0; a < 2; a++) {
			machine_translate(m, r[i].arg[a], &t);
			translation_text(m, &t, text, sizeof(text));
		}
	machine_check(m, why, sizeof(why));
	if (!machine_safe(m, why, sizeof(why)))
		return;
	fprintf(stderr, "records broke the machine: %s\n", why);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct record r[FUZZ_RECORDS];
	size_t n = size ? (size - 1) / sizeof(*r) : 0;
	struct booted *b;
	struct machine m;

	if (!n)
		return 0;
	n = n < FUZZ_RECORDS ? n : FUZZ_RECORDS;
	memcpy(r, data + 1, n * sizeof(*r));
	b = &booted[*data % MACHINES];
	if (machine_attach(&m, b->memory, b->size, 0, &ops, NULL))
		abort();
	for (size_t i = 0; i < n; i++)
		log_apply(&m, &r[i]);
	look_at(&m, r, n);
	madvise(b->memory, b->size, MADV_DONTNEED);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	uint64_t random = seed;

	if (size < 2 || fuzz_random(&random) % 64 == 0)
		return LLVMFuzzerMutate(data, size, max);
	return 1 + fuzz_mutate_records(data + 1, size - 1, max - 1, &random);
}
