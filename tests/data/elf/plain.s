# A program of every kind of function symbol, for tests/unit: see the recipe beside it.
	.text
	.globl _start
	.type _start, @function
_start:
	xor %ebp, %ebp
	call main
	hlt
	.size _start, . - _start

	.balign 16
	.globl main
	.type main, @function
main:
	push %rbp
	call helper
	pop %rbp
	ret
	.size main, . - main

	.balign 16
	.type helper, @function
helper:
	nop
	ret
	.size helper, . - helper

	.balign 16
	.globl __write, __libc_write
	.weak write
	.type write, @function
	.type __write, @function
	.type __libc_write, @function
write:
__write:
__libc_write:
	nop
	ret
	.size write, . - write
	.size __write, . - __write
	.size __libc_write, . - __libc_write
	.balign 16
	nop
	.balign 16

	.globl no_size
	.type no_size, @function
no_size:
	nop
	ret
	.balign 16
	.globl untyped
untyped:
	nop
local_label:
	ret
	.balign 16
	.globl outer, inner, _in
	.weak aa, zz
	.type outer, @function
	.type aa, @function
	.type zz, @function
	.type inner, @function
	.type _in, @function
aa:
zz:
outer:
	nop
inner:
_in:
	nop
	.size inner, . - inner
	.size _in, . - _in
	nop
	ret
	.size outer, . - outer
	.size aa, . - aa
	.size zz, . - zz

	.balign 16
	.globl thread_start
	.type thread_start, @function
thread_start:
	call *%rdx
	mov %eax, %edi
	mov $60, %eax
	syscall
	nop
	.size thread_start, . - thread_start
	.balign 16
	.globl clone
	.type clone, @function
clone:
	call *%rdx
	hlt
	.size clone, . - clone
	.globl end_of_text
end_of_text:

	.section .rodata
	.globl table
	.type table, @object
table:
	.byte 0
