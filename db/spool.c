// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The spool: appending whole chunks, and reading them while the file grows.
#include "session_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "codec.h"

enum {
	PAYLOAD_MAX = 64 << 20
}; // a ring of the largest size in one chunk

static size_t payload_bytes(const struct spool_chunk *c)
{
	return c->type == SPOOL_RECORDS ? (size_t)c->count * sizeof(struct record) : c->count;
}

int spool_write(struct spool_writer *w, struct spool_chunk *c, const void *payload)
{
	size_t bytes = payload_bytes(c), want = sizeof(*c) + bytes, done = 0;

	c->magic = SPOOL_MAGIC;
	c->check = bytes ? bytes_hash(payload, bytes) : 0;
	while (done < want) {
		struct iovec iov[2] = {{c, sizeof(*c)}, {(void *)payload, bytes}};
		size_t skip = done < sizeof(*c) ? done : sizeof(*c);
		ssize_t n;

		iov[0].iov_base = (char *)c + skip;
		iov[0].iov_len -= skip;
		if (bytes)
			iov[1].iov_base = (char *)payload + (done - skip);
		iov[1].iov_len -= done - skip;
		n = writev(w->fd, iov, 2);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			goto err_cut;
	}
	w->size += want;
	return 0;
err_cut:;
	int error = errno ? errno : EIO;
	if (ftruncate(w->fd, (off_t)w->size))
		error = EIO;
	return -error;
}

int spool_open(struct spool_reader *r, const char *folder)
{
	int fd = session_file(folder, "spool", O_RDONLY);

	*r = (struct spool_reader){.fd = fd};
	return fd < 0 ? fd : 0;
}

void spool_close(struct spool_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	free(r->payload);
	*r = (struct spool_reader){.fd = -1};
}

static bool chunk_sane(const struct spool_chunk *c)
{
	return c->magic == SPOOL_MAGIC && c->type >= SPOOL_PROCESS && c->type <= SPOOL_CLOSED &&
	       payload_bytes(c) <= PAYLOAD_MAX && (c->type != SPOOL_RECORDS || c->cpu < MAX_CPUS);
}

static int payload_room(struct spool_reader *r, size_t bytes)
{
	void *p;

	if (bytes <= r->room)
		return 0;
	p = realloc(r->payload, bytes);
	if (!p)
		return -ENOMEM;
	r->payload = p;
	r->room = bytes;
	return 0;
}

static bool read_at(int fd, void *to, size_t n, uint64_t offset)
{
	return pread(fd, to, n, (off_t)offset) == (ssize_t)n;
}

// A whole chunk at the reader's place: SPOOL_MORE, SPOOL_WAIT, -EILSEQ, -ENOMEM. Moves on only past a
// whole one, -EBADMSG when its payload is not what was written.
static int next_chunk(struct spool_reader *r, struct spool_chunk *c)
{
	size_t bytes;

	if (!read_at(r->fd, c, sizeof(*c), r->offset))
		return SPOOL_WAIT;
	if (!chunk_sane(c))
		return -EILSEQ;
	bytes = payload_bytes(c);
	if (payload_room(r, bytes))
		return -ENOMEM;
	if (!read_at(r->fd, r->payload, bytes, r->offset + sizeof(*c)))
		return SPOOL_WAIT;
	r->offset += sizeof(*c) + bytes;
	return !bytes || bytes_hash(r->payload, bytes) == c->check ? SPOOL_MORE : -EBADMSG;
}

int spool_next(struct spool_reader *r, struct spool_chunk *c, const void **payload)
{
	int got;

	while ((got = next_chunk(r, c)) == -EBADMSG)
		r->damaged++;
	*payload = r->payload;
	return got;
}

uint64_t spool_bytes(const struct spool_reader *r)
{
	struct stat st;

	return fstat(r->fd, &st) ? 0 : (uint64_t)st.st_size;
}

int spool_pass(struct spool_reader *r, struct spool_chunk *c)
{
	off_t size = lseek(r->fd, 0, SEEK_END);
	const void *payload;
	uint64_t end;

	if (!read_at(r->fd, c, sizeof(*c), r->offset) || !chunk_sane(c) || c->type != SPOOL_RECORDS)
		return spool_next(r, c, &payload);
	end = r->offset + sizeof(*c) + payload_bytes(c);
	if (size < 0 || end > (uint64_t)size)
		return SPOOL_WAIT;
	r->offset = end;
	return SPOOL_MORE;
}
