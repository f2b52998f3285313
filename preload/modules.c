// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "capture.h"

void modules_refresh(struct thread *t)
{
	(void)t;
}

void modules_changed(void)
{
}
