// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Colours, light and dark. The hues keep apart for the common kinds of colour blindness: they differ
// in lightness as well, and states that meet on the map most (free, used, reserved) by 3:1.
#include "draw.h"

#include <math.h>

#define RGB(hex)                                                                                   \
	{                                                                                          \
		((hex) >> 16 & 255) / 255.0, ((hex) >> 8 & 255) / 255.0, ((hex)&255) / 255.0       \
	}

static const struct palette light = {
	.dark = false,
	.background = RGB(0xfafafa),
	.card = RGB(0xffffff),
	.border = RGB(0xd5d8dc),
	.text = RGB(0x1f2328),
	.dim = RGB(0x5f6670),
	.accent = RGB(0x1c71d8),
	.warn = RGB(0xb35900),
	.bad = RGB(0xc01c28),
	.focus = RGB(0xe01b24),
	.page =
		{
			[PS_HOLE] = RGB(0xfafafa),
			[PS_FREE] = RGB(0xf1f3f5),
			[PS_RESERVED] = RGB(0x868c95),
			[PS_PAGECACHE] = RGB(0x009e73),
			[PS_PAGES] = RGB(0xd55e00),
			[PS_SLAB] = RGB(0xb87a00),
			[PS_PCP] = RGB(0x3d8fc4),
			[PS_VMALLOC] = RGB(0x00548a),
			[PS_PGTABLE] = RGB(0x1a1a1a),
			[PS_KMAP] = RGB(0xa8428a),
		},
	.object =
		{
			[OBJ_FREE] = RGB(0xf1f3f5),
			[OBJ_IN_ARRAY] = RGB(0x3d8fc4),
			[OBJ_ALLOCATED] = RGB(0xb87a00),
		},
	.migrate =
		{
			RGB(0x00548a),
			RGB(0x009e73),
			RGB(0xd55e00),
			RGB(0x868c95),
			RGB(0xa8428a),
		},
	.zone = {RGB(0xb87a00), RGB(0x00548a), RGB(0x009e73), RGB(0xa8428a)},
};

static const struct palette dark = {
	.dark = true,
	.background = RGB(0x242424),
	.card = RGB(0x2e2e30),
	.border = RGB(0x4a4b50),
	.text = RGB(0xeceef1),
	.dim = RGB(0xa6adb8),
	.accent = RGB(0x78aeed),
	.warn = RGB(0xf0a04b),
	.bad = RGB(0xff7b73),
	.focus = RGB(0xff6b61),
	.page =
		{
			[PS_HOLE] = RGB(0x242424),
			[PS_FREE] = RGB(0x3a3b40),
			[PS_RESERVED] = RGB(0x90969f),
			[PS_PAGECACHE] = RGB(0x2ac79a),
			[PS_PAGES] = RGB(0xf0803c),
			[PS_SLAB] = RGB(0xe6b93a),
			[PS_PCP] = RGB(0x7cc4ef),
			[PS_VMALLOC] = RGB(0x5a9be6),
			[PS_PGTABLE] = RGB(0xffffff),
			[PS_KMAP] = RGB(0xe58fc8),
		},
	.object =
		{
			[OBJ_FREE] = RGB(0x3a3b40),
			[OBJ_IN_ARRAY] = RGB(0x7cc4ef),
			[OBJ_ALLOCATED] = RGB(0xe6b93a),
		},
	.migrate =
		{
			RGB(0x5a9be6),
			RGB(0x2ac79a),
			RGB(0xf0803c),
			RGB(0x90969f),
			RGB(0xe58fc8),
		},
	.zone = {RGB(0xe6b93a), RGB(0x5a9be6), RGB(0x2ac79a), RGB(0xe58fc8)},
};

const struct palette *palette_get(bool want_dark)
{
	return want_dark ? &dark : &light;
}

// Text and lines at full contrast; the hues of states stay, for legends and memory's sake.
static struct palette harder(const struct palette *soft)
{
	struct palette p = *soft;
	struct rgb black = RGB(0x000000), white = RGB(0xffffff);

	p.background = p.card = p.page[PS_HOLE] = soft->dark ? black : white;
	p.text = p.dim = p.border = soft->dark ? white : black;
	p.accent = soft->dark ? (struct rgb)RGB(0x9ac8ff) : (struct rgb)RGB(0x003d80);
	p.warn = soft->dark ? (struct rgb)RGB(0xffc080) : (struct rgb)RGB(0x7a3c00);
	p.bad = p.focus = soft->dark ? (struct rgb)RGB(0xff9a94) : (struct rgb)RGB(0xa00010);
	return p;
}

const struct palette *palette_get_contrast(bool want_dark)
{
	static struct palette hard[2];
	struct palette *p = &hard[want_dark];

	if (p->text.r == p->background.r) // not made yet
		*p = harder(palette_get(want_dark));
	return p;
}

static double linear(double c)
{
	return c <= 0.03928 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double luminance(struct rgb c)
{
	return 0.2126 * linear(c.r) + 0.7152 * linear(c.g) + 0.0722 * linear(c.b);
}

double palette_contrast(struct rgb a, struct rgb b)
{
	double x = luminance(a), y = luminance(b);

	return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}
