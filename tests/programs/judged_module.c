// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// One of two modules for judged.cc: the same return address, frames of another size (MODULE_FRAME).
void module_call(void (*back)(void));

// The instructions are of one length for both sizes, so that addresses are the same.
__asm__(".globl module_call\n"
	".type module_call, @function\n"
	"module_call:\n"
	"	.cfi_startproc\n"
	"	sub $" MODULE_FRAME ", %rsp\n"
	"	.cfi_adjust_cfa_offset " MODULE_FRAME "\n"
	"	call *%rdi\n"
	"	add $" MODULE_FRAME ", %rsp\n"
	"	.cfi_adjust_cfa_offset -" MODULE_FRAME "\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size module_call, . - module_call");
