// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Free lists as shelves, order 10 on top: a block is taken and halved on its way down, or finds its
// buddies on its way up.
#include <math.h>
#include <stdio.h>

#include "../../core/event.h"
#include "scene.h"

enum {
	WIDE_LABEL = 128,
	NARROW_LABEL = 64,
	NARROW = 560,
	SIDE_W = 190,
	BOX_GAP = 4,
};

struct shelves {
	double row, block; // heights
	struct box list, cpu, request;
};

static double label_width(const struct scene *c)
{
	return c->w < NARROW ? NARROW_LABEL : WIDE_LABEL;
}

static struct shelves layout(const struct scene *c)
{
	struct shelves l;
	double side = fmin(SIDE_W, c->w * 0.34), right = c->x + c->w - side;

	l.row = fmin(34, floor(c->h / MAX_ORDER));
	l.block = l.row - 8;
	l.list = (struct box){c->x + label_width(c), c->y, right - c->x - label_width(c) - 30,
			      l.row * MAX_ORDER};
	l.request = (struct box){right, c->y + 8, side, 62};
	l.cpu = (struct box){right, c->y + l.row * MAX_ORDER - 70, side, 62};
	return l;
}

static double block_width(unsigned order)
{
	return 18 + 9 * (double)order;
}

static struct box on_shelf(const struct shelves *l, unsigned order, unsigned place)
{
	return (struct box){l->list.x + place * (block_width(order) + BOX_GAP),
			    l->list.y + (MAX_ORDER - 1 - order) * l->row + 4, block_width(order),
			    l->block};
}

static struct box in_box(struct box b, unsigned order, double h)
{
	return (struct box){b.x + b.w - block_width(order) - 12, b.y + b.h - h - 8,
			    block_width(order), h};
}

static uint32_t shown(const struct scene *c, unsigned order, double moment)
{
	return c->t < moment ? c->s->before.nr_free[order] : c->s->after.nr_free[order];
}

// moment: when the figure of the order changes
static void draw_shelf(const struct scene *c, const struct shelves *l, unsigned order,
		       double moment)
{
	uint32_t n = shown(c, order, moment);
	unsigned fits = (unsigned)(l->list.w / (block_width(order) + BOX_GAP));
	double y = l->list.y + (MAX_ORDER - 1 - order) * l->row;
	bool changed = c->s->before.nr_free[order] != c->s->after.nr_free[order];
	struct rgb colour = c->p->pal->zone[c->s->t.zone < MAX_NR_ZONES ? c->s->t.zone : 0];

	pen_textf(c->p, changed ? STYLE_BOLD : STYLE_BODY, ALIGN_LEFT, c->x, y + l->row / 2 - 8, 0,
		  changed ? c->p->pal->accent : c->p->pal->dim,
		  c->w < NARROW ? "order %u" : "order %u · %s", order,
		  fmt_bytes(4096ull << order).s);
	pen_line(c->p, l->list.x, y + l->row - 2, l->list.x + l->list.w, y + l->row - 2,
		 c->p->pal->border);
	for (unsigned i = 0; i < n && i < fits; i++)
		scene_block(c, on_shelf(l, order, i), colour, NULL);
	pen_textf(c->p, changed ? STYLE_BOLD : STYLE_BODY, ALIGN_RIGHT, l->list.x + l->list.w + 26,
		  y + l->row / 2 - 8, 0, n ? c->p->pal->text : c->p->pal->dim, "%u", n);
}

// When the figure of an order changes: the halves of a split one after another, else half way.
static double moment_of(const struct step *s, unsigned order)
{
	double n = fabs((double)s->t.order - s->t.order2);

	if (s->t.kind == EV_T_BUDDY_SPLIT && n > 0)
		return order >= s->t.order ? 0.05 : (s->t.order - order) / n;
	if (s->t.kind == EV_T_BUDDY_MERGE && n > 0)
		return order >= s->t.order2 ? 0.98 : (order - s->t.order + 0.5) / n;
	return s->t.kind == EV_T_MM_PAGE_ALLOC_ZONE_LOCKED ? 0.05 : 0.95;
}

// Down a shelf at a time, the upper half staying behind each time.
static void draw_split(const struct scene *c, const struct shelves *l)
{
	unsigned high = c->s->t.order, low = c->s->t.order2;
	double n = high - low, at = fmin(c->t * n, n);
	unsigned done = (unsigned)fmin(floor(at), n - 1), order = high - done;
	struct box from = on_shelf(l, order, 0), to = on_shelf(l, order - 1, 0), half;
	struct rgb colour = c->p->pal->warn;
	double part = at - done;

	from.x += 40 + done * 8;
	to.x += 48 + done * 8;
	half = to;
	half.x += block_width(order - 1) + BOX_GAP;
	scene_block(c, scene_between(from, to, part), colour, c->t >= 1 ? "yours" : NULL);
	if (c->t < 1)
		scene_block(
			c,
			scene_between((struct box){from.x + from.w / 2, from.y, from.w / 2, from.h},
				      half, part),
			c->p->pal->accent, _("upper half"));
}

static void draw_merge(const struct scene *c, const struct shelves *l)
{
	unsigned low = c->s->t.order, high = c->s->t.order2;
	double n = high - low, at = fmin(c->t * n, n);
	unsigned done = (unsigned)fmin(floor(at), n - 1), order = low + done;
	struct box from = on_shelf(l, order, 0), to = on_shelf(l, order + 1, 0), buddy;
	double part = at - done;

	from.x += 60;
	to.x += 52;
	buddy = on_shelf(l, order, 0);
	scene_block(c, scene_between(from, to, part), c->p->pal->warn, NULL);
	if (part < 0.8) {
		struct box beside = from;

		beside.x += from.w;
		scene_block(c, scene_between(buddy, beside, fmin(1, part * 2)), c->p->pal->accent,
			    _("buddy"));
	}
}

static void draw_move(const struct scene *c, struct box from, struct box to)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%x", c->s->t.pfn);
	scene_block(c, scene_between(from, to, c->t), c->p->pal->warn, text);
}

static void draw_moving(const struct scene *c, const struct shelves *l)
{
	const struct trace_event *t = &c->s->t;
	struct box shelf = on_shelf(l, t->order, 0), cpu = in_box(l->cpu, t->order, l->block);
	struct box request = in_box(l->request, t->order, l->block);

	shelf.x += 30;
	switch ((enum event_kind)t->kind) {
	case EV_T_BUDDY_SPLIT:
		if (t->order > t->order2)
			draw_split(c, l);
		break;
	case EV_T_BUDDY_MERGE:
		if (t->order2 > t->order)
			draw_merge(c, l);
		break;
	case EV_T_MM_PAGE_ALLOC_ZONE_LOCKED:
		draw_move(c, shelf, t->flags ? cpu : request);
		break;
	case EV_T_MM_PAGE_ALLOC:
		draw_move(c, t->order ? shelf : cpu, request);
		break;
	case EV_T_MM_PAGE_FREE:
		draw_move(c, request, t->order ? shelf : cpu);
		break;
	case EV_T_MM_PAGE_PCPU_DRAIN:
		draw_move(c, cpu, shelf);
		break;
	default:
		shelf = on_shelf(l, t->order2 < MAX_ORDER ? t->order2 : 0, 0);
		scene_block(c, shelf, c->p->pal->migrate[t->migratetype % MIGRATE_TYPES], NULL);
	}
}

void scene_buddy(const struct scene *c)
{
	struct shelves l = layout(c);
	char label[40];

	for (unsigned o = MAX_ORDER; o-- > 0;)
		draw_shelf(c, &l, o, moment_of(c->s, o));
	pen_card(c->p, l.request.x, l.request.y, l.request.w, l.request.h);
	pen_text(c->p, STYLE_SMALL, ALIGN_LEFT, l.request.x + 10, l.request.y + 8, l.request.w - 16,
		 c->p->pal->dim,
		 l.request.w < 150 ? _("request or user") : _("the request, or the user"));
	snprintf(label, sizeof(label), l.cpu.w < 150 ? "CPU %u, %.10s" : "CPU %u's lists of %.10s",
		 c->s->t.cpu, c->s->t.zone < MAX_NR_ZONES ? zone_names[c->s->t.zone] : "?");
	scene_counter(c, l.cpu, label, c->s->before.pcp, c->s->after.pcp);
	draw_moving(c, &l);
	pen_textf(c->p, STYLE_SMALL, ALIGN_LEFT, c->x, c->y + l.row * MAX_ORDER + 2, c->w,
		  c->p->pal->dim, _("blocks of all types of mobility; this step is about %s"),
		  migratetype_name(c->s->t.migratetype));
}
