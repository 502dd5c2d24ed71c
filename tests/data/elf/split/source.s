# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A library whose symbols are put away in three ways: see recipe. One exported function, three that are not.
	.text
	.globl exported
	.type exported, @function
exported:
	call hidden
	ret
	.size exported, . - exported
	.type hidden, @function
hidden:
	call _ZN3cpp5classIiE6methodEi
	ret
	.size hidden, . - hidden
	.type _ZN3cpp5classIiE6methodEi, @function
_ZN3cpp5classIiE6methodEi:
	call _ZN5crate6module4call17h0123456789abcdefE
	ret
	.size _ZN3cpp5classIiE6methodEi, . - _ZN3cpp5classIiE6methodEi
	.type _ZN5crate6module4call17h0123456789abcdefE, @function
_ZN5crate6module4call17h0123456789abcdefE:
	nop
	ret
	.size _ZN5crate6module4call17h0123456789abcdefE, . - _ZN5crate6module4call17h0123456789abcdefE
	.section .note.GNU-stack, "", @progbits
