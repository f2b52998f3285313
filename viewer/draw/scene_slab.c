// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A cache: the CPU's array of free objects, the shared one, and the three lists of slabs.
#include <math.h>
#include <stdio.h>

#include "scene.h"

enum {
	STRIP_H = 26,
	MOST_DOTS = 24
};

// An array as a row of cells, filled from the left: the next object out is the last one.
static struct box strip(const struct scene *c, double y, const char *label, double filled,
			uint32_t limit)
{
	struct box b = {c->x, y + 20, c->w, STRIP_H};
	double cell = b.w / (limit ? limit : 1);

	pen_textf(c->p, STYLE_BODY, ALIGN_LEFT, c->x, y, 0, c->p->pal->text, "%s: %.0f of %u",
		  label, floor(filled + 0.5), limit);
	pen_fill(c->p, b.x, b.y, b.w, b.h, c->p->pal->page[PS_FREE]);
	pen_fill(c->p, b.x, b.y, fmin(b.w, cell * filled), b.h, c->p->pal->object[OBJ_IN_ARRAY]);
	for (uint32_t i = 1; cell > 5 && i < limit; i++)
		pen_line(c->p, b.x + i * cell, b.y, b.x + i * cell, b.y + b.h,
			 c->p->pal->background);
	pen_frame(c->p, b.x, b.y, b.w, b.h, c->p->pal->border);
	b.x += fmin(b.w, cell * filled);
	b.w = fmax(6, fmin(16, cell));
	return b;
}

// Objects on their way, one behind the other.
static void dots(const struct scene *c, struct box from, struct box to, uint32_t count)
{
	uint32_t n = count < MOST_DOTS ? count : MOST_DOTS;

	for (uint32_t i = 0; i < n; i++) {
		double start = 0.6 * i / (n ? n : 1);
		double part = scene_part(c->t, start, start + 0.4);
		struct box b;

		if (part <= 0 || part >= 1)
			continue;
		b = scene_between((struct box){from.x + from.w / 2, from.y + from.h / 2, 8, 8},
				  (struct box){to.x, to.y + to.h / 2, 8, 8}, part);
		scene_block(c, b, c->p->pal->warn, NULL);
	}
}

// The object that leaves for its user, to the right, or comes from there.
static void one_object(const struct scene *c, struct box array, bool out)
{
	struct box here = {array.x, array.y - 2, 84, array.h + 4}, there = here;
	char text[16];

	there.x = c->x + c->w - 84;
	there.y -= 24;
	snprintf(text, sizeof(text), "0x%08x", c->s->t.addr);
	scene_block(c, scene_between(out ? here : there, out ? there : here, c->t), c->p->pal->warn,
		    text);
}

struct slab_lists {
	struct box list[3], pages;
};

static struct slab_lists lists(const struct scene *c, double y)
{
	static const char *const name[3] = {"partial", "full", "free"};
	const uint32_t before[3] = {c->s->before.partial, c->s->before.full,
				    c->s->before.free_slabs};
	const uint32_t after[3] = {c->s->after.partial, c->s->after.full, c->s->after.free_slabs};
	struct slab_lists l;
	double w = (c->w - 36) / 4;

	for (unsigned i = 0; i < 3; i++) {
		l.list[i] = (struct box){c->x + i * (w + 12), y, w, 74};
		scene_counter(c, l.list[i], name[i], before[i], after[i]);
	}
	l.pages = (struct box){c->x + 3 * (w + 12), y, w, 74};
	pen_card(c->p, l.pages.x, y, w, 74);
	pen_text(c->p, STYLE_SMALL, ALIGN_LEFT, l.pages.x + 10, y + 8, w - 16, c->p->pal->dim,
		 w < 130 ? _("pages") : _("page allocator"));
	return l;
}

static void new_slab(const struct scene *c, struct box from, struct box to)
{
	char text[24];

	from.x += from.w / 2 - 30;
	to.x += to.w / 2 - 30;
	from.y += 36;
	to.y += 36;
	from.w = to.w = 76;
	from.h = to.h = 24;
	snprintf(text, sizeof(text), "0x%x", c->s->t.pfn);
	scene_block(c, scene_between(from, to, c->t), c->p->pal->object[OBJ_ALLOCATED], text);
}

void scene_slab(const struct scene *c)
{
	const struct step_state *a = &c->s->before, *b = &c->s->after;
	const struct trace_event *t = &c->s->t;
	char label[40];
	double step = fmin(76, c->h / 4);
	struct box array, shared, source;
	struct slab_lists l;

	snprintf(label, sizeof(label), "array of CPU %u", t->cpu);
	array = strip(c, c->y, label, a->avail + (b->avail - (double)a->avail) * c->t, b->limit);
	shared = strip(c, c->y + step, "array shared by all CPUs",
		       a->shared + (b->shared - (double)a->shared) * c->t, b->shared_limit);
	l = lists(c, c->y + 2 * step);
	source = t->flags ? shared : b->partial || a->partial ? l.list[0] : l.list[2];
	if (t->kind == EV_T_KMALLOC || t->kind == EV_T_KMEM_CACHE_ALLOC)
		one_object(c, array, true);
	else if (t->kind == EV_T_KFREE || t->kind == EV_T_KMEM_CACHE_FREE)
		one_object(c, array, false);
	else if (t->kind == EV_T_CACHE_REFILL)
		dots(c, source, array, t->count);
	else if (t->kind == EV_T_CACHE_FLUSH)
		dots(c, array, t->flags ? shared : l.list[0], t->count);
	else if (t->kind == EV_T_CACHE_GROW)
		new_slab(c, l.pages, l.list[2]);
	else if (t->kind == EV_T_CACHE_SLAB_DESTROY)
		new_slab(c, l.list[2], l.pages);
}
