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
	ret
	.balign 16
	.globl outer, inner
	.type outer, @function
	.type inner, @function
outer:
	nop
inner:
	nop
	.size inner, . - inner
	nop
	ret
	.size outer, . - outer

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

	.section .rodata
	.globl table
	.type table, @object
table:
	.byte 0
