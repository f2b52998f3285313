// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Commands may end the program. Here that only ends the command: linked with --wrap=exit.
#include "ending.h"

#include <setjmp.h>
#include <stdbool.h>

static jmp_buf ended;
static bool inside;

_Noreturn void __real_exit(int status);
_Noreturn void __wrap_exit(int status);
_Noreturn void __wrap_exit(int status)
{
	if (!inside)
		__real_exit(status);
	longjmp(ended, 1);
}

void fuzz_until_exit(void (*what)(void *arg), void *arg)
{
	inside = true;
	if (!setjmp(ended))
		what(arg);
	inside = false;
}
