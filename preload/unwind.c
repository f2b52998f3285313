// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "capture.h"

void unwind_init(void)
{
}

void unwind_thread_start(struct thread *t)
{
	(void)t;
}
