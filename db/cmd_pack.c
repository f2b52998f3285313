// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope pack and unpack: a recording as one zstd file, to be sent around, and back.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "cli.h"

enum {
	LEVEL = 9, // a third of the default's time lost for a tenth less size; unpacking stays quick
	CHUNK = 1 << 20
};

struct stream {
	const char *command, *from, *to;
	FILE *in, *out;
	char *inbuf, *outbuf;
	uint64_t read, written;
};

// The context does its work on `in`; 0 from it at the end: everything is said.
typedef size_t (*step_fn)(void *ctx, ZSTD_outBuffer *out, ZSTD_inBuffer *in, bool last);

static size_t pack_step(void *ctx, ZSTD_outBuffer *out, ZSTD_inBuffer *in, bool last)
{
	return ZSTD_compressStream2(ctx, out, in, last ? ZSTD_e_end : ZSTD_e_continue);
}

static size_t unpack_step(void *ctx, ZSTD_outBuffer *out, ZSTD_inBuffer *in, bool last)
{
	(void)last;
	return ZSTD_decompressStream(ctx, out, in);
}

static bool say(const struct stream *s, const char *what, const char *why)
{
	cli_error("%s: %s: %s", s->command, what, why);
	return false;
}

static bool write_out(struct stream *s, const ZSTD_outBuffer *out)
{
	s->written += out->pos;
	return fwrite(s->outbuf, 1, out->pos, s->out) == out->pos || say(s, s->to, strerror(errno));
}

// One piece of input until it is used up; *left as the step returned it last.
static bool step_all(struct stream *s, void *ctx, step_fn step, size_t n, bool last, size_t *left)
{
	ZSTD_inBuffer in = {s->inbuf, n, 0};
	bool more;
	do {
		ZSTD_outBuffer out = {s->outbuf, CHUNK, 0};
		*left = step(ctx, &out, &in, last);
		if (ZSTD_isError(*left))
			return say(s, s->from, ZSTD_getErrorName(*left));
		if (!write_out(s, &out))
			return false;
		more = in.pos < in.size || out.pos == out.size ||
		       (step == pack_step && last && *left);
	} while (more);
	return true;
}

static bool copy(struct stream *s, void *ctx, step_fn step)
{
	size_t n, left = 1;
	do {
		n = fread(s->inbuf, 1, CHUNK, s->in);
		s->read += n;
		if (ferror(s->in))
			return say(s, s->from, strerror(errno));
		if ((n || step == pack_step) && !step_all(s, ctx, step, n, n < CHUNK, &left))
			return false;
	} while (n == CHUNK);
	return !left || say(s, s->from, "the file ends in the middle");
}

// A recording says what a program did: the owner's alone, as the one it is made from.
static FILE *create(const char *path)
{
	unlink(path); // of an attempt that was ended
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? NULL : fdopen(fd, "wb");
}

static bool in_the_way(const char *path, bool force)
{
	struct stat st;
	if (lstat(path, &st))
		return false;
	if (!S_ISREG(st.st_mode))
		cli_error("%s is no plain file; name another with --output", path);
	else if (!force)
		cli_error("%s exists; replace it with --force, or name another with --output",
			  path);
	return !force || !S_ISREG(st.st_mode);
}

// The result appears complete or not at all.
static int convert(struct stream *s, void *ctx, step_fn step, bool force)
{
	char temporary[PATH_MAX];
	bool ok = snprintf(temporary, sizeof(temporary), "%s.part", s->to) < PATH_MAX;
	if (in_the_way(s->to, force))
		return EXIT_USAGE;
	s->in = fopen(s->from, "rb");
	if (!s->in || !ok) {
		say(s, s->from, strerror(errno));
		return EXIT_USAGE;
	}
	s->out = ok ? create(temporary) : NULL;
	if (!s->out)
		ok = say(s, temporary, strerror(errno));
	ok = ok && copy(s, ctx, step);
	if (s->out && fclose(s->out) && ok)
		ok = say(s, temporary, strerror(errno));
	fclose(s->in);
	if (ok && rename(temporary, s->to))
		ok = say(s, s->to, strerror(errno));
	if (!ok && s->out)
		unlink(temporary);
	if (ok)
		printf("%s: %s, was %s\n", s->to, fmt_bytes(s->written), fmt_bytes(s->read));
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct stream *s, bool pack, bool force)
{
	void *ctx = pack ? (void *)ZSTD_createCCtx() : (void *)ZSTD_createDCtx();
	s->inbuf = malloc(CHUNK);
	s->outbuf = malloc(CHUNK);
	int status = EXIT_FAILURE;
	if (ctx && pack) {
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, LEVEL);
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	}
	if (ctx && s->inbuf && s->outbuf)
		status = convert(s, ctx, pack ? pack_step : unpack_step, force);
	else
		cli_error("out of memory");
	pack ? ZSTD_freeCCtx(ctx) : ZSTD_freeDCtx(ctx);
	free(s->inbuf);
	free(s->outbuf);
	return status;
}

// Only what nobody writes any more: a file in the making has its newest events beside it (-wal).
static bool complete(const char *path)
{
	struct recording *r = cli_open(path);
	bool whole = r && recording_complete(r);
	if (r && !whole)
		cli_error("%s is still written, or was interrupted: see 'kalloscope recover'",
			  path);
	recording_close(r);
	return whole;
}

static bool is_packed(const char *path)
{
	static const unsigned char magic[] = {0x28, 0xB5, 0x2F, 0xFD};
	unsigned char head[4] = {0};
	struct stat st;
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		cli_error("%s is no plain file", path);
		return false;
	}
	FILE *f = fopen(path, "rb");
	bool packed = f && fread(head, 1, 4, f) == 4 && !memcmp(head, magic, 4);
	if (f)
		fclose(f);
	else
		cli_error("%s: %s", path, strerror(errno));
	if (f && !packed)
		cli_error("%s is not packed", path);
	return packed;
}

// a.kalloscope <-> a.kalloscope.zst
static void default_name(const char *path, bool pack, char *to, size_t size)
{
	size_t n = strlen(path);
	if (pack)
		snprintf(to, size, "%s.zst", path);
	else if (n > 4 && !strcmp(path + n - 4, ".zst"))
		snprintf(to, size, "%.*s", (int)(n - 4), path);
	else
		snprintf(to, size, "%s.kalloscope", path);
}

static int command(const char *name, bool pack, int argc, char **argv)
{
	struct stream s = {.command = name};
	char to[PATH_MAX];
	bool force = false;
	struct cli c;
	cli_init(&c, name, argc, argv);
	for (int id; (id = cli_next(&c)) != -1;) {
		force |= id == 'f';
		s.to = id == 'o' ? c.value : s.to;
	}
	s.from = cli_operands(&c, 1)[0];
	if (!(pack ? complete(s.from) : is_packed(s.from)))
		return EXIT_USAGE;
	default_name(s.from, pack, to, sizeof(to));
	s.to = s.to ? s.to : to;
	return run(&s, pack, force);
}

int cmd_pack(int argc, char **argv)
{
	return command("pack", true, argc, argv);
}

int cmd_unpack(int argc, char **argv)
{
	return command("unpack", false, argc, argv);
}
