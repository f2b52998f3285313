// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// speedscope's own format (its file-format-schema.json): one profile per measure over one table of
// frames. Samples go out as they come; the table, known last, stands last.
#include <stdlib.h>

#include "export.h"

struct profile {
	struct export *x;
	enum measure measure;
	GString *weights;
	uint64_t total;
};

static void sample(void *ctx, const struct site_figures *f, const struct site_frame *frame,
		   unsigned n)
{
	struct profile *p = ctx;
	uint64_t value = measure_of(p->measure, f);
	if (!value)
		return;
	const char *comma = p->weights->len ? "," : "";
	fprintf(p->x->out, "%s[", comma);
	while (n--)
		fprintf(p->x->out, "%u%s", export_frame(p->x, &frame[n]) - 1, n ? "," : "");
	fputc(']', p->x->out);
	g_string_append_printf(p->weights, "%s%llu", comma, (unsigned long long)value);
	p->total += value;
}

static void profile(struct export *x, enum measure m)
{
	struct profile p = {x, m, g_string_new(NULL), 0};
	fprintf(x->out, "{\"type\":\"sampled\",\"name\":\"%s\",\"unit\":\"%s\",\"samples\":[",
		measure_title(m), measure_is_bytes(m) ? "bytes" : "none");
	export_stacks(x, sample, &p);
	fprintf(x->out, "],\"weights\":[%s],\"startValue\":0,\"endValue\":%llu}", p.weights->str,
		(unsigned long long)p.total);
	g_string_free(p.weights, TRUE);
}

static void frames(struct export *x)
{
	for (guint i = 0; x->frame && i < x->frame->len; i++) {
		const struct site_frame *f = x->frame->pdata[i];
		g_autofree char *name = json_quote(f->function), *file = json_quote(f->file);
		fprintf(x->out, "%s{\"name\":%s", i ? "," : "", name);
		if (*f->file)
			fprintf(x->out, ",\"file\":%s", file);
		if (f->line > 0)
			fprintf(x->out, ",\"line\":%d", f->line);
		fputc('}', x->out);
	}
}

int export_speedscope(struct export *x)
{
	g_autofree char *name = json_quote(*x->rp.p->argv ? x->rp.p->argv : x->rp.p->exe);
	fprintf(x->out,
		"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
		"\"exporter\":\"kalloscope\",\"name\":%s,\"activeProfileIndex\":%d,\"profiles\":[",
		name, x->rp.window ? 0 : x->measure);
	for (enum measure m = x->rp.window ? MEASURE_BYTES : 0; m < MEASURES; m++) {
		profile(x, m); // a window has no peak of its own
		fputs(m + 1 < MEASURES ? ",\n" : "],\n", x->out);
	}
	fputs("\"shared\":{\"frames\":[", x->out);
	frames(x);
	fputs("]}}\n", x->out);
	return EXIT_SUCCESS;
}
