# Call frame information of each kind that compilers, linkers and hand-written assembly make. The rules in
# tests/unit/test_elf_cfi.c stand beside the symbols' addresses; .cfi_sections is set by the recipe.
.ifdef DEBUG
	.cfi_sections .debug_frame
.endif
.text
.globl pushes, with_fp, realigned, realigned_r10, vfork_like, bottom, big, sigreturn, two_ways, bare
.balign 16
pushes:
	.cfi_startproc
	push %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	push %rbx
	.cfi_def_cfa_offset 24
	.cfi_offset %rbx, -24
	sub $200, %rsp
	.cfi_def_cfa_offset 224
	nop
	add $200, %rsp
	.cfi_def_cfa_offset 24
	pop %rbx
	.cfi_def_cfa_offset 16
	pop %rbp
	.cfi_restore %rbp
	.cfi_def_cfa_offset 8
	ret
	.cfi_endproc
.balign 16
with_fp:
	.cfi_startproc
	push %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	mov %rsp, %rbp
	.cfi_def_cfa_register %rbp
	nop
	.cfi_remember_state
	leave
	.cfi_restore %rbp
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_restore_state
	nop
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
.balign 16
realigned:	# clang's and gcc's: *(rbp - 8)
	.cfi_startproc
	push %rbp
	.cfi_def_cfa %rbp, 16
	.cfi_escape 0x10, 6, 2, 0x76, 0x70		# rbp at rbp - 16: at the CFA's place
	nop
	.cfi_escape 0x0f, 3, 0x76, 0x78, 0x06		# CFA = *(rbp - 8)
	.cfi_escape 0x10, 6, 2, 0x76, 0x00		# rbp at rbp + 0
	nop
	.cfi_escape 0x0f, 6, 0x77, 0x98, 0x08, 0x06, 0x23, 0x08	# CFA = *(rsp + 1048) + 8
	nop
	.cfi_escape 0x0f, 3, 0x77, 0x08, 0x94		# deref_size: none of ours
	.byte 0x90
	.cfi_endproc
.balign 16
realigned_r10:
	.cfi_startproc
	lea 8(%rsp), %r10
	.cfi_def_cfa %r10, 0
	and $-32, %rsp
	push %rbp
	.cfi_escape 0x10, 6, 2, 0x76, 0x00
	nop
	.cfi_endproc
.balign 16
vfork_like:
	.cfi_startproc
	pop %rdi
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rdi
	nop
	push %rdi
	.cfi_adjust_cfa_offset 8
	.cfi_offset %rip, -8
	ret
	.cfi_endproc
.balign 16
bottom:
	.cfi_startproc
	.cfi_undefined %rip
	xor %ebp, %ebp
	nop
	.cfi_endproc
.balign 16
big:
	.cfi_startproc
	.cfi_def_cfa_offset 0x7fffff
	.skip 300, 0x90
	.cfi_def_cfa_offset 0x800000
	.skip 1500, 0x90
	.cfi_def_cfa_offset 16
	nop
	.cfi_endproc
.balign 16
	nop
sigreturn:
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_escape 0x0f, 4, 0x77, 0xa0, 0x01, 0x06	# CFA = *(rsp + 160)
	.cfi_escape 0x10, 6, 3, 0x77, 0xf8, 0x00	# rbp at rsp + 120
	.cfi_escape 0x10, 16, 3, 0x77, 0xa8, 0x01	# rip at rsp + 168
	mov $15, %eax
	syscall
	.cfi_endproc
.balign 16
two_ways:
	.cfi_startproc
	.cfi_offset %rip, -24
	nop
	.cfi_undefined %rbp
	nop
	.cfi_register %rbp, %rax
	nop
	.cfi_same_value %rbp
	.cfi_val_offset %rsp, 0
	nop
	.cfi_val_offset %rsp, 8
	nop
	.cfi_endproc
.balign 16
bare:	# no information at all
	nop
	ret
	.byte 0x90
