// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A bare LD_PRELOAD: the library starts the recorder itself.
#include "capture.h"

bool bare_start(char *path, size_t size)
{
	(void)path;
	(void)size;
	return false;
}

void bare_export(const char *path)
{
	(void)path;
}
