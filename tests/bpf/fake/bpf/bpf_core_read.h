/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAKE_BPF_CORE_READ_H
#define FAKE_BPF_CORE_READ_H
/*
 * Kernel structs are those of bpf/kernel.h themselves: reading is plain loading. Fields that only some
 * kernels have are absent.
 */
#define FAKE_READ_1(from, a)		       ((from)->a)
#define FAKE_READ_2(from, a, b)		       ((from)->a->b)
#define FAKE_READ_OF(_1, _2, n, ...)	       FAKE_READ_##n
#define FAKE_READ_NAME(...)		       FAKE_READ_OF(__VA_ARGS__, 2, 1, )
#define BPF_CORE_READ(from, ...)	       FAKE_READ_NAME(__VA_ARGS__)(from, __VA_ARGS__)

#define bpf_core_field_exists(field)	       0
#define bpf_core_field_offset(field)	       0
#define bpf_probe_read_kernel(to, bytes, from) __builtin_memcpy(to, from, bytes)

#endif
