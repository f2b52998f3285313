// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// CSV (RFC 4180): one line an event, with the call site by name. Columns are those of the view
// events, addresses in hexadecimal.
#include <stdlib.h>

#include "export.h"

enum {
	ROWS = 1024 // read at a time
};

// "function,file,line" of a stack's site, looked up once.
static const char *site(struct export *x, GHashTable *known, uint32_t stack)
{
	char *text = g_hash_table_lookup(known, GUINT_TO_POINTER(stack));
	unsigned n;
	if (text)
		return text;
	const struct site_frame *f = stack_frames(&x->rp, stack, &n);
	GString *t = g_string_new(NULL);
	if (n) {
		f += stack_site(f, n);
		csv_quote(t, f->function);
		g_string_append_c(t, ',');
		csv_quote(t, f->file);
		g_string_append_printf(t, ",%d", f->line);
	} else {
		g_string_append(t, ",,");
	}
	text = g_string_free(t, FALSE);
	g_hash_table_insert(known, GUINT_TO_POINTER(stack), text);
	return text;
}

static void line(struct export *x, GHashTable *known, const struct event_row *e)
{
	fprintf(x->out, "%llu,%lld,%d,%d,%d,%s,%s,0x%llx,%llu,%llu,%u,%u,%llu,%s\r\n",
		(unsigned long long)e->id, (long long)e->t_ns, e->process, e->thread, e->cpu,
		event_name(e->kind), op_path_name(e->path), (unsigned long long)e->addr,
		(unsigned long long)e->req, (unsigned long long)e->alloc, e->gfp, e->stack,
		(unsigned long long)e->ref, site(x, known, e->stack));
}

int export_csv(struct export *x)
{
	static struct event_row rows[ROWS];
	g_autoptr(GHashTable) known = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	unsigned n;
	fputs("id,t_ns,process,thread,cpu,kind,path,addr,req,alloc,gfp,stack,ref,function,file,"
	      "line\r\n",
	      x->out);
	for (uint64_t id = x->rp.from; id <= x->rp.to && !ferror(x->out); id = rows[n - 1].id + 1) {
		n = recording_rows(x->rp.r, id, ROWS, rows);
		if (!n)
			break;
		for (unsigned i = 0; i < n && rows[i].id <= x->rp.to; i++)
			if (rows[i].process == x->rp.p->process &&
			    stack_wanted(&x->rp, rows[i].stack))
				line(x, known, &rows[i]);
	}
	return EXIT_SUCCESS;
}
