/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: 2026 The kalloscope authors */
/*
 * Marks in a recording. Nothing needs to be linked: without the preload a mark costs one comparison.
 *
 *	#include <kalloscope.h>
 *	kalloscope_mark("phase 2");
 *
 * A mark is an event (kind 'mark', with the backtrace of its call), and its text stands in the table
 * `mark` of the recording, in reports and exports. Texts are cut after 1000 bytes.
 *
 * The program must be compiled as usual on Debian, as a position-independent executable (or a
 * library); with -no-pie the linker settles the weak symbol to nothing and marks do nothing.
 */
#ifndef KALLOSCOPE_H
#define KALLOSCOPE_H

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((weak)) void kalloscope_mark_text(const char *text);

static inline void kalloscope_mark(const char *text)
{
	if (kalloscope_mark_text)
		kalloscope_mark_text(text);
}

#ifdef __cplusplus
}
#endif
#endif
