// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "callers.h"

#include <string.h>

enum {
	MOST_INLINED =
		16 // functions inlined into each other at one address that are looked through
};

// The function that has the code is the last one of the address.
static bool code_of(struct recording *r, uint32_t stack, struct frame *frame)
{
	static struct frame frames[MOST_INLINED];
	unsigned n = recording_stack(r, stack, frames, MOST_INLINED), i = 0;

	if (!n)
		return false;
	while (frames[i].inlined && i + 1 < n)
		i++;
	*frame = frames[i];
	return true;
}

static bool is_program(struct recording *r, int process, const char *module)
{
	const struct process_info *p = recording_process(r, process);

	return p && !strcmp(p->exe, module);
}

static void print_caller(FILE *out, struct recording *r, int process, uint32_t stack)
{
	static struct frame f;
	const char *base;

	if (!code_of(r, stack, &f)) {
		fprintf(out, " 0x%x", stack);
		return;
	}
	fprintf(out, " %s", f.function);
	if (!f.size)
		return;
	fprintf(out, "+0x%x/0x%x", f.place, f.size);
	base = strrchr(f.module, '/');
	if (!is_program(r, process, f.module))
		fprintf(out, " [%s]", base ? base + 1 : f.module);
}

void print_with_callers(FILE *out, struct recording *r, int process, const char *text)
{
	unsigned long stack;
	int before, after;

	for (const char *line = text, *end; *line; line = end) {
		end = strchr(line, '\n');
		end = end ? end + 1 : line + strlen(line);
		before = after = 0;
		if (sscanf(line, "0x%*x-0x%*x %*d%n 0x%lx%n", &before, &stack, &after) == 1 &&
		    after) {
			fwrite(line, 1, (size_t)before, out);
			print_caller(out, r, process, (uint32_t)stack);
			line += after;
		}
		fwrite(line, 1, (size_t)(end - line), out);
	}
}
