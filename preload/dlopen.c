// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// dlopen without RTLD_DEEPBIND.
//
// A library bound that way finds libc's malloc and free before ours, and a pointer that crosses its
// border is freed by the wrong one. The flag is taken away and the call goes on to libc's dlopen by a
// jump: libc looks at its caller to know whose search path counts, and that is still the program.
#include <dlfcn.h>

#include "unwind.h"

#define EXPORT __attribute__((visibility("default")))

dlopen_fn dlopen_next;

dlopen_fn dlopen_find(void)
{
	if (!dlopen_next) {
		thread_self.internal++;
		dlopen_next = (dlopen_fn)dlsym(RTLD_NEXT, "dlopen");
		thread_self.internal--;
	}
	return dlopen_next;
}

EXPORT void *dlopen(const char *path, int flags);
__asm__(".globl dlopen\n\t"
	".type dlopen, @function\n"
	"dlopen:\n\t"
	".cfi_startproc\n\t"
	"and $~8, %esi\n\t" // RTLD_DEEPBIND
	"mov dlopen_next(%rip), %rax\n\t"
	"test %rax, %rax\n\t"
	"jz 1f\n\t"
	"jmp *%rax\n"
	"1:\n\t"
	"push %rdi\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	"push %rsi\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	"sub $8, %rsp\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	"call dlopen_find\n\t"
	"add $8, %rsp\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	"pop %rsi\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	"pop %rdi\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	"jmp *%rax\n\t"
	".cfi_endproc\n\t"
	".size dlopen, . - dlopen");

_Static_assert(RTLD_DEEPBIND == 8, "the flag is spelled out above");
