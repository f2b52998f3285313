// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "perf_map.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PERF_MAP_MAX = 256 << 20
};

static int by_start(const void *a, const void *b)
{
	const struct perf_symbol *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

// The folder is everybody's: only a plain file of our own user is believed.
static char *read_own_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *text = NULL;
	ssize_t n = -1;
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    st.st_size < PERF_MAP_MAX)
		text = malloc((size_t)st.st_size + 1);
	if (text)
		n = read(fd, text, (size_t)st.st_size);
	close(fd);
	if (text)
		text[n > 0 ? n : 0] = 0;
	return text;
}

// Names may contain blanks; lines that do not fit the form are skipped.
static bool parse_line(char *line, struct perf_symbol *s)
{
	char *end;
	s->start = strtoull(line, &end, 16);
	if (end == line || *end != ' ')
		return false;
	s->size = strtoull(end, &end, 16);
	s->name = end + 1;
	return *end == ' ' && end[1];
}

static void parse(struct perf_map *m)
{
	size_t room = 1;
	char *save;
	for (const char *p = m->text; *p; p++)
		room += *p == '\n';
	m->symbol = calloc(room, sizeof(*m->symbol));
	if (!m->symbol)
		return;
	for (char *l = strtok_r(m->text, "\n", &save); l && m->n < room;
	     l = strtok_r(NULL, "\n", &save))
		m->n += parse_line(l, &m->symbol[m->n]);
	qsort(m->symbol, m->n, sizeof(*m->symbol), by_start);
}

void perf_map_open(struct perf_map *m, int pid)
{
	char path[64];
	if (m->pid == pid)
		return;
	perf_map_close(m);
	m->pid = pid;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	m->text = read_own_file(path);
	if (m->text)
		parse(m);
}

// The last symbol that starts at or before the address, if it reaches that far.
const char *perf_map_find(const struct perf_map *m, uint64_t address)
{
	size_t lo = 0, hi = m->n; // symbols before lo start at or before the address
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (m->symbol[mid].start <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || address - m->symbol[lo - 1].start >= m->symbol[lo - 1].size)
		return NULL;
	return m->symbol[lo - 1].name;
}

void perf_map_close(struct perf_map *m)
{
	free(m->symbol);
	free(m->text);
	*m = (struct perf_map){0};
}
