// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Names of events, routes, reasons, gfp masks and migrate types.
#include <stdio.h>
#include <string.h>

#include "event.h"

static const struct {
	const char *name, *fields;
} events[EV_COUNT] = {
#define OP(kind, name) [EV_##kind] = {name, ""},
#include "event.def"
#define STEP(kind, name, args) [EV_##kind] = {name, args},
#include "event.def"
#define TRACE(kind, name, fields) [EV_T_##kind] = {name, fields},
#include "event.def"
};

const char *event_name(enum event_kind kind)
{
	return (unsigned)kind < EV_COUNT && events[kind].name ? events[kind].name : "?";
}

const char *event_fields(enum event_kind kind)
{
	return (unsigned)kind < EV_COUNT && events[kind].fields ? events[kind].fields : "";
}

const char *op_path_name(enum op_path path)
{
	static const char *const names[PATH_COUNT] = {
		[PATH_NONE] = "none",	    [PATH_KMALLOC] = "kmalloc", [PATH_SLAB] = "slab",
		[PATH_PAGES] = "pages",	    [PATH_VMALLOC] = "vmalloc", [PATH_KMAP] = "kmap",
		[PATH_IOREMAP] = "ioremap", [PATH_FILE] = "file",	[PATH_HOST] = "host",
		[PATH_POOL] = "pool",	    [PATH_OWN_POOL] = "own_pool",
	};

	return (unsigned)path < PATH_COUNT ? names[path] : "?";
}

const char *host_reason_name(enum host_reason r)
{
	static const char *const names[HOST_REASONS] = {
		[HOST_NONE] = "none",
		[HOST_SPILL] = "machine full",
		[HOST_NO_ARENA] = "no arena",
		[HOST_EARLY] = "before the machine was up",
		[HOST_PROT_NONE] = "PROT_NONE",
		[HOST_NORESERVE] = "MAP_NORESERVE",
		[HOST_FIXED] = "MAP_FIXED",
		[HOST_GROWSDOWN] = "MAP_GROWSDOWN",
		[HOST_HUGETLB] = "MAP_HUGETLB",
		[HOST_32BIT] = "MAP_32BIT",
		[HOST_TOO_BIG] = "more than the machine has",
		[HOST_FOREIGN] = "foreign pointer",
		[HOST_MOVED] = "grew out of the machine",
		[HOST_MAP_LIMIT] = "mapping limit near",
		[HOST_STACK] = "thread stack",
		[HOST_SHARED] = "shared mapping",
		[HOST_NESTED] = "pool empty in a signal handler",
	};

	return (unsigned)r < HOST_REASONS ? names[r] : "?";
}

gfp_t gfp_code_value(enum gfp_code code)
{
	static const gfp_t values[GFPC_COUNT] = {
		[GFPC_KERNEL] = GFP_KERNEL,
		[GFPC_KERNEL_ZERO] = GFP_KERNEL | __GFP_ZERO,
		[GFPC_ATOMIC] = GFP_ATOMIC,
		[GFPC_ATOMIC_ZERO] = GFP_ATOMIC | __GFP_ZERO,
		[GFPC_HIGHUSER] = GFP_HIGHUSER,
		[GFPC_HIGHUSER_ZERO] = GFP_HIGHUSER | __GFP_ZERO,
		[GFPC_KERNEL_HIGH] = GFP_KERNEL | __GFP_HIGHMEM,
		[GFPC_KERNEL_HIGH_ZERO] = GFP_KERNEL | __GFP_HIGHMEM | __GFP_ZERO,
		[GFPC_DMA] = GFP_KERNEL | __GFP_DMA,
		[GFPC_DMA_ZERO] = GFP_KERNEL | __GFP_DMA | __GFP_ZERO,
		[GFPC_KERNEL_COMP] = GFP_KERNEL | __GFP_COMP,
		[GFPC_KERNEL_COMP_ZERO] = GFP_KERNEL | __GFP_COMP | __GFP_ZERO,
	};

	return (unsigned)code < GFPC_COUNT ? values[code] : 0;
}

const char *migratetype_name(unsigned mt)
{
	static const char *const names[MIGRATE_TYPES] = {"Unmovable", "Reclaimable", "Movable",
							 "Reserve", "Isolate"};

	return mt < MIGRATE_TYPES ? names[mt] : "?";
}

static const struct {
	gfp_t mask;
	const char *name;
} gfp_names[] = {
	{0x4352DA, "GFP_TRANSHUGE"},
	{GFP_HIGHUSER_MOVABLE, "GFP_HIGHUSER_MOVABLE"},
	{GFP_HIGHUSER, "GFP_HIGHUSER"},
	{GFP_USER, "GFP_USER"},
	{GFP_TEMPORARY, "GFP_TEMPORARY"},
	{GFP_KERNEL, "GFP_KERNEL"},
	{GFP_NOFS, "GFP_NOFS"},
	{GFP_ATOMIC, "GFP_ATOMIC"},
	{GFP_NOIO, "GFP_NOIO"},
	{__GFP_HIGH, "GFP_HIGH"},
	{__GFP_WAIT, "GFP_WAIT"},
	{__GFP_IO, "GFP_IO"},
	{__GFP_COLD, "GFP_COLD"},
	{__GFP_NOWARN, "GFP_NOWARN"},
	{__GFP_REPEAT, "GFP_REPEAT"},
	{__GFP_NOFAIL, "GFP_NOFAIL"},
	{__GFP_NORETRY, "GFP_NORETRY"},
	{__GFP_COMP, "GFP_COMP"},
	{__GFP_ZERO, "GFP_ZERO"},
	{__GFP_NOMEMALLOC, "GFP_NOMEMALLOC"},
	{__GFP_HARDWALL, "GFP_HARDWALL"},
	{__GFP_THISNODE, "GFP_THISNODE"},
	{__GFP_RECLAIMABLE, "GFP_RECLAIMABLE"},
	{__GFP_MOVABLE, "GFP_MOVABLE"},
	{0, "GFP_NOTRACK"}, // no bit without KMEMCHECK, so it matches whatever is left
	{__GFP_NO_KSWAPD, "GFP_NO_KSWAPD"},
	{__GFP_OTHER_NODE, "GFP_OTHER_NODE"},
};

static int append(char *buf, size_t size, int len, const char *text)
{
	size_t at = (size_t)len < size ? (size_t)len : size;

	return len + snprintf(buf + at, size - at, "%s%s", len ? "|" : "", text);
}

// Greedy, largest combinations first, as the kernel's trace events print it.
int gfp_string(gfp_t gfp, char *buf, size_t size)
{
	char rest[16];
	int len = 0;

	if (!gfp)
		return snprintf(buf, size, "GFP_NOWAIT");
	for (size_t i = 0; gfp && i < sizeof(gfp_names) / sizeof(gfp_names[0]); i++) {
		if ((gfp & gfp_names[i].mask) != gfp_names[i].mask)
			continue;
		len = append(buf, size, len, gfp_names[i].name);
		gfp &= ~gfp_names[i].mask;
	}
	if (gfp) {
		snprintf(rest, sizeof(rest), "0x%x", gfp);
		len = append(buf, size, len, rest);
	}
	return len;
}
